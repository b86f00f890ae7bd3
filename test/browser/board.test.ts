// The board as ops use it, in a real Chromium: what they see without reading a log, what they press, and that nobody
// is shut out. Without a Chromium on the machine these tests are skipped, and CI takes a skip for a failure.
import axe from 'axe-core'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { OPS_PASSWORD, setup as startServer } from '../integration/http-setup.ts'
import { usersFile } from '../integration/ops-setup.ts'
import { fillLogIn, findChromium, NO_CHROMIUM, openBrowser, person } from '../support/browser.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const OPS = { username: 'ops', password: OPS_PASSWORD }
const VERA = { username: 'vera', password: 'a password of vera' }
const chromium = findChromium()

/** WCAG 2.1 at the levels A and AA, as axe tags its rules. */
const WCAG_AA = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']

async function setup() {
  const relay = await startRelay()
  const { file } = await usersFile([['vera', 'viewer', VERA.password]])
  const server = await startServer({ redisUrl: relay.redisUrl, env: { OPS_USERS_FILE: file } })
  return { relay, server }
}

async function deadLetter(relay: Relay, version = '5'): Promise<string> {
  relay.simulator.fault({ kind: 'status-before', status: 422, message: 'inputs are too large' })
  const id = await relay.promote(version, { accuracy: 0.9234 })
  await relay.reaches(id, 'dead_lettered')
  await relay.parked(id)
  return id
}

