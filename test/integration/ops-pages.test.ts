// The board and its pages over HTTP: what they show, who may give orders, and what comes from elsewhere.
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { OPS_PASSWORD, type Reply, setup as startServer, TOKEN } from './http-setup.ts'
import { basic, HTML, logIn, ownPage, usersFile } from './ops-setup.ts'

const VIEWER = ['vera', 'viewer', 'a password of vera'] as const
const OPERATOR = ['olga', 'operator', 'a password of olga'] as const

async function setup(options: RelayOptions = {}) {
  const relay = await startRelay(options)
  const { file } = await usersFile([VIEWER, OPERATOR].map(([...one]) => one))
  const server = await startServer({ redisUrl: relay.redisUrl, env: { OPS_USERS_FILE: file } })
  const olga = await logIn(server, 'olga', OPERATOR[2])
  /** A page as a browser gets it. */
  const shown = async (where: string, who = olga) => {
    const reply = await who.get(where, HTML)
    return { ...reply, text: reply.text.replaceAll(/<time[^>]*>[^<]*<\/time>/g, '') }
  }
  const order = (where: string, fields: Record<string, string>, who = olga) =>
    who.ask('POST', where, {
      body: new URLSearchParams(fields).toString(),
      headers: { ...HTML, ...ownPage(server), 'content-type': 'application/x-www-form-urlencoded' },
    })
  return { relay, server, olga, shown, order }
}

async function deadLetter(relay: Relay, version = '5', more: object = {}): Promise<string> {
  relay.simulator.fault({ kind: 'status-before', status: 422, message: 'inputs are too large' })
  const id = await relay.promote(version, more)
  await relay.reaches(id, 'dead_lettered')
  return id
}

function flashIn({ headers }: Reply): string {
  return headers.getSetCookie().find((cookie) => cookie.startsWith('relay-flash')) ?? ''
}

const PAGES = ['/', '/promotions', '/dead-letters', '/audit', '/search?q=zzz']

