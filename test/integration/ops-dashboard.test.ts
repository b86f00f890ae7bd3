// What the Bull dashboard lets people do and see, by its own API: a viewer changes nothing, an operator what the list
// of changes holds, and of a job nobody sees more than the allow list of its queue.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { appRoutes } from '@bull-board/api/dist/routes.js'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createAudit } from '../../shared/ledger/audit.ts'
import { newUserLine } from '../../shared/ops-users.ts'
import {
  asConnection,
  bullPrefix,
  DEAD_LETTERS,
  FEEDBACK,
  PROMOTIONS,
  TRACKING,
} from '../../shared/queues.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { type Api, OPS_PASSWORD, setup } from './http-setup.ts'
import { basic, logIn, ownPage } from './ops-setup.ts'

const VERA = 'a password of vera'
const TOKEN = 'ghp_sentinel000000000000000000000000token'
const BOARD = '/queues/api/queues'

const boardRoutes: { method: string; route: string }[] = appRoutes.api.map(({ method, route }) => ({
  method: String(method),
  route: String(route),
}))
const isGet = ({ method }: (typeof boardRoutes)[number]) => method === 'get'
const pathOf = ({ route }: (typeof boardRoutes)[number]) =>
  `/queues${route}`
    .replace(':queueName', PROMOTIONS)
    .replace(':jobId', 'a-job')
    .replace(':queueStatus', 'failed')
    .replace(':schedulerId', 'a-scheduler')

/** What an operator may do by the dashboard. */
const LET_THROUGH = [
  '/api/queues/pause',
  '/api/queues/resume',
  '/api/queues/:queueName/retry/:queueStatus',
  '/api/queues/:queueName/promote',
  '/api/queues/:queueName/clean/:queueStatus',
  '/api/queues/:queueName/pause',
  '/api/queues/:queueName/resume',
  '/api/queues/:queueName/:jobId/retry',
  '/api/queues/:queueName/:jobId/clean',
  '/api/queues/:queueName/:jobId/promote',
]

/** One server for all of these: a log-in takes its time. */
const undo: (() => void | Promise<void>)[] = []
let world: Awaited<ReturnType<typeof open>>
beforeAll(async () => {
  world = await open()
})
beforeEach(async () => {
  const { redis } = world.server
  const old = (await redis.keys(`${KEY_PREFIX}:*`)).filter((key) => !key.includes(':session:'))
  if (old.length > 0) await redis.del(...old)
})
afterAll(async () => {
  for (const step of undo.reverse()) await step()
})

async function open() {
  const dir = await mkdtemp(path.join(tmpdir(), 'ops-users-'))
  undo.push(() => rm(dir, { recursive: true }))
  const file = path.join(dir, 'users')
  await writeFile(file, await newUserLine('vera', 'viewer', VERA))
  const server = await setup({ env: { OPS_USERS_FILE: file }, atEnd: (step) => void undo.push(step) })
  const [viewer, operator] = [await logIn(server, 'vera', VERA), await logIn(server, 'ops', OPS_PASSWORD)]
  const deeds = async () =>
    (await createAudit({ redis: server.redis }).newest(50)).deeds.filter(({ via }) => via === 'queues')
  return { server, viewer, operator, deeds }
}

function queueOf({ redis }: Api, name: string): Queue {
  const queue = new Queue(name, { connection: asConnection(redis), prefix: bullPrefix() })
  onTestFinished(() => queue.close())
  return queue
}

/** Everything of the queues, byte by byte. */
async function everything({ redis }: Api): Promise<Record<string, string | undefined>> {
  const keys = (await redis.keys(`${KEY_PREFIX}:bull:*`)).sort()
  return Object.fromEntries(
    await Promise.all(keys.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString('base64')])),
  )
}

const DELAYED = { delay: 3_600_000 }
const aJob = { model: 'fraud-detector', version: '5' }