describe.skipIf(chromium === undefined)(`in a browser${chromium ? '' : ` (${NO_CHROMIUM})`}`, () => {
  const undo: (() => void | Promise<void>)[] = []
  let browser: Awaited<ReturnType<typeof openBrowser>>
  beforeAll(async () => {
    browser = await openBrowser(chromium ?? '', (step) => undo.push(step))
  })
  afterAll(async () => {
    for (const step of undo) await step()
  })

  async function ops(url: string, logIn = OPS, options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context =
      Object.keys(options).length > 0
        ? await browser.newContext({ baseURL: url, ...options })
        : await person(browser, url)
    onTestFinished(() => context.close())
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    await page.goto('/')
    await fillLogIn(page, logIn)
    await page.getByRole('heading', { name: 'Targets' }).waitFor()
    await page.close()
    return context
  }

  /** A page that is followed, with whatever it complains of. */
  async function open(context: BrowserContext, where: string): Promise<{ page: Page; complaints: string[] }> {
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(where)
    await page.locator('html[data-live=on]').waitFor()
    return { page, complaints }
  }

  test('a deployment goes by on the board, without a reload', async () => {
    const { relay, server } = await setup()
    const { page, complaints } = await open(await ops(server.url), '/')
    let loads = 0
    page.on('load', () => loads++)
    await page.evaluate('window.isStillThere = true')
    relay.simulator.hold()
    const id = await relay.promote('5')
    const { runId } = await relay.reaches(id, 'dispatched')
    await page.getByRole('link', { name: `run ${runId}` }).waitFor()
    relay.simulator.release()
    await relay.ends(id)
    await page
      .getByRole('row', { name: /fraud-detector/ })
      .locator('strong', { hasText: '5' })
      .waitFor()
    expect(await page.evaluate('window.isStillThere')).toBe(true)
    expect([loads, complaints]).toEqual([0, []])
  })

  test('the page of a promotion follows it from waiting to live, and draws its course', async () => {
    const { relay, server } = await setup()
    relay.simulator.hold()
    const first = await relay.promote('5')
    await relay.reaches(first, 'dispatched')
    const id = await relay.promote('6', { accuracy: 0.93 })
    await relay.waitsFor(id, 'in_flight')
    const { page } = await open(await ops(server.url), `/promotions/${id}`)
    await page.locator('#state', { hasText: /waiting: 5 is being deployed since \d+ (ms|s)/ }).waitFor()
    relay.simulator.release()
    await relay.ends(id)
    await page.locator('#state', { hasText: 'live' }).waitFor()
    const picture = page.getByRole('img', { name: /^What it went through/ })
    expect(await picture.locator('rect').count()).toBeGreaterThan(2)
    expect(await picture.getAttribute('aria-label')).toContain('version 5 of the same target is on its way')
    for (const text of ['GitHub answered 200', 'model_accuracy', '0.93'])
      await page.locator('td, dt, dd').getByText(text).first().waitFor()
  })

  test('a dead letter is redriven by one press, and the page says what came of it', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const { page } = await open(await ops(server.url), '/')
    await page.getByText('inputs are too large').waitFor()
    await page.getByRole('button', { name: 'Redrive' }).click()
    await page.getByRole('status').getByText('It goes back into the queue').waitFor()
    await relay.reaches(id, 'deployed')
    await page.getByText('Nothing needs a person').waitFor()
    expect(relay.simulator.runs).toHaveLength(1)
    const { page: audit } = await open(await ops(server.url), '/audit')
    await audit.getByRole('row', { name: /ops board.*redrive/ }).waitFor()
  })

  test('pressed on the board and in the Bull dashboard at the same moment, it is dispatched once', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const { page: board } = await open(await ops(server.url), '/')
    const bull = await (await ops(server.url)).newPage()
    await bull.goto(`/queues/queue/dead-letters/dl-${id}-1?status=failed`)
    await bull.locator('[class*=jobActions] button').first().click()
    await bull.getByRole('button', { name: 'Confirm' }).waitFor()
    // Neither goes on before the other has been pressed too.
    const held: (() => Promise<void>)[] = []
    for (const [page, where] of [
      [board, '**/redrive'],
      [bull, '**/retry'],
    ] as const)
      await page.route(where, async (route) => void held.push(() => route.continue()))
    const presses = [
      board.getByRole('button', { name: 'Redrive' }).click({ noWaitAfter: true }),
      bull.getByRole('button', { name: 'Confirm' }).click(),
    ]
    await until('both requests', () => held.length === 2)
    await Promise.all(held.map((go) => go()))
    await Promise.all(presses)
    await relay.reaches(id, 'deployed')
    await relay.idle()
    // The first of them was refused before it started anything.
    expect(relay.simulator.dispatches().map(({ status }) => status)).toEqual([422, 200])
    expect(relay.simulator.runs).toHaveLength(1)
  })

  test('who has an order open is not disturbed by what happens, but told', async () => {
    const { relay, server } = await setup()
    await relay.ends(await relay.promote('4'))
    const { page } = await open(await ops(server.url), '/')
    await page.locator('summary', { hasText: 'Hold' }).click()
    await page.getByLabel('Why').first().fill('the audit of the third quarter')
    await relay.ends(await relay.promote('5'))
    await page.getByText('Something has changed').waitFor()
    expect(await page.getByLabel('Why').first().inputValue()).toBe('the audit of the third quarter')
    await page.getByRole('button', { name: 'Hold' }).click()
    await page.getByText('fraud-detector is held').waitFor()
    await page.getByText('held by ops: the audit of the third quarter').waitFor()
    await page.locator('strong', { hasText: '5' }).waitFor()
  })

  test('by keyboard alone: to the content, to an order, and it is given', async () => {
    const { relay, server } = await setup()
    await relay.ends(await relay.promote('5'))
    const { page } = await open(await ops(server.url), '/models?model=fraud-detector')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    const reach = async (text: string) => {
      for (let tabs = 0; tabs < 20; tabs++) {
        await page.keyboard.press('Tab')
        if ((await page.evaluate('document.activeElement.textContent.trim()')) === text) return
      }
      throw new Error(`no way by Tab to ${text}`)
    }
    await reach('Hold')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.type('audit')
    await page.keyboard.press('Enter')
    await page.getByText('held by ops: audit').waitFor()
  })

  test('what is looked for is found: a model, a promotion, a run', async () => {
    const { relay, server } = await setup()
    const id = await relay.promote('5')
    const { runId = '' } = await relay.ends(id)
    const page = await (await ops(server.url)).newPage()
    for (const [text, url] of [
      ['fraud-detector', '**/models?model=fraud-detector'],
      [id, `**/promotions/${id}`],
      [runId, `**/promotions/${id}`],
    ] as const) {
      await page.goto('/audit')
      await page.getByRole('searchbox').fill(text)
      await page.getByRole('searchbox').press('Enter')
      await page.waitForURL(url)
    }
  })

  test('a viewer sees it all, and has nothing to press', async () => {
    const { relay, server } = await setup()
    await relay.ends(await relay.promote('4'))
    await deadLetter(relay)
    const { page } = await open(await ops(server.url, VERA), '/')
    await page.getByText('inputs are too large').waitFor()
    expect(await page.getByRole('button').allTextContents()).toEqual(['Search', 'Log out'])
    expect(await page.locator('details').count()).toBe(0)
  })

  test('without a script it is read and used all the same', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const context = await ops(server.url, OPS, { javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto('/dead-letters')
    await page.locator('summary', { hasText: 'Discard' }).click()
    await page.getByLabel('Why').fill('wrong data')
    await page.getByRole('button', { name: 'Discard' }).click()
    await page.getByText('It is discarded: it is not sent any more').waitFor()
    expect(await relay.reader.promotion(id)).toMatchObject({
      state: 'skipped',
      reason: 'discarded by ops: wrong data',
    })
  })

  test.each<[what: string, options: BrowserContextOptions, rules: readonly string[]]>([
    ['light', { colorScheme: 'light', viewport: { width: 1400, height: 900 } }, WCAG_AA],
    ['dark', { colorScheme: 'dark', viewport: { width: 1400, height: 900 } }, ['color-contrast']],
    // What scrolls there is to be reached by keyboard, too.
    ['on a phone', { viewport: { width: 360, height: 740 } }, ['scrollable-region-focusable', 'target-size']],
  ])(
    'axe finds nothing to mend on any page, %s, and nothing sticks out',
    async (_what, options, rules) => {
      const { relay, server } = await setup()
      await relay.ends(await relay.promote('4'))
      const dead = await deadLetter(relay)
      const page = await (await browser.newContext({ baseURL: server.url, ...options })).newPage()
      onTestFinished(() => page.context().close())
      const look = async (where: string) => {
        await page.goto(where)
        for (const one of await page.locator('details.order summary').all()) await one.click()
        const sticksOut = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
        expect([where, await faultsOf(page, rules), sticksOut]).toEqual([where, [], 0])
      }
      await look('/log-in')
      await fillLogIn(page, OPS)
      await page.getByRole('heading', { name: 'Targets' }).waitFor()
      const pages = [
        '/',
        '/promotions',
        `/promotions/${dead}`,
        '/models?model=fraud-detector',
        '/dead-letters',
        '/audit',
      ]
      for (const where of [...pages, '/search?q=zzz', '/docs']) await look(where)
    },
    // Axe looks at each element, and on a busy machine it takes its time.
    120_000,
  )
})

interface Violation {
  id: string
  help: string
  nodes: { html: string; failureSummary: string }[]
}

/** @param rules of axe, or sets of them by tag */
async function faultsOf(page: Page, rules: readonly string[]): Promise<string[]> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(rules)} })`)
  const { violations } = found as { violations: Violation[] }
  return violations.map(({ id, help, nodes }) =>
    [id, help, ...nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`)].join(
      ': ',
    ),
  )
}