describe('what is shown', () => {
  test('nothing yet: how to promote, and that nothing needs a person', async () => {
    const { shown, relay } = await setup()
    await until('the worker says that it is there', () => relay.reader.workers())
    const { text } = await shown('/')
    expect(text).toContain('Nothing needs a person')
    expect(text).toContain('npx promotion-relay promote')
  })

  test('without a worker the board says so', async () => {
    const server = await startServer()
    const ops = await logIn(server, 'ops', OPS_PASSWORD)
    expect((await ops.get('/', HTML)).text).toContain('No worker has been at work')
  })

  test('a target with what is live, in flight and pending, and who holds it', async () => {
    const { relay, shown, order } = await setup()
    await relay.ends(await relay.promote('5'))
    relay.simulator.hold()
    const running = await relay.promote('6')
    const { runId } = await relay.reaches(running, 'dispatched')
    const behind = await relay.promote('7')
    await relay.waitsFor(behind, 'in_flight')
    await order('/targets/hold', {
      model: 'fraud-detector',
      environment: 'production',
      why: 'audit',
      back: '/',
    })

    const board = (await shown('/')).text
    expect(board).toContain('<strong>5</strong>')
    expect(board).toContain(`/promotions/${running}`)
    expect(board).toContain(`run ${runId}</a>`)
    expect(board).toContain('held by olga: audit')
    const page = (await shown(`/promotions/${behind}`)).text
    expect(page).toMatch(/waiting: (6 is being deployed since|its target is held)/)
    expect(page).toContain('<svg')
    for (const input of ['model_version', 'trigger_source', 'promotion_id', behind])
      expect(page).toContain(input)
    const model = (await shown('/models?model=fraud-detector')).text
    for (const version of ['5', '6', '7']) expect(model).toContain(`>${version}</a>`)
  })

  test('a dead letter with its reason, GitHub’s answer, what can be done and what would come of it', async () => {
    const { relay, shown } = await setup()
    const id = await deadLetter(relay)
    for (const where of ['/', '/dead-letters', '/dead-letters?reason=TOO+large']) {
      const { text } = await shown(where)
      expect(text).toContain('inputs are too large')
      expect(text).toContain(`action="/promotions/${id}/redrive"`)
      expect(text).toContain(`action="/promotions/${id}/discard"`)
    }
    expect((await shown('/dead-letters?reason=bananas')).text).not.toContain(id)
    const page = (await shown(`/promotions/${id}`)).text
    expect(page).toContain('It goes back into the queue')
    expect(page).toContain('>422</td>')
    await relay.promote('6')
    expect((await shown(`/promotions/${id}`)).text).toContain('superseded: version 6 was accepted later')
  })

  test('an open circuit with its reason, who waits, and that it can be looked at now', async () => {
    const { relay, shown, order } = await setup()
    relay.simulator.fault({
      kind: 'status-before',
      status: 401,
      message: 'Bad credentials',
      on: 'any',
      times: 500,
    })
    const id = await relay.promote('5')
    await relay.circuitParked()
    const { text } = await shown('/')
    expect(text).toContain('circuit open')
    expect(text).toContain('Bad credentials')
    relay.simulator.clearFaults()
    const probed = await order('/circuits/probe', { scope: 'acme/models', back: '/dead-letters' })
    expect([probed.status, probed.headers.get('location')]).toEqual([303, '/dead-letters'])
    await relay.ends(id, 20_000)
  })

  test('what is looked for by model, version, promotion and run', async () => {
    const { relay, shown } = await setup()
    const id = await relay.promote('5')
    const { runId = '' } = await relay.ends(id)
    await relay.ends(await relay.promote('5', { model: 'churn' }))
    const leadsTo = async (text: string) => (await shown(`/search?q=${text}`)).headers.get('location')
    expect(await leadsTo(id)).toBe(`/promotions/${id}`)
    expect(await leadsTo(id.toUpperCase())).toBe(`/promotions/${id}`)
    expect(await leadsTo(runId)).toBe(`/promotions/${id}`)
    expect(await leadsTo('fraud-detector')).toBe('/models?model=fraud-detector')
    const byVersion = (await shown('/search?q=5')).text
    expect(byVersion).toContain('fraud-detector')
    expect(byVersion).toContain('churn')
    expect((await shown('/search?q=nothing-of-that-name')).text).toContain('Nothing is known of')
  })

  test('lists go on, page by page, without a gap', async () => {
    const { relay, shown } = await setup()
    relay.simulator.fault({
      kind: 'status-before',
      status: 401,
      message: 'Bad credentials',
      on: 'any',
      times: 5_000,
    })
    const ids = await Promise.all(
      Array.from({ length: 60 }, (_, i) => relay.promote('1', { model: `model-${i}` })),
    )
    for (const [first, link] of [
      ['/promotions', /href="(\/promotions\?[^"]*after=[^"]+)"/],
      ['/', /href="(\/\?after=[^"]+)"/],
    ] as const) {
      let where: string | undefined = first
      const found = new Set<string>()
      for (let pages = 0; where !== undefined && pages < 10; pages++) {
        const { text } = await shown(where)
        for (const [, id = ''] of text.matchAll(/\/promotions\/([0-9a-f-]{36})/g)) found.add(id)
        where = link.exec(text)?.[1]?.replaceAll('&amp;', '&')
      }
      expect(ids.filter((id) => !found.has(id))).toEqual([])
    }
  })

  test('Redis away: each page says so quickly, without a stack', async () => {
    const { relay, shown, server, olga } = await setup()
    await relay.redis.config('SET', 'busy-reply-threshold', '5000')
    for (const where of PAGES) expect((await shown(where)).status).toBe(200)
    // Whose Redis is gone altogether.
    const gone = await startServer({ redisUrl: 'redis://127.0.0.1:1' })
    const reply = await gone.call('GET', '/', {
      token: null,
      headers: { ...HTML, ...basic('ops', OPS_PASSWORD) },
    })
    expect(reply.status).toBe(503)
    expect(reply.text).toContain('can not be')
    expect(reply.text).not.toMatch(/ at .*\.ts/)
    expect([server.url, olga.cookie].every(Boolean)).toBe(true)
  })
})

