// Traces of real processes: off they cost nothing, on they go from one process to the next, and whoever receives them
// may be away, hang, or echo what it was sent.
import { expect, test, vi } from 'vitest'
import { openOtlpReceiver } from '../support/otlp-receiver.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { CLI, NODE, type Program, run, startProgram } from '../support/up.ts'

const API_TOKEN = 'api-token-0001'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`
/** Less than the ten seconds that an exporter waits by itself, and much more than all takes on a busy machine. */
const QUICK_MS = 8_000

/** Several processes each. */
vi.setConfig({ testTimeout: 60_000 })

/** Tells on standard error of each module of OpenTelemetry's SDK that is loaded; its API comes with prom-client. */
const TELL_MODULES = `--import=data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  import { writeSync } from 'node:fs'
  registerHooks({
    load(url, context, next) {
      if (/@opentelemetry.(?!api)|standalone.opentelemetry/.test(url)) writeSync(2, 'loads ' + url + '\\n')
      return next(url, context)
    },
  })`)}`

type Env = Record<string, string>

/** `serve` and `work` on a relay without a worker of its own. */
async function startProcesses(relay: Relay, env: Env, nodeFlags: readonly string[] = []) {
  const shared = { REDIS_URL: relay.redisUrl, LOG_LEVEL: 'trace', ...env }
  const start = (command: string, more: Env) =>
    startProgram(NODE, [...nodeFlags, CLI, command], { env: { ...shared, ...more } })
  const server = start('serve', { PORT: '0', RELAY_API_TOKEN: API_TOKEN, OPS_PASSWORD: 'ops-password' })
  const worker = start('work', {
    WORKER_PORT: '0',
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_TOKEN: 'ghp_test-token-0001',
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    GITHUB_API_URL: relay.simulator.url,
    DISPATCH_RATE_PER_SECOND: '1000',
    TRACK_INTERVAL_SECONDS: '0.05',
  })
  const url = await addressOf(server, 'The server listens')
  await addressOf(worker, 'The worker is at work')
  return {
    server,
    worker,
    said: () => [server, worker].map(({ stdout, stderr }) => stdout + stderr).join('\n'),
    complaints: () => server.stderr + worker.stderr,
    /** By the command line. */
    async promote(version: string, more: Env = {}) {
      const flags = ['--model', 'fraud-detector', '--version', version, '--url', url, '--json']
      const { code, stdout, stderr, tookMs } = await run(NODE, [...nodeFlags, CLI, 'promote', ...flags], {
        env: { ...env, DATA_DIR: '/nowhere/relay', RELAY_API_TOKEN: API_TOKEN, ...more },
      })
      expect(code).toBe(0)
      return { id: JSON.parse(stdout).id as string, stderr, tookMs }
    },
    /** @returns how long it took, ms */
    async end(): Promise<number> {
      const asOf = performance.now()
      for (const program of [server, worker]) program.kill('SIGTERM')
      expect([await server.end(), await worker.end()]).toEqual([0, 0])
      return performance.now() - asOf
    },
  }
}

function addressOf(program: Program, words: string): Promise<string> {
  return until(words, () => {
    if (program.ended !== undefined) throw new Error(`it ended: ${program.stdout}${program.stderr}`)
    const line = program.stdout.split('\n').find((one) => one.includes(words))
    return line && (JSON.parse(line).url as string)
  })
}

test('without an endpoint nothing of the SDK is loaded', async () => {
  const relay = await startRelay({ workers: 0 })
  const processes = await startProcesses(relay, {}, [TELL_MODULES])
  const { id, stderr } = await processes.promote('5', { TRACEPARENT })
  await relay.reaches(id, 'deployed')
  await processes.end()
  expect([stderr, processes.complaints()]).toEqual(['', ''])
})

