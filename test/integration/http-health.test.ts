// Health pages and metrics, and what callers are told while Redis is away or unfit.
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { OPERATIONS } from '../../producer/http/openapi/operations.ts'
import { DEAD_LETTERS, PROMOTIONS, TRACKING } from '../../shared/queues.ts'
import { secretFromFile } from '../../shared/secret.ts'
import { createWorkerMetrics } from '../../worker/ops/worker-metrics.ts'
import { mlflowDelivery } from '../support/mlflow.ts'
import { type PrivateRedisOptions, startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import { temporaryDir } from '../support/up.ts'
import { type Api, problemOf, setup, TOKEN } from './http-setup.ts'

const V5 = { model: 'fraud-detector', version: '5' }

async function ownRedis(options: PrivateRedisOptions = {}) {
  const redis = await startPrivateRedis(options)
  onTestFinished(redis.stop)
  return redis
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedAt = performance.now()
  const value = await work
  return { value, tookMs: performance.now() - startedAt }
}

test('healthz says that the process lives', async () => {
  const api = await setup()
  const { status, body } = await api.call('GET', '/healthz', { token: null })
  expect([status, body]).toEqual([200, { status: 'ok' }])
})

test('readyz is ready, without a warning, on a Redis that keeps the promises', async () => {
  const api = await setup({ redisUrl: (await ownRedis()).url })
  const { status, body } = await api.call('GET', '/readyz', { token: null })
  expect([status, body]).toEqual([200, { status: 'ready', warnings: [] }])
})

test('readyz warns of a Redis that evicts and does not persist, is ready all the same, and the log says it', async () => {
  const config = ['maxmemory-policy allkeys-lru', 'appendonly no']
  const api = await setup({ redisUrl: (await ownRedis({ config })).url })
  const { status, body } = await api.call('GET', '/readyz', { token: null })
  expect([status, body.status]).toEqual([200, 'ready'])
  expect(body.warnings).toEqual([
    expect.stringContaining('maxmemory-policy is allkeys-lru'),
    expect.stringContaining('the append-only file is off'),
  ])
  for (const word of ['allkeys-lru', 'append-only']) {
    await until(`a log line about ${word}`, () => api.lines.some((line) => line.includes(word)))
  }
})

test('readyz warns where Redis answers before its data are on disk', async () => {
  const api = await setup({ redisUrl: (await ownRedis({ appendfsync: 'everysec' })).url })
  const { body } = await api.call('GET', '/readyz', { token: null })
  expect(body).toEqual({ status: 'ready', warnings: [expect.stringContaining('appendfsync is everysec')] })
})

test('while Redis is away nothing is accepted, everything says so at once, and it heals by itself', async () => {
  const redis = await ownRedis()
  const api = await setup({ redisUrl: redis.url })
  await redis.kill()

  const { value: refused, tookMs } = await timed(api.promote(V5))
  expect(refused.status).toBe(503)
  expect(tookMs).toBeLessThan(2_000)
  expect(problemOf(refused).title).toContain('can not reach its ledger')
  expect(refused.body.detail).toContain('safe to send')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  for (const path of ['/v1/promotions', '/v1/targets']) {
    const read = await timed(api.call('GET', path))
    expect([path, read.value.status]).toEqual([path, 503])
    expect(read.tookMs).toBeLessThan(2_000)
  }
  const ready = await timed(api.call('GET', '/readyz', { token: null }))
  expect([ready.value.status, ready.value.body.status]).toEqual([503, 'unavailable'])
  expect(ready.tookMs).toBeLessThan(2_000)
  expect((await api.call('GET', '/healthz', { token: null })).status).toBe(200)

  await redis.restart()
  await until('ready again', async () => (await api.call('GET', '/readyz', { token: null })).status === 200)
  expect((await api.promote(V5)).body).toMatchObject({ status: 'accepted' })
  expect(await api.queue.getJobCountByTypes('waiting')).toBe(1)
})

test('a Redis that hangs is answered for within two seconds', async () => {
  const redis = await ownRedis()
  const api = await setup({ redisUrl: redis.url })
  process.kill(redis.pid, 'SIGSTOP')
  const { value: refused, tookMs } = await timed(api.promote(V5))
  expect(refused.status).toBe(503)
  expect(tookMs).toBeLessThan(2_000)
  const ready = await timed(api.call('GET', '/readyz', { token: null }))
  expect(ready.value.status).toBe(503)
  expect(ready.tookMs).toBeLessThan(2_000)
  process.kill(redis.pid, 'SIGCONT')
  await until('ready again', async () => (await api.call('GET', '/readyz', { token: null })).status === 200)
})

/** Every route that needs Redis, as the description has them. */
const NEEDING = OPERATIONS.filter(({ answers }) => 503 in answers).map(
  ({ method, path }) => [method.toUpperCase(), path] as const,
)
/** What a route asks for in its query. */
const WHERE: Record<string, string> = { '/v1/search': '/v1/search?text=fraud-detector' }
const ID = '01a2079d-cf6c-7585-a09d-988039c18c8d'

test.each(['kill', 'stop'] as const)(
  'every route answers within two seconds after a %s of Redis',
  async (how) => {
    const redis = await ownRedis()
    const secret = 'webhook-secret'
    const api = await setup({
      redisUrl: redis.url,
      env: {
        GITHUB_WEBHOOK_SECRET: secret,
        MLFLOW_WEBHOOK_SECRET: secret,
        MLFLOW_ALIASES: 'champion=production',
        MLFLOW_TRACKING_URI: 'http://127.0.0.1:1',
      },
    })
    await api.promote(V5)
    if (how === 'kill') await redis.kill()
    else process.kill(redis.pid, 'SIGSTOP')
    onTestFinished(() => void (how === 'stop' && process.kill(redis.pid, 'SIGCONT')))

    const event = JSON.stringify({
      action: 'completed',
      repository: { full_name: 'acme/models' },
      workflow_run: { id: 1, event: 'workflow_dispatch' },
    })
    const signature = `sha256=${createHmac('sha256', secret).update(event).digest('hex')}`
    const moved = { name: 'fraud-detector', alias: 'champion', version: '5' }
    const hint = mlflowDelivery({ data: moved, secret })
    const bodies: Record<string, unknown> = {
      '/v1/promotions': V5,
      '/v1/promotions:batch': { promotions: [V5, V5, V5] },
      '/v1/smoke-tests': {},
      '/v1/promotions/{id}/redrive': { deadLetter: 1 },
      '/v1/promotions/{id}/discard': { deadLetter: 1 },
      '/v1/promotions/{id}/resolve': { absent: true },
      '/v1/circuits/probe': { scope: 'acme/models' },
      '/v1/webhooks/github': event,
      '/v1/webhooks/mlflow': hint.body,
    }
    const answers = await Promise.all(
      NEEDING.map(async ([method, path]) => {
        const body = method === 'GET' ? {} : { body: bodies[path] ?? { model: V5.model } }
        const headers = {
          'x-github-event': 'workflow_run',
          'x-hub-signature-256': signature,
          ...hint.headers,
        }
        const { value, tookMs } = await timed(
          api.call(method, WHERE[path] ?? path.replace('{id}', ID), { ...body, headers }),
        )
        return [method, path, value.status, Number(value.headers.get('retry-after')) > 0, tookMs < 2_000]
      }),
    )
    expect(answers.length).toBeGreaterThan(9)
    expect(answers).toEqual(NEEDING.map((route) => [...route, 503, true, true]))
  },
)

test('a server started before its Redis listens, is not ready, and serves once Redis is there', async () => {
  const redis = await ownRedis()
  await redis.kill()
  const api = await setup({ redisUrl: redis.url })
  expect((await api.call('GET', '/readyz', { token: null })).status).toBe(503)
  expect((await api.promote(V5)).status).toBe(503)
  await redis.restart()
  await until('ready', async () => (await api.call('GET', '/readyz', { token: null })).status === 200)
  expect((await api.promote(V5)).status).toBe(202)
  expect((await metricsOf(api)).get('promotion_relay_promotions_accepted_total')).toEqual([['', 1]])
})

test('an outage is logged as one line for each kind of fault, and its end as another', async () => {
  const redis = await ownRedis()
  const api = await setup({ redisUrl: redis.url })
  await redis.kill()
  await until('the outage in the log', () => api.lines.some((line) => line.includes('Redis is away')))
  await redis.restart()
  await until('its end in the log', () => api.lines.some((line) => line.includes('Redis answers again')))
  const told = api.lines.map((line) => JSON.parse(line)).filter(({ level }) => level !== 'debug')
  const faults = told.slice(0, -1)
  expect(faults.length).toBeGreaterThan(0)
  for (const { msg } of faults) expect(msg).toBe('Redis is away; trying again')
  // Refused, then slow to come back, say; not one for each try.
  expect(new Set(faults.map(({ fault }) => fault)).size).toBe(faults.length)
  expect(told.at(-1).msg).toBe('Redis answers again')
})

type Samples = Map<string, [labels: string, value: number][]>

/** Reads the text strictly: a HELP and TYPE before each metric's samples, no sample twice, every value a number. */
function parseExposition(text: string): { samples: Samples; types: Map<string, string> } {
  const samples: Samples = new Map()
  const types = new Map<string, string>()
  let helped = ''
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.split('\n').filter(Boolean)) {
    const [, word, about, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? []
    if (word === 'HELP' && about) helped = about
    else if (word === 'TYPE' && about && rest) {
      expect(helped).toBe(about)
      expect(types.has(about)).toBe(false)
      expect(rest).toMatch(/^(counter|gauge|histogram|summary)$/)
      types.set(about, rest)
    } else {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="[^"\n]*",?)*)\})? (\S+)$/.exec(line)
      expect(sample, `not a sample: ${line}`).not.toBeNull()
      const [, name = '', labels = '', value = ''] = sample ?? []
      expect(name === helped || name.replace(/_(bucket|sum|count)$/, '') === helped, line).toBe(true)
      expect(/^(NaN|[+-]Inf|-?[\d.]+(e[+-]?\d+)?)$/.test(value), line).toBe(true)
      const known = samples.get(name) ?? []
      expect(known.map(([seen]) => seen)).not.toContain(labels)
      samples.set(name, [...known, [labels, Number(value)]])
    }
  }
  return { samples, types }
}

