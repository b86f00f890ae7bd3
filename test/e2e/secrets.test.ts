// Nothing secret leaves: sentinels in every secret setting, a GitHub that echoes what it was sent in bodies, headers
// and links, and the most talkative log. Then everything that anybody can look at is searched for them.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { type Fault, startSimulator } from '../github-simulator/simulator.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { openReceiver, type Received } from '../support/receiver.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, type Program, run, startProgram, temporaryDir } from '../support/up.ts'

// With what must be written otherwise in JSON, in an address and in base64.
const SENTINEL = {
  token: 'ghp_sentinel-github"token/0001',
  rotated: 'ghp_sentinel-github"token/0002',
  webhook: 'sentinel-webhook"secret/0003',
  api: 'sentinel-api-token.0004',
  ops: 'sentinel-ops"p@ss/w%rd:0005',
  redis: 'sentinel-redis"p@ss/w%rd:0006',
  key: '-----BEGIN-sentinel-private-key-0007-----',
  signing: `whsec_${Buffer.from('sentinel-signing-secret.0008').toString('base64')}`,
  signingKey: 'sentinel-signing-secret.0008',
  chatPath: '/services/T0/sentinel-of-the-chat-0009',
  mlflow: 'sentinel-mlflow"p@ss/w%rd:0010',
} as const

/** As it is, in an address, and in base64 by itself and as a log-in. */
function forms(secret: string): string[] {
  const base64 = [secret, `ops:${secret}`, `relay:${secret}`].map((text) =>
    Buffer.from(text).toString('base64').replace(/=+$/, ''),
  )
  return [secret, encodeURIComponent(secret), ...base64]
}

/** However often it was put into JSON on its way. */
function leaksIn(text: string): string[] {
  const plain = text.replaceAll('\\', '')
  const found = Object.values(SENTINEL).flatMap((secret) =>
    forms(secret).filter((form) => plain.includes(form)),
  )
  return found.map((form) => plain.slice(Math.max(0, plain.indexOf(form) - 120)).slice(0, 200))
}

/** Every key and value, of whatever type. */
async function dumpOf(redis: Redis): Promise<string> {
  const parts: unknown[] = []
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key)
    const read: Record<string, () => Promise<unknown>> = {
      string: () => redis.get(key),
      hash: () => redis.hgetall(key),
      list: () => redis.lrange(key, 0, -1),
      set: () => redis.smembers(key),
      zset: () => redis.zrange(key, 0, '-1', 'WITHSCORES'),
      stream: () => redis.xrange(key, '-', '+'),
    }
    const value = await read[type]?.()
    // It has run out meanwhile.
    if (type === 'none') continue
    if (value === undefined) throw new Error(`what is a ${type}?`)
    parts.push(key, value)
  }
  return JSON.stringify(parts)
}

const address = (program: Program, words: string) =>
  until(`${words} of ${program.pid}`, () => {
    if (program.ended !== undefined) throw new Error(`it ended: ${program.stdout}${program.stderr}`)
    const line = program.stdout.split('\n').find((one) => one.includes(words))
    return line && (JSON.parse(line).url as string)
  })