describe('orders', () => {
  test('each is carried out, answered on the page that it came from, and kept with who and why', async () => {
    const { relay, shown, order, olga } = await setup()
    await relay.ends(await relay.promote('4'))
    await relay.ends(await relay.promote('5'))
    const target = {
      model: 'fraud-detector',
      environment: 'production',
      back: '/models?model=fraud-detector',
    }

    const held = await order('/targets/hold', { ...target, why: 'audit' })
    expect([held.status, held.headers.get('location')]).toEqual([303, '/models?model=fraud-detector'])
    const flash = flashIn(held)
    const told = await olga.get('/', { ...HTML, cookie: `${olga.cookie}; ${flash.split(';')[0]}` })
    expect(told.text).toContain('fraud-detector is held: what comes waits until it is released.')
    expect(flashIn(told)).toContain('Max-Age=0')
    expect(
      (await relay.reader.target({ model: 'fraud-detector', environment: 'production' }))?.hold,
    ).toMatchObject({
      by: 'olga',
      why: 'audit',
    })
    await order('/targets/release', target)
    await order('/targets/rollback', { ...target, to: '', why: 'refusals' })
    await until('4 is live again', async () => relay.versionsRun().join() === '4,5,4')

    const id = await deadLetter(relay, '9', { model: 'churn' })
    await order(`/promotions/${id}/discard`, { deadLetter: '1', why: 'wrong data', back: '/' })
    expect(await relay.reader.promotion(id)).toMatchObject({
      state: 'skipped',
      reason: 'discarded by olga: wrong data',
    })
    const audit = (await shown('/audit')).text
    for (const word of ['hold', 'release', 'rollback', 'discard', 'olga', 'refusals', 'wrong data'])
      expect(audit).toContain(word)
  })

  test('an unresolved promotion is said to have none, or its run', async () => {
    // No run shows a promotion's id: what is in doubt and could be any of them goes to a person.
    const { relay, order } = await setup({
      simulator: { workflows: [{ file: 'cd_pipeline.yml', runName: false }] },
      pauses: { sweepMs: 50, settleMs: 0, sendDeadlineMs: 600, dispatchTimeoutMs: 200 },
    })
    relay.simulator.fault({ kind: 'status-after', status: 502 })
    const id = await relay.promote('5')
    await relay.reaches(id, 'unresolved', 60_000)
    const run = relay.simulator.runs.at(-1)?.id
    expect((await order(`/promotions/${id}/resolve`, { run: 'abc', back: '/' })).status).toBe(303)
    expect((await relay.reader.promotion(id))?.state).toBe('unresolved')
    await order(`/promotions/${id}/resolve`, { run: String(run), back: '/' })
    await relay.reaches(id, 'deployed', 60_000)
  })

  test('a viewer sees them nowhere, and gives none', async () => {
    const { relay, server, shown, order } = await setup()
    const vera = await logIn(server, 'vera', VIEWER[2])
    const id = await deadLetter(relay)
    for (const where of [...PAGES, `/promotions/${id}`, '/models?model=fraud-detector']) {
      const { status, text } = await shown(where, vera)
      expect(status).toBe(200)
      expect(
        [...text.matchAll(/method="post" action="([^"]+)"|action="([^"]+)" method="post"/g)].map(
          ([, a, b]) => a ?? b,
        ),
      ).toEqual(['/log-out'])
    }
    const before = await relay.reader.promotion(id)
    for (const where of ORDERS(id)) {
      const refused = await order(
        where,
        { model: 'fraud-detector', environment: 'production', deadLetter: '1' },
        vera,
      )
      expect([where, refused.status]).toEqual([where, 403])
      expect(refused.text).toContain('vera is a viewer')
    }
    expect(await relay.reader.promotion(id)).toEqual(before)
    expect((await relay.reader.targets(1))[0]?.hold).toBeUndefined()
  })
})

const ORDERS = (id: string) => [
  '/targets/hold',
  '/targets/release',
  '/targets/rollback',
  `/promotions/${id}/redrive`,
  `/promotions/${id}/discard`,
  `/promotions/${id}/resolve`,
  '/circuits/probe',
]