test('with an endpoint one trace goes from the command line over server and worker; promote itself loads nothing of it', async () => {
  const relay = await startRelay({ workers: 0 })
  const receiver = await openOtlpReceiver()
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
  const processes = await startProcesses(relay, env, [TELL_MODULES])
  const { id, stderr } = await processes.promote('5', { TRACEPARENT })
  await relay.reaches(id, 'deployed')
  await processes.end()
  expect(stderr).toBe('')
  expect(processes.complaints()).toContain('@opentelemetry/sdk-trace')
  const spans = ['accept', 'dispatch', 'deployment'].flatMap((name) => receiver.named(name))
  expect(spans.map(({ name, traceId }) => [name, traceId])).toEqual([
    ['accept', TRACE],
    ['dispatch', TRACE],
    ['deployment', TRACE],
  ])
  const instances = spans.map(({ resource }) => resource['service.instance.id'])
  expect(instances).toEqual([processes.server, processes.worker, processes.worker].map(instanceOf))
})

test('the names of service and resource are those of the environment', async () => {
  const relay = await startRelay({ workers: 0 })
  const receiver = await openOtlpReceiver()
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=of-resource,team=fraud%20detection,service.instance.id=blue',
  }
  const named = { OTEL_SERVICE_NAME: 'relay-of-fraud' }
  for (const [given, name] of [
    [env, 'of-resource'],
    [{ ...env, ...named }, 'relay-of-fraud'],
  ] as const) {
    receiver.spans.length = 0
    const processes = await startProcesses(relay, given)
    await processes.promote(name)
    await processes.end()
    expect(receiver.named('accept')[0]?.resource).toMatchObject({
      'service.name': name,
      'service.instance.id': 'blue',
      team: 'fraud detection',
    })
  }
})

test.each<[what: string, endpoint: () => Promise<string>]>([
  ['is away', async () => 'http://127.0.0.1:1'],
  [
    'hangs',
    async () => {
      const receiver = await openOtlpReceiver()
      receiver.answers = 'never'
      return receiver.url
    },
  ],
])('an endpoint that %s delays neither a promotion nor the end of a process', async (_, endpoint) => {
  const relay = await startRelay({ workers: 0 })
  const processes = await startProcesses(relay, { OTEL_EXPORTER_OTLP_ENDPOINT: await endpoint() })
  const asOf = performance.now()
  const { id } = await processes.promote('5')
  await relay.reaches(id, 'deployed')
  const tookMs = performance.now() - asOf
  const endedMs = await processes.end()
  expect([tookMs < QUICK_MS, endedMs < QUICK_MS]).toEqual([true, true])
  expect(processes.complaints()).toBe('')
  expect(processes.said().match(/Traces are lost/g)?.length ?? 0).toBeLessThanOrEqual(2)
})

test('keys in the headers of OpenTelemetry never show, not where they are refused and echoed either', async () => {
  const keys = ['sentinel-key-of-all-0001', 'sentinel-password-0002', 'sentinel-key-of-traces-0003']
  const basic = Buffer.from(`user:${keys[1]}`).toString('base64')
  const relay = await startRelay({ workers: 0 })
  const receiver = await openOtlpReceiver()
  receiver.answers = 401
  receiver.echoes = ['api-key', 'authorization', 'x-key']
  const [, address] = receiver.url.split('//')
  const processes = await startProcesses(relay, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:sentinel-address-0004@${address}`,
    OTEL_EXPORTER_OTLP_HEADERS: `api-key=${keys[0]},authorization=Basic%20${encodeURIComponent(basic)}`,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: `x-key=${keys[2]}`,
  })
  const { id } = await processes.promote('5')
  await relay.reaches(id, 'deployed')
  await processes.end()
  expect(receiver.requests.length).toBeGreaterThanOrEqual(2)
  expect(receiver.requests[0]?.headers).toMatchObject({ 'api-key': keys[0], 'x-key': keys[2] })
  expect(processes.said()).toContain('you sent [redacted] [redacted] [redacted]')
  expect(processes.said()).not.toMatch(/sentinel|c2VudGluZWw/)
  expect(processes.said()).not.toContain(basic)
})

function instanceOf(program: Program): unknown {
  return expect.stringMatching(new RegExp(`-${program.pid}$`))
}
