/**
 * The pictures in the README, taken of a relay at work, so that they stay true: the board, the page of a promotion, the
 * Bull dashboard, the terminal. Needs Chromium, and `script` of util-linux.
 *
 *   npm run screenshots
 */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { fillLogIn, findChromium, NO_CHROMIUM, openBrowser } from '../support/browser.ts'
import { play } from './scene.ts'
import { openStage, ROOT, startRelay } from './stage.ts'
import { terminalPage, typed } from './terminal.ts'

const chromium = findChromium()
if (!chromium) throw new Error(NO_CHROMIUM)

const stage = openStage()
try {
  const relay = await startRelay(stage, { ROLLBACK_ON_FAILURE: 'true' })
  const ids = await play(relay)
  const browser = await openBrowser(chromium, (end) => void stage.undo.push(end))
  const context = await browser.newContext({
    baseURL: relay.url,
    viewport: { width: 1240, height: 760 },
    deviceScaleFactor: 1.5,
  })
  const page = await context.newPage()
  await page.goto('/')
  await fillLogIn(page, { username: 'ops', password: relay.password })
  await page.getByRole('heading', { name: 'Targets' }).waitFor()
  await take(page, 'board')
  await page.goto(`/promotions/${ids.triedAgain}`)
  await page.getByRole('img', { name: /^What it went through/ }).waitFor()
  await take(page, 'promotion')
  await page.goto('/queues/queue/dead-letters?status=failed')
  await page.getByText('vision 8').waitFor()
  await take(page, 'queues')

  const env = { RELAY_URL: relay.url, RELAY_API_TOKEN: relay.token, USER: 'alice' }
  const commands = [
    ['targets'],
    ['dead-letters'],
    ['dead-letters', 'redrive', ids.dead, '--dry-run'],
    ['explain', 'search'],
  ]
  const shown = commands.map((args) => ({
    command: `promotion-relay ${args.join(' ')}`,
    output: typed(args, env, 112),
  }))
  const terminal = await context.newPage()
  await terminal.setContent(terminalPage(shown))
  await terminal.locator('body').screenshot({ path: pathOf('terminal') })
  process.stdout.write(`${pathOf('terminal')}\n`)
} finally {
  await stage.close()
}

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: pathOf(name), fullPage: true })
  process.stdout.write(`${pathOf(name)}\n`)
}

function pathOf(name: string): string {
  return join(ROOT, `docs/pictures/${name}.png`)
}