describe('from elsewhere', () => {
  test.each<[what: string, headers: Record<string, string>, status: number]>([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, 403],
    ['a sister site', { origin: 'https://sister.example', 'sec-fetch-site': 'same-site' }, 403],
    ['a wrong origin, by an older browser', { origin: 'https://evil.example' }, 403],
    ['nobody says where', {}, 403],
  ])('a POST by the session from %s gives no order', async (_what, headers, status) => {
    const { relay, olga } = await setup()
    const id = await deadLetter(relay)
    for (const where of ORDERS(id)) {
      const refused = await olga.ask('POST', where, {
        body: 'model=fraud-detector&environment=production&deadLetter=1',
        headers: { ...HTML, ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect([where, refused.status]).toEqual([where, status])
    }
    expect((await relay.reader.promotion(id))?.state).toBe('dead_lettered')
    expect((await relay.reader.targets(1))[0]?.hold).toBeUndefined()
  })

  test('without a session a page leads to the log-in, and an order and the events to nothing', async () => {
    const { relay, server } = await setup()
    const id = await deadLetter(relay)
    for (const where of [...PAGES, `/promotions/${id}`]) {
      const sent = await server.call('GET', where, { token: null, headers: HTML })
      expect([sent.status, sent.headers.get('location')]).toEqual([
        303,
        `/log-in?next=${encodeURIComponent(where)}`,
      ])
    }
    expect((await server.call('GET', '/live?page=/', { token: null })).status).toBe(401)
    for (const where of ORDERS(id)) {
      const refused = await server.call('POST', where, {
        token: TOKEN,
        body: 'model=fraud-detector&deadLetter=1',
        headers: { ...ownPage(server), 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect([where, refused.status]).toEqual([where, 401])
    }
    expect((await relay.reader.promotion(id))?.state).toBe('dead_lettered')
  })

  test('a script in whatever a producer may name is text on every page', async () => {
    const { relay, shown, order } = await setup()
    const evil = '"><script>document.title="run"</script><img src=x onerror=alert(1)>'
    const id = await deadLetter(relay, evil.slice(0, 90), {
      model: evil,
      source: evil.slice(0, 90),
      metrics: { [evil.slice(0, 90)]: 1 },
    })
    await order('/targets/hold', { model: evil, environment: 'production', why: evil, back: '/' })
    const query = encodeURIComponent(evil)
    const pages = [
      ...PAGES,
      `/promotions/${id}`,
      `/models?model=${query}`,
      `/search?q=${query}x`,
      `/promotions?model=${query}`,
      `/dead-letters?model=${query}&reason=${query}`,
    ]
    for (const where of pages) {
      const { status, text, headers } = await shown(where)
      expect(status).toBe(200)
      expect(text).not.toMatch(/<script>|<img|onerror=alert\(1\)>/)
      expect(headers.get('content-security-policy')).toContain("script-src 'self'")
    }
    expect((await shown(`/promotions/${id}`)).text).toContain('&lt;script&gt;')
  })

  test.each(['..%2f..%2fetc', '%00', 'a'.repeat(190), '-', "'", '01a209ce%0d%0aSet-Cookie:x', '*'])(
    'an id such as %s is nobody’s, and no order touches anything',
    async (id) => {
      const { relay, shown, order } = await setup()
      const own = await deadLetter(relay)
      const before = await relay.reader.promotion(own)
      const { status, text } = await shown(`/promotions/${id}`)
      expect([400, 404]).toContain(status)
      expect(text).not.toMatch(/ at .*\.ts/)
      for (const what of ['redrive', 'discard', 'resolve']) {
        const reply = await order(`/promotions/${id}/${what}`, { deadLetter: '1', back: '/' })
        expect([303, 400, 404]).toContain(reply.status)
      }
      expect(await relay.reader.promotion(own)).toEqual(before)
    },
  )

  test.each(['//evil.example', 'https://evil.example', '/\\evil.example', '/log-out'])(
    'an order that is to lead back to %s leads to the board',
    async (back) => {
      const { relay, order } = await setup()
      await relay.ends(await relay.promote('5'))
      const reply = await order('/targets/hold', { model: 'fraud-detector', environment: 'production', back })
      expect([reply.status, reply.headers.get('location')]).toEqual([303, '/'])
    },
  )

  test('what is no form, or far too much of one, is refused', async () => {
    const { server, olga } = await setup()
    const json = await olga.ask('POST', '/targets/hold', { body: { model: 'm' }, headers: ownPage(server) })
    expect(json.status).toBe(415)
    const much = await olga.ask('POST', '/targets/hold', {
      body: `model=${'m'.repeat(40_000)}`,
      headers: { ...ownPage(server), 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(much.status).toBe(413)
  })
})

test('who follows a page is told when what it shows has changed, and not before', async () => {
  const { relay, server, olga } = await setup()
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const response = await fetch(`${server.url}/live?page=/`, {
    headers: { cookie: olga.cookie },
    signal: ending.signal,
  })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  let said = ''
  const reading = (async () => {
    for await (const chunk of response.body ?? []) said += Buffer.from(chunk).toString()
  })().catch(() => {})
  await until('it is followed', () => said.includes('event: following'))
  await relay.ends(await relay.promote('5'))
  await until('the change is told', () => said.includes('event: changed'))
  await until(
    'nothing more is told',
    async () => {
      const before = said
      await relay.reader.nowMs()
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      return said === before
    },
    20_000,
  )
  ending.abort()
  await reading
})
