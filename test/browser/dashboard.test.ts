// The Bull dashboard as ops use it, in a real Chromium. Without one on the machine these tests are skipped, and CI
// takes a skip for a failure.
import { once } from 'node:events'
import { createServer } from 'node:http'
import path from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { OPS_PASSWORD, setup as startServer } from '../integration/http-setup.ts'
import { usersFile } from '../integration/ops-setup.ts'
import { fillLogIn, findChromium, NO_CHROMIUM, openBrowser, person } from '../support/browser.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { temporaryDir } from '../support/up.ts'

const OPS = { username: 'ops', password: OPS_PASSWORD }
const REASON = 'GitHub answered 422: inputs are too large'
const chromium = findChromium()

async function setup(options: { simulated?: boolean; env?: object } = {}) {
  const relay = await startRelay()
  const server = await startServer({ redisUrl: relay.redisUrl, ...options })
  return { relay, server }
}

async function deadLetter(relay: Relay): Promise<string> {
  relay.simulator.fault({ kind: 'status-before', status: 422, message: 'inputs are too large' })
  const id = await relay.promote('5', { accuracy: 0.9234 })
  await relay.reaches(id, 'dead_lettered')
  await until('its place among the dead letters', () => relay.queues.deadLetters.getJobCountByTypes('failed'))
  return id
}

describe('a change from elsewhere', () => {
  test.each<[what: string, headers: Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a sister site', { 'sec-fetch-site': 'same-site', origin: 'https://sister.example' }],
    ['another site, by an older browser', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
  ])('with the log-in, but from %s, is refused', async (_what, headers) => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const authorization = `Basic ${btoa(`ops:${OPS_PASSWORD}`)}`
    const call = (method: string, where: string, body?: unknown) =>
      server.call(method, where, { token: null, headers: { ...headers, authorization }, body })
    const board = '/queues/api/queues'
    const retry = await call('PUT', `${board}/dead-letters/dl-${id}-1/retry`)
    expect(retry.status).toBe(403)
    const add = await call('POST', `${board}/promotions/add`, {
      name: 'promoted',
      data: { model: 'm', version: '1' },
      options: {},
    })
    expect(add.status).toBe(403)
    expect((await relay.reader.promotion(id))?.state).toBe('dead_lettered')
    expect(await relay.reader.newest(10)).toHaveLength(1)
  })
})

