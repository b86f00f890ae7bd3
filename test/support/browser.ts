/** A real Chromium, as Debian and others ship it: found on PATH, or named by CHROMIUM_PATH. */
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { AtEnd } from './up.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-sync',
]

export const NO_CHROMIUM = 'no Chromium on PATH, and CHROMIUM_PATH names none'

export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH
  const dirs = (process.env.PATH ?? '').split(path.delimiter)
  const places = named ? [named] : NAMES.flatMap((name) => dirs.map((dir) => path.join(dir, name)))
  return places.find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export async function openBrowser(executablePath: string, atEnd: AtEnd): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true })
  atEnd(() => browser.close())
  return browser
}

export interface LogIn {
  username: string
  password: string
}

/** A person of their own: nothing is shared with another's session. `logIn` logs them in by the form. */
export async function person(browser: Browser, baseURL: string, logIn?: LogIn): Promise<BrowserContext> {
  const context = await browser.newContext({
    baseURL,
    viewport: { width: 1400, height: 900 },
  })
  context.setDefaultTimeout(10_000)
  if (logIn) {
    const page = await context.newPage()
    await page.goto('/log-in?next=/healthz')
    await fillLogIn(page, logIn)
    await page.waitForURL('**/healthz')
    await page.close()
  }
  return context
}

export async function fillLogIn(page: Page, { username, password }: LogIn): Promise<void> {
  await page.getByLabel('Name').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
}