describe('a viewer', () => {
  test('changes nothing by any route of the dashboard, and is told why', async () => {
    const { server, viewer, deeds } = world
    await server.queue.add('promoted', aJob, { jobId: 'a-job', ...DELAYED })
    const before = await everything(server)
    const changing = boardRoutes.filter((route) => !isGet(route))
    expect(changing.length).toBeGreaterThan(20)
    for (const route of changing) {
      const reply = await viewer.change(route.method.toUpperCase(), pathOf(route), {
        name: 'promoted',
        data: {},
        jobData: {},
        concurrency: 1,
        delay: 1,
        priority: 1,
        options: {},
      })
      expect([route.route, reply.status, reply.body?.error]).toEqual([
        route.route,
        403,
        'A viewer can not change anything',
      ])
    }
    expect(await everything(server)).toEqual(before)
    // Trying must not push out what others did.
    expect(await deeds()).toEqual([])
  })

  test('neither by Basic, nor by a method put into a header', async () => {
    const { server, viewer } = world
    await server.queue.waitUntilReady()
    const pause = `${BOARD}/${PROMOTIONS}/pause`
    const byBasic = await server.call('PUT', pause, { token: null, headers: basic('vera', VERA) })
    const overridden = await viewer.ask('GET', pause, { headers: { 'x-http-method-override': 'PUT' } })
    expect([byBasic.status, overridden.status]).toEqual([403, 404])
    expect(await server.queue.isPaused()).toBe(false)
  })

  test('sees what an operator sees, without the buttons', async () => {
    const { server, viewer, operator } = world
    await server.queue.add('promoted', aJob, { jobId: 'a-job', ...DELAYED })
    const where = `${BOARD}?activeQueue=${PROMOTIONS}&status=delayed`
    const [seen, seenByOperator] = [await viewer.get(where), await operator.get(where)]
    expect(seen.body.queues.map(({ readOnlyMode }: { readOnlyMode: boolean }) => readOnlyMode)).toEqual(
      seen.body.queues.map(() => true),
    )
    expect(seenByOperator.body.queues[0].readOnlyMode).toBe(false)
    expect(seen.body.queues[0].jobs).toEqual(seenByOperator.body.queues[0].jobs)
    expect(seen.body.queues[0].jobs).toHaveLength(1)
  })
})

test('no GET of the dashboard changes anything', async () => {
  const { server, operator } = world
  await server.queue.add('promoted', aJob, { jobId: 'a-job', ...DELAYED })
  const before = await everything(server)
  for (const route of boardRoutes.filter(isGet)) {
    expect([route.route, (await operator.get(pathOf(route))).status]).toEqual([route.route, 200])
  }
  expect(await everything(server)).toEqual(before)
})