async function metricsOf(api: Api): Promise<Samples> {
  const { status, text, headers } = await api.call('GET', '/metrics', { token: null })
  expect(status).toBe(200)
  expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return parseExposition(text).samples
}

test('metrics have the names of the design, in a text that Prometheus reads', async () => {
  const registry = new Registry()
  createWorkerMetrics(registry)
  const api = await setup({ registry })
  const { text } = await api.call('GET', '/metrics', { token: null })
  const { types } = parseExposition(text)
  const designed = {
    promotions_accepted_total: 'counter',
    dispatch_attempts_total: 'counter',
    dispatch_success_ratio: 'gauge',
    promotion_to_dispatch_seconds: 'histogram',
    promotion_to_live_seconds: 'histogram',
    deployments_total: 'counter',
    dead_letters: 'gauge',
    circuit_open: 'gauge',
    oldest_waiting_seconds: 'gauge',
    dispatch_to_start_seconds: 'histogram',
    start_to_completed_seconds: 'histogram',
    deployment_success_ratio: 'gauge',
    unresolved: 'gauge',
    drifted_targets: 'gauge',
    last_promotion_timestamp_seconds: 'gauge',
    workers: 'gauge',
    redis_reachable: 'gauge',
    queue_jobs: 'gauge',
  }
  for (const [name, type] of Object.entries(designed)) {
    expect([name, types.get(`promotion_relay_${name}`)]).toEqual([name, type])
  }
  for (const name of types.keys()) expect(name).toMatch(/^promotion_relay_[a-z0-9_]+$/)
})