test('no secret is in Redis, in a log, on a page, in a metric or in a problem, whatever GitHub echoes', async () => {
  const dir = temporaryDir('secrets')
  const own = await startPrivateRedis({ config: [`requirepass ${JSON.stringify(SENTINEL.redis)}`] })
  onTestFinished(own.stop)
  const redisUrl = `redis://:${encodeURIComponent(SENTINEL.redis)}@127.0.0.1:${own.port}/0`
  const simulator = await startSimulator({ queuedMs: 20, runMs: 20 })
  onTestFinished(simulator.close)
  const tokenFile = path.join(dir, 'token')
  writeFileSync(tokenFile, `${SENTINEL.token}\n`)
  // Whoever is told sends back what it was sent, and takes nothing.
  const told = await openReceiver()
  told.answer = ({ path: asked, headers, text }: Received) => ({
    status: 422,
    body: `at ${asked} you sent ${headers.authorization} ${text.slice(0, 40)}`,
  })
  const shared = {
    MLFLOW_FEEDBACK: 'true',
    MLFLOW_TRACKING_URI: told.url,
    MLFLOW_TRACKING_USERNAME: 'relay',
    MLFLOW_TRACKING_PASSWORD: SENTINEL.mlflow,
    FEEDBACK_WEBHOOK_URL: `${told.url}/events`,
    FEEDBACK_WEBHOOK_SECRET: SENTINEL.signing,
    CHAT_WEBHOOK_URL: `${told.url}${SENTINEL.chatPath}`,
    FEEDBACK_ALLOW_PRIVATE: 'true',
    REDIS_URL: redisUrl,
    LOG_LEVEL: 'trace',
    GITHUB_TOKEN_FILE: tokenFile,
    GITHUB_WEBHOOK_SECRET: SENTINEL.webhook,
    RELAY_API_TOKEN: SENTINEL.api,
    OPS_PASSWORD: SENTINEL.ops,
  }
  const start = (command: string, env: Record<string, string>) =>
    startProgram(NODE, [LAUNCHER, command], { env: { ...shared, ...env } })
  const server = start('serve', { PORT: '0', GITHUB_APP_PRIVATE_KEY: SENTINEL.key })
  const worker = start('work', {
    WORKER_PORT: '0',
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_API_URL: simulator.url,
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    DISPATCH_RATE_PER_SECOND: '1000',
    DISPATCH_BACKOFF_BASE_SECONDS: '0.02',
    TRACK_INTERVAL_SECONDS: '0.05',
  })
  const [serverUrl, workerUrl] = await Promise.all([
    address(server, 'The server listens'),
    address(worker, 'The worker is at work'),
  ])
  const seen: string[] = []
  async function ask(url: string, init: RequestInit = {}) {
    const reply = await fetch(url, { redirect: 'manual', ...init })
    const text = await reply.text()
    seen.push(`${init.method ?? 'GET'} ${url} ${reply.status} ${JSON.stringify([...reply.headers])} ${text}`)
    // biome-ignore lint/suspicious/noExplicitAny: a test looks into it and fails on what is not there
    return { status: reply.status, text, json: () => JSON.parse(text) as any }
  }
  const bearer = { authorization: `Bearer ${SENTINEL.api}`, 'content-type': 'application/json' }
  async function promote(model: string, state: string, fault?: Fault): Promise<string> {
    if (fault) simulator.fault(fault)
    const body = JSON.stringify({ model, version: '1', accuracy: 0.9 })
    const { id } = (await ask(`${serverUrl}/v1/promotions`, { method: 'POST', headers: bearer, body })).json()
    await until(`${model} to be ${state}`, async () => {
      const reply = await fetch(`${serverUrl}/v1/promotions/${id}`, { headers: bearer })
      const { state: now, reason } = (await reply.json()) as { state: string; reason: string }
      return now === state || reason.includes(state)
    })
    return id
  }

  const echo = '{{authorization}}'
  const headers = {
    'x-github-request-id': SENTINEL.token,
    'x-accepted-github-permissions': `actions=${SENTINEL.token}`,
    deprecation: `Sat, 01 Jan 2028 00:00:00 GMT; ${encodeURIComponent(SENTINEL.token)}`,
    link: `<https://x.example/${SENTINEL.token}>; rel="deprecation"`,
    'x-echo': `Bearer ${SENTINEL.token}`,
  }
  const body = { message: `you sent ${echo}`, errors: [echo], [echo]: { nested: echo } }
  const status = (code: number, more: Partial<Fault> = {}): Fault => ({
    kind: 'status-before',
    status: code,
    headers,
    body,
    ...more,
  })
  // A run that is known by its id first: it proves that runs show the promotion's id, and nobody waits for a doubt.
  await promote('known', 'deployed')
  await promote('rejected', 'dead_lettered', status(422))
  await promote(
    'as-page',
    'its run is looked for',
    status(500, { kind: 'status-after', body: `<h1>${echo}</h1>` }),
  )
  await promote('bad-gateway', 'its run is looked for', status(502))
  await promote(
    'link',
    'dispatched',
    status(200, { body: { workflow_run_id: 77, html_url: `https://x.example/${echo}` } }),
  )
  simulator.fault(status(500, { on: 'get-run', times: 3 }))
  await promote('followed', 'deployed')
  await promote('unreadable', 'its run is looked for', status(200, { body: `${echo} {` }))
  writeFileSync(tokenFile, `${SENTINEL.rotated}\n`)
  await promote('rotated', 'dead_lettered', status(422))
  await promote('forbidden', 'waiting until it is mended', status(403))

  // The faults were felt, and something of them was kept: else this test would show nothing.
  expect(simulator.log.filter(({ fault }) => fault !== undefined).length).toBeGreaterThanOrEqual(9)
  const { promotions } = (await ask(`${serverUrl}/v1/promotions`, { headers: bearer })).json()
  expect(JSON.stringify(promotions)).toContain('you sent Bearer [redacted]')

  // Whatever can be asked of the API, rightly and wrongly.
  for (const { id } of promotions) await ask(`${serverUrl}/v1/promotions/${id}`, { headers: bearer })
  for (const init of [
    { headers: bearer },
    { headers: { authorization: `Bearer ${SENTINEL.api}x` } },
    { method: 'POST', headers: bearer, body: '{' },
    { method: 'DELETE', headers: bearer },
  ]) {
    for (const where of ['/v1/promotions', '/v1/targets', '/v1/nothing', '/nothing'])
      await ask(serverUrl + where, init)
  }
  for (const url of [serverUrl, workerUrl]) {
    for (const where of ['/healthz', '/readyz', '/metrics', '/nothing']) await ask(url + where)
  }
  // The dashboard, as who is logged in sees it.
  const basic = { authorization: `Basic ${Buffer.from(`ops:${SENTINEL.ops}`).toString('base64')}` }
  await ask(`${serverUrl}/queues`, { headers: basic })
  await ask(`${serverUrl}/queues`, { headers: { authorization: `${basic.authorization}x` } })
  const board = `${serverUrl}/queues/api`
  await ask(`${board}/redis/stats`, { headers: basic })
  const names = ['promotions', 'tracking', 'dead-letters', 'feedback']
  await until('everybody was told of something', () => {
    const asked = new Set(told.received.map(({ path: where }) => where))
    return asked.has('/events') && asked.has(SENTINEL.chatPath) && asked.size > 2
  })
  let jobs = 0
  for (const name of names) {
    for (const queueState of ['latest', 'failed', 'delayed', 'completed', 'active', 'waiting']) {
      const page = await ask(`${board}/queues?activeQueue=${name}&status=${queueState}&jobsPerPage=50`, {
        headers: basic,
      })
      const { queues } = page.json()
      for (const job of queues.find((one: { name: string }) => one.name === name)?.jobs ?? []) {
        jobs++
        await ask(`${board}/queues/${name}/${job.id}`, { headers: basic })
        await ask(`${board}/queues/${name}/${job.id}/logs`, { headers: basic })
      }
    }
    await ask(`${board}/queues/${name}/workers`, { headers: basic })
    await ask(`${board}/queues/${name}/metrics?type=failed`, { headers: basic })
  }
  expect(jobs).toBeGreaterThanOrEqual(5)
  expect(
    seen.some((page) => page.includes('you sent Bearer [redacted]') && page.includes('dead-letters')),
  ).toBe(true)
  // Of the log-in what stands before the password may be told.
  for (const words of [/at \[redacted\] you sent/, /you sent Basic \w*\[redacted\]/])
    expect([words, seen.some((page) => words.test(page))]).toEqual([words, true])

  server.kill('SIGTERM')
  worker.kill('SIGTERM')
  expect([await server.end(), await worker.end()]).toEqual([0, 0])
  const redis = new Redis(redisUrl, { replyMapping: 'legacy' })
  onTestFinished(() => redis.disconnect())
  const dump = await dumpOf(redis)
  expect(dump).toContain('you sent Bearer [redacted]')
  expect(worker.stdout).toContain('you sent Bearer [redacted]')
  const places = { dump, pages: seen.join('\n') }
  const logs = { server: server.stdout + server.stderr, worker: worker.stdout + worker.stderr }
  for (const [place, text] of Object.entries({ ...places, ...logs })) {
    expect([place, text.length > 100, leaksIn(text)]).toEqual([place, true, []])
  }
}, 60_000)

test('a Redis that does not take the password is told of without the password', async () => {
  const own = await startPrivateRedis({ config: ['requirepass another'] })
  onTestFinished(own.stop)
  const REDIS_URL = `redis://:${encodeURIComponent(SENTINEL.redis)}@127.0.0.1:${own.port}/0`
  const env = { REDIS_URL, RELAY_API_TOKEN: SENTINEL.api, OPS_PASSWORD: SENTINEL.ops, LOG_LEVEL: 'trace' }
  const server = startProgram(NODE, [LAUNCHER, 'serve'], { env: { ...env, PORT: '0' } })
  const worker = startProgram(NODE, [LAUNCHER, 'work'], { env: { ...env, WORKER_PORT: '0' } })
  const promote = await run(NODE, [LAUNCHER, 'promote', '--model', 'm', '--version', '1'], { env })
  expect(promote.code).toBe(3)
  for (const program of [server, worker]) {
    await until('the fault in the log', () => program.stdout.includes('WRONGPASS'))
    program.kill('SIGKILL')
    await program.end()
  }
  const said = [server, worker, promote].map(({ stdout, stderr }) => stdout + stderr).join('\n')
  expect(leaksIn(said)).toEqual([])
}, 40_000)