describe.skipIf(chromium === undefined)(`in a browser${chromium ? '' : ` (${NO_CHROMIUM})`}`, () => {
  const undo: (() => void | Promise<void>)[] = []
  let browser: Awaited<ReturnType<typeof openBrowser>>
  beforeAll(async () => {
    browser = await openBrowser(chromium ?? '', (step) => undo.push(step))
  })
  afterAll(async () => {
    for (const step of undo) await step()
  })

  async function ops(url: string, logIn?: typeof OPS): Promise<BrowserContext> {
    const context = await person(browser, url, logIn)
    onTestFinished(() => context.close())
    return context
  }

  /** Presses what says Retry when it is pointed at, and confirms. */
  async function armRetry(page: Page): Promise<() => Promise<void>> {
    const button = page.locator('[class*=jobActions] button').first()
    await button.hover()
    await page.getByText('Retry', { exact: true }).waitFor()
    await button.click()
    const confirm = page.getByRole('button', { name: 'Confirm' })
    await confirm.waitFor()
    return () => confirm.click()
  }

  test('a log-in by the form, once, leads to where the link went; a wrong one shows nothing', async () => {
    const { server } = await setup()
    const page = await (await ops(server.url)).newPage()
    const wanted = '/queues/queue/dead-letters?status=failed'
    await page.goto(wanted)
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await fillLogIn(page, { ...OPS, password: 'wrong' })
    await page.getByRole('alert').getByText('Name or password is wrong.').waitFor()
    expect(await page.content()).not.toContain('dead-letters</')
    await fillLogIn(page, OPS)
    await page.getByText('promotions that need a person').waitFor()
    expect(page.url()).toBe(`${server.url}${wanted}`)
    await page.goto('/log-in')
    expect(page.url()).not.toContain('/log-in')
  })

  test('its menu leads to the board and out, and what was open shows nothing any more', async () => {
    const { server } = await setup()
    const page = await (await ops(server.url, OPS)).newPage()
    await page.goto('/queues')
    await page.getByRole('link', { name: 'promotions' }).first().waitFor()
    await page.locator('header button').last().click()
    await page.getByRole('menuitem', { name: 'Board' }).waitFor()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Log out' }).last().click()
    await page.getByText('You are logged out.').waitFor()
    await page.goto('/queues')
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
  })

  test('a viewer has no buttons to press, an operator has', async () => {
    const { file } = await usersFile([['vera', 'viewer', 'a password of vera']])
    const { relay, server } = await setup({ env: { OPS_USERS_FILE: file } })
    const id = await deadLetter(relay)
    for (const [logIn, buttons] of [
      [OPS, true],
      [{ username: 'vera', password: 'a password of vera' }, false],
    ] as const) {
      const page = await (await ops(server.url, logIn)).newPage()
      await page.goto(`/queues/queue/dead-letters/dl-${id}-1?status=failed`)
      await page.getByText(REASON).first().waitFor()
      expect((await page.locator('[class*=jobActions] button').count()) > 0).toBe(buttons)
    }
  })

  test('a script in a model’s name that another client put there is shown as text', async () => {
    const { server } = await setup()
    const name = '<img src=x onerror="document.title=\'run\'"><script>document.title="run"</script>'
    await server.queue.add('promoted', { model: name, version: '5' }, { jobId: 'evil-1', delay: 3_600_000 })
    const page = await (await ops(server.url, OPS)).newPage()
    await page.goto('/queues/queue/promotions?status=delayed')
    await page.getByText('onerror=').first().waitFor()
    expect(await page.title()).toBe('promotion-relay')
  })

  test('with the log-in it shows every queue, says what each is for, and asks no other host for anything', async () => {
    const { server } = await setup()
    const page = await (await ops(server.url, OPS)).newPage()
    const asked: string[] = []
    page.on('requestfinished', (request) => asked.push(request.url()))
    await page.goto('/queues')
    for (const queue of ['promotions', 'tracking', 'dead-letters']) {
      await page.getByRole('link', { name: queue }).first().waitFor()
    }
    await page.getByRole('link', { name: 'dead-letters' }).first().click()
    await page.getByText('promotions that need a person').waitFor()
    expect(await page.title()).toBe('promotion-relay')
    expect(asked.length).toBeGreaterThan(3)
    expect(asked.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([])
  })

  test('a simulated one says so on every page', async () => {
    const { server } = await setup({ simulated: true })
    const page = await (await ops(server.url, OPS)).newPage()
    for (const where of ['/queues', '/queues/queue/promotions']) {
      await page.goto(where)
      await page.getByText('SIMULATED').waitFor()
    }
  })

  test('a dead letter is under Failed with its reason and what to do, and Retry redrives it to deployed', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const page = await (await ops(server.url, OPS)).newPage()
    await page.goto('/queues/queue/dead-letters?status=failed')
    await page.getByText('fraud-detector 5').waitFor()
    await page.getByText(REASON).waitFor()
    await page.getByText('Mend the cause, then press Retry').last().waitFor()
    expect(await page.content()).not.toContain('node_modules')
    await page.getByRole('tab', { name: 'Data' }).click()
    await page.getByText('"dead_lettered"').waitFor()
    const picture = path.join(temporaryDir('dashboard'), 'dead-letter.png')
    expect((await page.screenshot({ path: picture, fullPage: true })).length).toBeGreaterThan(10_000)

    const press = await armRetry(page)
    await press()
    await relay.reaches(id, 'deployed')
    expect(relay.simulator.runs.map(({ inputs }) => inputs.promotion_id)).toEqual([id])
    await page.getByText('fraud-detector 5').waitFor({ state: 'detached' })
  })

  test('two people press Retry at the same moment, and it is dispatched once', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    const pages = await Promise.all([1, 2].map(async () => (await ops(server.url, OPS)).newPage()))
    const presses = await Promise.all(
      pages.map(async (page) => {
        await page.goto(`/queues/queue/dead-letters/dl-${id}-1?status=failed`)
        return armRetry(page)
      }),
    )
    // Neither goes on before the other has been pressed too.
    const held: (() => Promise<void>)[] = []
    for (const page of pages) {
      await page.route('**/retry', async (route) => void held.push(() => route.continue()))
    }
    await Promise.all(presses.map((press) => press()))
    await until('both requests', () => held.length === 2)
    const answers = pages.map((page) => page.waitForResponse('**/retry'))
    await Promise.all(held.map((go) => go()))
    const statuses = (await Promise.all(answers)).map((reply) => reply.status())
    expect(statuses).toContain(204)
    await relay.reaches(id, 'deployed')
    await relay.idle()
    // The first of them was refused before it started anything.
    expect(relay.simulator.dispatches().map(({ status }) => status)).toEqual([422, 200])
    expect(relay.simulator.runs).toHaveLength(1)
  })

  test('what waits says for what, by model and version', async () => {
    const { relay, server } = await setup()
    relay.simulator.hold()
    await relay.reaches(await relay.promote('5'), 'dispatched')
    await relay.waitsFor(await relay.promote('6'), 'in_flight')
    const page = await (await ops(server.url, OPS)).newPage()
    await page.goto('/queues/queue/promotions')
    await page.getByText('fraud-detector 6 (waits: in_flight 5)').waitFor()
    relay.simulator.release()
    await relay.idle()
  })

  test('a page of another site can not use the log-in of who looks at it', async () => {
    const { relay, server } = await setup()
    const add = `${server.url}/queues/api/queues/promotions/add`
    // JSON in the name of a field: the oldest trick with a form.
    const evil = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(`<form method="post" action="${add}" enctype="text/plain">
        <input name='{"name":"promoted","data":{"model":"evil","version":"1"},"options":{},"x":"' value='"}'>
        <button>Win</button></form>`)
    })
    evil.listen(0, '127.0.0.1')
    await once(evil, 'listening')
    onTestFinished(() => void evil.close())
    const { port } = evil.address() as { port: number }

    const page = await (await ops(server.url, OPS)).newPage()
    await page.goto('/queues')
    await page.getByRole('link', { name: 'promotions' }).first().waitFor()
    // Another site than 127.0.0.1, and yet this machine.
    await page.goto(`http://localhost:${port}/`)
    const [reply] = await Promise.all([
      page.waitForResponse((one) => one.url() === add),
      page.getByRole('button', { name: 'Win' }).click(),
    ])
    // The browser keeps the session to itself; with it, it would be refused for its origin.
    expect(reply.status()).toBe(401)
    expect(await relay.queues.promotions.getJobCountByTypes('waiting', 'active', 'completed', 'failed')).toBe(
      0,
    )
    expect(await relay.reader.newest(10)).toEqual([])
  })
})