test('what all workers share is shown by the server alone, what a worker counts itself by workers alone', async () => {
  const api = await setup()
  const ofServer = await metricsOf(api)
  expect([...ofServer.keys()]).toContain('promotion_relay_promotions_accepted_total')
  expect([...ofServer.keys()]).not.toContain('promotion_relay_dispatch_attempts_total')
  const ofWorker = new Registry()
  createWorkerMetrics(ofWorker)
  expect(await ofWorker.metrics()).not.toContain('promotions_accepted_total')
})

test('metrics count what is unsafe about the settings of Redis', async () => {
  const safe = await metricsOf(await setup({ redisUrl: (await ownRedis()).url }))
  expect(safe.get('promotion_relay_redis_warnings')).toEqual([['', 0]])
  const config = ['maxmemory-policy allkeys-lru', 'appendonly no']
  const unsafe = await metricsOf(await setup({ redisUrl: (await ownRedis({ config })).url }))
  expect(unsafe.get('promotion_relay_redis_warnings')).toEqual([['', 2]])
})

test('without any trigger the success ratio is NaN, and everything else is 0', async () => {
  const samples = await metricsOf(await setup())
  expect(samples.get('promotion_relay_dispatch_success_ratio')).toEqual(
    ['5m', '30m', '1h', '2h', '6h', '24h'].map((window) => [`window="${window}"`, Number.NaN]),
  )
  for (const name of ['promotions_accepted_total', 'dead_letters', 'oldest_waiting_seconds']) {
    expect([name, samples.get(`promotion_relay_${name}`)]).toEqual([name, [['', 0]]])
  }
})