describe('an operator', () => {
  const refused = boardRoutes.filter((route) => !isGet(route) && !LET_THROUGH.includes(route.route))

  test.each(refused.map(({ method, route }) => [method.toUpperCase(), route]))(
    'can not %s %s: the ledger is the truth',
    async (method, route) => {
      const { server, operator, deeds } = world
      await server.queue.add('promoted', aJob, { jobId: 'a-job', ...DELAYED })
      const before = await everything(server)
      const body = { name: 'promoted', data: aJob, options: {}, jobData: aJob, delay: 1, priority: 1, max: 1 }
      const reply = await operator.change(method, pathOf({ method, route }), body)
      expect([reply.status, reply.body.error]).toEqual([403, 'This can not be done by the dashboard'])
      expect(await everything(server)).toEqual(before)
      expect((await deeds())[0]).toMatchObject({ who: 'ops', what: 'change queue', result: 'refused (403)' })
    },
  )

  test('can do the rest, and who did what to which job is kept', async () => {
    const { server, operator, deeds } = world
    const change = (where: string) => operator.change('PUT', `${BOARD}${where}`)
    for (const id of ['1-1', '2-1']) await server.queue.add('promoted', aJob, { jobId: id, ...DELAYED })
    const statuses: number[] = []
    for (const where of [
      `/${PROMOTIONS}/pause`,
      `/${PROMOTIONS}/resume`,
      '/pause',
      '/resume',
      `/${PROMOTIONS}/1-1/promote`,
      `/${PROMOTIONS}/1-1/clean`,
      `/${PROMOTIONS}/promote`,
      `/${PROMOTIONS}/none/retry`,
      `/${PROMOTIONS}/retry/failed`,
      `/${PROMOTIONS}/clean/waiting`,
    ])
      statuses.push((await change(where)).status)
    expect(statuses.map((status) => Math.floor(status / 100))).toEqual([2, 2, 2, 2, 2, 2, 2, 4, 2, 2])
    const kept = (await deeds()).reverse()
    expect(kept.map(({ what, of, result }) => `${what}: ${of}: ${result}`)).toEqual([
      'pause queue: promotions: done',
      'resume queue: promotions: done',
      'pause all queues: all queues: done',
      'resume all queues: all queues: done',
      'wake job: promotions/1-1: done',
      'remove job: promotions/1-1: done',
      'wake all jobs: promotions: done',
      'retry job: promotions/none: refused (404)',
      'retry all jobs: promotions/failed: done',
      'remove all jobs: promotions/waiting: done',
    ])
    expect(new Set(kept.map(({ who }) => who))).toEqual(new Set(['ops']))
  })

  test.each<[what: string, headers: (server: Api) => Record<string, string>]>([
    ['another site', () => ({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })],
    ['a sister site', () => ({ 'sec-fetch-site': 'same-site', origin: 'https://sister.example' })],
    ['another port of this host', () => ({ origin: 'http://127.0.0.1:1' })],
    [
      'our page, with another origin',
      () => ({ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }),
    ],
    ['a page without an origin', () => ({ origin: 'null' })],
    ['nowhere', () => ({})],
    ['another site, with ours behind it', ({ url }) => ({ origin: `https://evil.example/${url}` })],
    [
      'another site, with ours as its user',
      ({ url }) => ({ origin: `http://${new URL(url).host}@evil.example` }),
    ],
  ])('with the session, but from %s, is refused', async (_what, headers) => {
    const { server, operator } = world
    await server.queue.waitUntilReady()
    for (const [method, where] of [
      ['PUT', `${BOARD}/${PROMOTIONS}/pause`],
      ['POST', `${BOARD}/${PROMOTIONS}/add`],
    ] as const) {
      const reply = await operator.ask(method, where, { headers: headers(server), body: {} })
      expect([reply.status, reply.body.title]).toEqual([
        403,
        'A change must come from these pages themselves',
      ])
    }
    expect(await server.queue.isPaused()).toBe(false)
  })

  test('by Basic may be a script, which names no origin; a browser’s other site may not', async () => {
    const { server } = world
    const pause = (headers: Record<string, string>) =>
      server.call('PUT', `${BOARD}/${PROMOTIONS}/pause`, {
        token: null,
        headers: { ...basic('ops', OPS_PASSWORD), ...headers },
      })
    expect((await pause({ origin: 'https://evil.example' })).status).toBe(403)
    expect(await server.queue.isPaused()).toBe(false)
    expect((await pause({})).status).toBe(200)
    expect(await server.queue.isPaused()).toBe(true)
  })
})