test('metrics follow what happens, and no label holds a promotion, a model or a version', async () => {
  const api = await setup()
  const { id } = (await api.promote(V5)).body
  await api.promote({ ...V5, version: '6' })
  await until('some waiting time', async () => {
    const [sample] = (await metricsOf(api)).get('promotion_relay_oldest_waiting_seconds') ?? []
    return (sample?.[1] ?? 0) > 0
  })
  const { text } = await api.call('GET', '/metrics', { token: null })
  const { samples } = parseExposition(text)
  const value = (name: string, labels = '') =>
    samples.get(`promotion_relay_${name}`)?.find(([seen]) => seen === labels)?.[1]
  expect(value('promotions_accepted_total')).toBe(2)
  expect(value('promotions_superseded_total')).toBe(1)
  expect(value('promotions', 'state="accepted"')).toBe(1)
  expect(value('queue_jobs', `queue="${PROMOTIONS}",state="waiting"`)).toBe(2)
  for (const queue of [TRACKING, DEAD_LETTERS]) {
    expect(value('queue_jobs', `queue="${queue}",state="failed"`)).toBe(0)
  }
  for (const word of [id, 'fraud-detector', '"5"', '"6"']) expect(text).not.toContain(word)
})

test('a scrape while Redis is away still answers, with what the process knows itself', async () => {
  const redis = await ownRedis()
  const registry = new Registry()
  createWorkerMetrics(registry)
  const api = await setup({ redisUrl: redis.url, registry })
  await api.promote(V5)
  expect((await metricsOf(api)).get('promotion_relay_redis_reachable')).toEqual([['', 1]])
  await redis.kill()
  const { value, tookMs } = await timed(api.call('GET', '/metrics', { token: null }))
  expect(value.status).toBe(200)
  expect(tookMs).toBeLessThan(3_000)
  expect(value.text).toContain('promotion_relay_process_cpu_seconds_total')
  // What else it says of the ledger is old.
  expect(value.text).toContain('promotion_relay_redis_reachable 0\n')
})

test('the port that is taken is named by the error', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  await expect(setup({ env: { PORT: String(port) } })).rejects.toMatchObject({ code: 'EADDRINUSE', port })
})

test('while the file of its token is gone the API says so, and lets nobody in', async () => {
  const file = path.join(temporaryDir('api-token'), 'token')
  await writeFile(file, TOKEN)
  const api = await setup({ apiToken: secretFromFile('RELAY_API_TOKEN', file) })
  expect((await api.promote(V5)).status).toBe(202)
  await rm(file)

  const reply = await api.promote({ ...V5, version: '6' })

  expect(reply.status).toBe(503)
  expect(problemOf(reply).title).toBe("RELAY_API_TOKEN can't be read now")
  await writeFile(file, TOKEN)
  expect((await api.promote({ ...V5, version: '6' })).status).toBe(202)
})

test('a client that never sends the rest of its request does not keep the server from ending', async () => {
  const api = await setup()
  const { hostname, port } = new URL(api.url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  const authorization = `Authorization: Bearer ${TOKEN}`
  socket.write(`POST /v1/promotions HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Length: 99\r\n`)
  socket.write('Content-Type: application/json\r\n\r\n{"model"')
  socket.on('error', () => {})
  // Answered after what the server has begun to read.
  await api.call('GET', '/healthz')

  const { tookMs } = await timed(api.close())

  expect(tookMs).toBeLessThan(10_000)
})