describe('of a job that another client put there', () => {
  const about = { model: 'fraud-detector', version: '5', environment: 'staging' }
  const SECRETS = {
    token: TOKEN,
    headers: { authorization: `Bearer ${TOKEN}` },
    ['__proto__']: { token: TOKEN },
    constructor: TOKEN,
    list: [TOKEN],
    metrics: { auc: 0.9, note: TOKEN },
    event: { repository: 'acme/models', env: TOKEN, workflows: ['cd.yml', { deep: TOKEN }] },
    attempts: [{ attempt: 1, outcome: 'rejected', headers: TOKEN }, TOKEN.length],
    invalid: { model: 'm', authorization: TOKEN },
    run: { id: '7', secret: TOKEN },
  }

  async function plant(server: Api, name: string) {
    const queue = queueOf(server, name)
    const options = {
      jobId: `planted-${name}`,
      ...DELAYED,
      telemetry: { metadata: TOKEN },
      deduplication: { id: TOKEN },
      note: TOKEN,
    }
    const job = await queue.add(`work with ${TOKEN}`, { ...about, ...SECRETS }, options)
    await job.updateProgress({ waits: 'held', seen: 'queued', token: TOKEN })
    await job.log(`it used ${TOKEN}`)
    await job.log(`2026-08-01T12:00:00.000Z waits: held`)
    const key = `${bullPrefix()}:${name}:${job.id}`
    await server.redis.hset(key, {
      returnvalue: JSON.stringify({ token: TOKEN }),
      stacktrace: JSON.stringify([`Error: ${TOKEN}\n at x (y.js:1:1)`]),
      pb: TOKEN,
      parentKey: `bull:${TOKEN}:1`,
      parent: JSON.stringify({ id: TOKEN, queueKey: TOKEN }),
    })
    return { job, key, queue }
  }

  test.each([PROMOTIONS, TRACKING, DEAD_LETTERS, FEEDBACK])(
    'in %s the dashboard shows the fields on the list, and of the others the names',
    async (name) => {
      const { server, viewer, operator } = world
      const { job, key } = await plant(server, name)
      if ([PROMOTIONS, TRACKING].includes(name))
        await server.redis.hset(key, 'failedReason', `broke: ${TOKEN}`)
      const texts: string[] = []
      for (const who of [viewer, operator])
        for (const where of [
          `${BOARD}?activeQueue=${name}&status=delayed`,
          `${BOARD}?activeQueue=${name}`,
          `${BOARD}/${name}/${job.id}`,
          `${BOARD}/${name}/${job.id}/logs`,
          `${BOARD}/${name}/${job.id}/flow`,
          `${BOARD}/${name}/default-job-options`,
          `/queues/api/job-schedulers`,
        ]) {
          const reply = await who.get(where)
          expect([where, reply.status]).toEqual([where, 200])
          texts.push(reply.text)
        }
      expect(texts.join('\n')).not.toContain(TOKEN)
      const shown = (await viewer.get(`${BOARD}/${name}/${job.id}`)).body.job
      expect(shown.data).toMatchObject({ ...about, token: '(not shown)', constructor: '(not shown)' })
      expect(JSON.parse(texts[2] ?? '').job.opts).toMatchObject({ delay: 3_600_000, note: '(not shown)' })
      expect(shown.name).toContain('fraud-detector 5 in staging')
    },
  )

  test('a scheduler of theirs shows nothing, nor does a flow', async () => {
    const { server, viewer } = world
    await server.queue.upsertJobScheduler(
      'theirs',
      { every: 3_600_000 },
      { name: TOKEN, data: { token: TOKEN } },
    )
    expect((await viewer.get('/queues/api/job-schedulers')).body).toEqual({ schedulers: [] })
    const [delayed] = await server.queue.getJobs(['waiting', 'delayed'])
    const flow = await viewer.get(
      `${BOARD}/${PROMOTIONS}/${encodeURIComponent(delayed?.id ?? '')}/flow?root=node`,
    )
    expect(flow.body).toEqual({ nodeId: delayed?.id, flowRoot: null, isFlowNode: false })
  })

  test('what ours are for stays: model, progress, log lines, reason and what to do', async () => {
    const { server, viewer } = world
    const { job } = await plant(server, PROMOTIONS)
    const shown = await viewer.get(`${BOARD}/${PROMOTIONS}/${job.id}`)
    expect(shown.body.job).toMatchObject({
      name: 'fraud-detector 5 in staging (held)',
      progress: { waits: 'held', token: '(not shown)' },
      data: { metrics: { auc: 0.9, note: '(not shown)' } },
    })
    const logs = await viewer.get(`${BOARD}/${PROMOTIONS}/${job.id}/logs`)
    expect(logs.body).toEqual(['(not shown)', '2026-08-01T12:00:00.000Z waits: held'])
    const letters = queueOf(server, DEAD_LETTERS)
    const letter = await letters.add(
      'x',
      { ...about, reason: 'too large', next: 'Mend it' },
      { jobId: 'dl-x-1' },
    )
    await server.redis.hset(`${bullPrefix()}:${DEAD_LETTERS}:${letter.id}`, 'failedReason', 'too large')
    expect((await viewer.get(`${BOARD}/${DEAD_LETTERS}/dl-x-1`)).body.job).toMatchObject({
      failedReason: 'too large',
      stacktrace: ['too large\n\nMend it'],
    })
  })

  test('whatever its data are, the page goes on', async () => {
    const { server, viewer } = world
    const values = [
      null,
      'text',
      5,
      [],
      [1, { a: TOKEN }],
      { model: { deep: TOKEN }, version: [TOKEN.length] },
    ]
    for (const value of values) await server.queue.add('promoted', value)
    await server.queue.add('promoted', { model: 'm'.repeat(100_000) })
    const reply = await viewer.get(`${BOARD}?activeQueue=${PROMOTIONS}&status=waiting`)
    expect(reply.body.queues[0].jobs).toHaveLength(values.length + 1)
    expect(reply.text).not.toContain(TOKEN)
    expect(reply.text.length).toBeLessThan(30_000)
  })
})

describe('an id with path tricks', () => {
  const TRICKS = [
    '..%2f..%2fetc%2fpasswd',
    '..%2f..%2fpromotions%2fa-job',
    '%2e%2e%2fmeta',
    'a%00b',
    'a%0d%0ab',
    '%ff%fe',
    'a'.repeat(150),
    'a'.repeat(5_000),
    'meta',
    'id',
    'wait',
    'delayed',
    'a-job:logs',
    'events',
    '__proto__',
    'constructor',
    '%3Cscript%3Ealert(1)%3C%2Fscript%3E',
  ]

  test.each(TRICKS)('%s names no job and touches none', async (id) => {
    const { server, operator } = world
    const job = await server.queue.add('promoted', aJob, { jobId: 'a-job', ...DELAYED })
    await job.log('x')
    const before = await everything(server)
    const answers = [
      await operator.get(`${BOARD}/${PROMOTIONS}/${id}`),
      await operator.get(`${BOARD}/${id}/a-job`),
      await operator.change('PUT', `${BOARD}/${PROMOTIONS}/${id}/clean`),
      await operator.change('PUT', `${BOARD}/${PROMOTIONS}/${id}/retry`),
      await operator.change('PUT', `${BOARD}/${PROMOTIONS}/${id}/promote`),
      await operator.change('PUT', `${BOARD}/${id}/pause`),
    ]
    for (const { status, text, headers } of answers) {
      expect([400, 404]).toContain(status)
      expect(text).not.toMatch(/node_modules|\n +at |WRONGTYPE/)
      expect(headers.get('content-type')).toMatch(/json/)
    }
    expect(await everything(server)).toEqual(before)
    expect((await operator.get(`${BOARD}/${PROMOTIONS}/${id}/logs`)).text).not.toContain('"x"')
  })

  test.each(['%', '%zz', '%E0%A4%A'])('a queue named %s is refused as such', async (name) => {
    const { operator } = world
    const reply = await operator.get(`${BOARD}?activeQueue=${encodeURIComponent(name)}`)
    expect([reply.status, reply.body.error]).toEqual([400, 'The request can not be read'])
  })

  test('in the path of a static file leads nowhere', async () => {
    const { operator } = world
    for (const where of ['..%2f..%2fpackage.json', '%2e%2e/%2e%2e/index.ejs', '..%5c..%5cindex.ejs']) {
      const { status, text } = await operator.get(`/queues/static/${where}`)
      expect([400, 403, 404]).toContain(status)
      expect(text).not.toContain('"dependencies"')
    }
  })
})

test('a script in a model’s name is text, in JSON and in the page’s settings', async () => {
  const { server, viewer } = world
  const script = '</script><script>alert(1)</script>'
  await server.queue.add(
    'promoted',
    { model: script, version: '<img src=x onerror=alert(1)>' },
    { jobId: 'x-1' },
  )
  const list = await viewer.get(`${BOARD}?activeQueue=${PROMOTIONS}&status=waiting`)
  expect(list.headers.get('content-type')).toMatch(/^application\/json/)
  expect(list.body.queues[0].jobs[0].name).toContain(script)
  const page = await viewer.get(`/queues/queue/${encodeURIComponent(script)}`)
  expect(page.text).not.toContain('alert(1)')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  expect(page.headers.get('content-security-policy')).not.toMatch(/script-src/)
})

test('the form of another site that claims to be JSON is refused before it is read', async () => {
  const { server, operator } = world
  const reply = await operator.ask('POST', `${BOARD}/${PROMOTIONS}/add`, {
    headers: { origin: 'https://evil.example', 'content-type': 'text/plain' },
    body: '{"name":"promoted"}',
  })
  expect(reply.status).toBe(403)
  expect(ownPage(server).origin).toBe(server.url)
  expect(await server.queue.getJobCountByTypes('waiting', 'delayed')).toBe(0)
})
