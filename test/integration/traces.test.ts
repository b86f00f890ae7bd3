// The way of a promotion as whoever receives traces sees it: one trace from the caller to the end of the deployment.
import { describe, expect, test } from 'vitest'
import { type Environment, loadSettings } from '../../shared/config.ts'
import { createLogger } from '../../shared/logger.ts'
import { startTracing } from '../../standalone/start-tracing.ts'
import { openOtlpReceiver } from '../support/otlp-receiver.ts'
import { type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { setup as startServer } from './http-setup.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const CALLER = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'vendor=of-the-caller' }
const V5 = { model: 'fraud-detector', version: '5', source: 'nightly' }

async function setup({ env, ...options }: RelayOptions & { env?: Environment } = {}) {
  const receiver = await openOtlpReceiver()
  const loaded = loadSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env }, [])
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  const lines: { level: string; msg: string; reason?: string }[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const { tracing, close } = await startTracing({
    settings: loaded.settings,
    redact: (text) => text.replaceAll('nightly', '[redacted]'),
    log: createLogger({ level: 'debug', redact: (text) => text, destination }),
    version: '1.2.3',
    instance: 'host-1',
  })
  const relay = await startRelay({ tracing, ...options })
  return {
    relay,
    receiver,
    tracing,
    lines,
    /** By HTTP, to the server of the same relay. */
    async promote(body: object, headers: Record<string, string> = {}): Promise<string> {
      const api = await startServer({ redisUrl: relay.redisUrl, tracing })
      const reply = await api.promote(body, { headers })
      await api.close()
      return reply.body.id
    },
    /** Everything that was told up to now; nothing is told after that. */
    async told() {
      // A deployment is told after its end is in the ledger.
      await relay.idle()
      await until('no job is under way', async () => {
        const jobs = await relay.queues.tracking.getJobCounts('active', 'waiting', 'delayed')
        return Object.values(jobs).every((count) => count === 0)
      })
      await close()
      return receiver.spans
    },
  }
}

describe('a promotion', () => {
  test('is one trace from its caller over accept to dispatch and deployment', async () => {
    const { relay, receiver, promote, told } = await setup({ simulator: { queuedMs: 0, runMs: 60_000 } })
    const before = Date.now()
    const id = await promote(V5, CALLER)
    const running = async () => (await relay.reader.promotion(id))?.runStatus === 'in_progress'
    await until('it is seen running', running)
    const run = relay.simulator.runs[0]
    relay.simulator.complete(run?.id ?? 0)
    await relay.reaches(id, 'deployed')
    const spans = await told()
    const [accept] = receiver.named('accept')
    const common = {
      traceId: TRACE,
      traceState: CALLER.tracestate,
      failure: '',
      resource: {
        'service.name': 'promotion-relay',
        'service.version': '1.2.3',
        'service.instance.id': 'host-1',
      },
    }
    const about = {
      'promotion_relay.promotion.id': id,
      'promotion_relay.model': 'fraud-detector',
      'promotion_relay.version': '5',
      'deployment.environment.name': 'production',
    }
    const queue = {
      'messaging.system.name': 'bullmq',
      'messaging.destination.name': 'promotions',
      'messaging.message.id': id,
    }
    const pipeline = {
      'vcs.provider.name': 'github',
      'vcs.owner.name': 'acme',
      'vcs.repository.name': 'models',
      'cicd.pipeline.name': 'cd_pipeline.yml',
      'cicd.pipeline.run.id': String(run?.id),
      'cicd.pipeline.run.url.full': expect.stringContaining(`/acme/models/actions/runs/${run?.id}`),
    }
    expect(spans.map(({ name }) => name).sort()).toEqual(['accept', 'deployment', 'dispatch'])
    expect(accept).toMatchObject({
      ...common,
      parentId: SPAN,
      kind: 'producer',
      attributes: {
        ...about,
        ...queue,
        'messaging.operation.name': 'accept',
        'messaging.operation.type': 'send',
        'promotion_relay.accept.status': 'accepted',
      },
    })
    expect(receiver.named('dispatch')).toMatchObject([
      {
        ...common,
        parentId: accept?.spanId,
        kind: 'consumer',
        attributes: {
          ...about,
          ...queue,
          ...pipeline,
          'messaging.operation.name': 'dispatch',
          'messaging.operation.type': 'process',
          'vcs.ref.head.name': 'main',
          'http.response.status_code': 200,
          'promotion_relay.attempt': 1,
          'promotion_relay.outcome': 'dispatched',
          'promotion_relay.followed_by': 'track',
          'promotion_relay.worker': 'worker-1',
        },
      },
    ])
    expect(receiver.named('deployment')).toMatchObject([
      {
        ...common,
        parentId: accept?.spanId,
        kind: 'internal',
        attributes: {
          ...about,
          ...pipeline,
          'cicd.pipeline.result': 'success',
          'deployment.id': id,
          'deployment.status': 'succeeded',
          'promotion_relay.state': 'deployed',
          'promotion_relay.conclusion': 'success',
          'promotion_relay.run.attempt': 1,
        },
        events: [{ name: 'run started' }],
      },
    ])
    // What the redactor knows does not leave here either.
    expect(accept?.attributes['promotion_relay.source']).toBe('[redacted]')

    // As it was. Two clocks, the processes' and Redis's: here they are the same.
    const { dispatchedAt = 0, endedAt } = (await relay.reader.promotion(id)) ?? {}
    const [dispatch, deployment] = [receiver.named('dispatch')[0], receiver.named('deployment')[0]]
    expect([deployment?.start, deployment?.end]).toEqual([dispatchedAt, endedAt])
    const inOrder = (times: (number | undefined)[]) =>
      times.every((at, n) => n === 0 || (at ?? 0) >= (times[n - 1] ?? 0))
    expect([
      inOrder([before, accept?.start, accept?.end]),
      inOrder([accept?.start, dispatch?.start, dispatch?.end, endedAt]),
    ]).toEqual([true, true])
    const started = deployment?.events[0]?.at ?? 0
    expect([started >= dispatchedAt, started <= (endedAt ?? 0)]).toEqual([true, true])
  })

  test('whose caller has no trace is one all the same, and it bears the id of the promotion', async () => {
    const { relay, receiver, promote, told } = await setup()
    const id = await promote(V5, { traceparent: '00-garbage-01' })
    await relay.reaches(id, 'deployed')
    const spans = await told()
    const [accept] = receiver.named('accept')
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([id.replaceAll('-', '')]))
    const parents = spans.filter(({ name }) => name !== 'accept').map(({ parentId }) => parentId)
    expect([accept?.parentId, ...parents]).toEqual(['', accept?.spanId, accept?.spanId])
  })

  test('that a library without traces has put there is one trace too', async () => {
    const { relay, told } = await setup()
    const id = await relay.promote('5')
    await relay.reaches(id, 'deployed')
    const spans = await told()
    expect(spans.map(({ name, traceId, parentId }) => [name, traceId, parentId]).sort()).toEqual([
      ['deployment', id.replaceAll('-', ''), ''],
      ['dispatch', id.replaceAll('-', ''), ''],
    ])
  })

  test('shows each attempt, those that failed as failed', async () => {
    const { relay, receiver, promote, told } = await setup({
      pauses: { sendDeadlineMs: 1_000, dispatchTimeoutMs: 500 },
    })
    relay.simulator.fault({ kind: 'reset-before', times: 1 })
    relay.simulator.fault({
      kind: 'status-before',
      status: 422,
      body: { message: 'Unexpected inputs provided: ["environment"]' },
      times: 1,
    })
    const id = await promote(V5, CALLER)
    await relay.reaches(id, 'deployed')
    await told()
    const [accept] = receiver.named('accept')
    const attempts = receiver.named('dispatch')
    expect(attempts.map(({ parentId }) => parentId)).toEqual(attempts.map(() => accept?.spanId))
    const seen = attempts.map(({ attributes, failure }) => [
      attributes['promotion_relay.attempt'],
      attributes['promotion_relay.outcome'],
      attributes['http.response.status_code'],
      attributes['error.type'],
      failure !== '',
    ])
    expect(seen).toEqual([
      [1, 'unknown', undefined, 'unknown', true],
      [2, 'adjusted', 422, undefined, false],
      [3, 'dispatched', 200, undefined, false],
    ])
  })

  test('goes on in its trace after a redrive', async () => {
    const { relay, receiver, promote, told } = await setup()
    relay.simulator.fault({
      kind: 'status-before',
      status: 422,
      body: { message: 'inputs are too large.' },
      times: 1,
    })
    const id = await promote(V5, CALLER)
    await (await relay.parked(id)).retry()
    await relay.reaches(id, 'deployed')
    const spans = await told()
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]))
    const outcomes = receiver.named('dispatch').map(({ attributes }) => attributes['promotion_relay.outcome'])
    expect(outcomes).toEqual(['rejected', 'dispatched'])
    expect(receiver.named('deployment')).toHaveLength(1)
  })

  test('whose run fails has a deployment that failed', async () => {
    const { relay, receiver, promote, told } = await setup({ simulator: { conclusion: 'failure' } })
    await relay.reaches(await promote(V5), 'failed')
    await told()
    expect(receiver.named('deployment')).toMatchObject([
      {
        failure: 'the run ended: failure',
        attributes: {
          'error.type': 'failure',
          'deployment.status': 'failed',
          'cicd.pipeline.result': 'failure',
        },
      },
    ])
  })

  test('that repeats another one names that one', async () => {
    const { relay, receiver, promote, told } = await setup()
    const id = await promote(V5, CALLER)
    await relay.reaches(id, 'deployed')
    expect(await promote(V5)).toBe(id)
    await told()
    const [first, again] = receiver.named('accept')
    expect(again?.attributes).toMatchObject({
      'promotion_relay.accept.status': 'duplicate',
      'promotion_relay.promotion.id': id,
    })
    expect(again?.traceId).not.toBe(first?.traceId)
  })

  test('tells GitHub nothing of its trace', async () => {
    const { relay, promote, told } = await setup()
    await relay.reaches(await promote(V5, CALLER), 'deployed')
    await told()
    expect(relay.simulator.log.length).toBeGreaterThanOrEqual(2)
    expect(JSON.stringify(relay.simulator.log)).not.toContain(TRACE)
  })
})

describe('settings of OpenTelemetry', () => {
  const one = async (env: Environment, headers = {}) => {
    const it = await setup({ env })
    await it.relay.reaches(await it.promote(V5, headers), 'deployed')
    return { ...it, spans: await it.told() }
  }

  test('a caller that does not sample is followed', async () => {
    const { spans } = await one({}, { traceparent: CALLER.traceparent.replace(/01$/, '00') })
    expect(spans).toEqual([])
  })

  test.each<[sampler: string, arg: string, spans: number]>([
    ['always_off', '', 0],
    ['parentbased_always_off', '', 0],
    ['parentbased_traceidratio', '0', 0],
    ['parentbased_traceidratio', '1', 3],
    ['traceidratio', '0', 0],
    ['always_on', '', 3],
  ])('OTEL_TRACES_SAMPLER %s %s', async (sampler, arg, count) => {
    const { spans } = await one({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: arg })
    expect(spans).toHaveLength(count)
  })

  test('headers are sent, percent-decoded, those for traces before those for all', async () => {
    const { receiver } = await one({
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of-all,authorization=Basic%20dXNlcjpwdw==',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'api-key=of-traces',
    })
    expect(receiver.requests[0]).toMatchObject({
      path: '/v1/traces',
      headers: {
        'api-key': 'of-traces',
        authorization: 'Basic dXNlcjpwdw==',
        'content-type': 'application/x-protobuf',
      },
    })
  })

  test('an endpoint for traces is taken as it stands', async () => {
    const other = await openOtlpReceiver()
    const { receiver } = await one({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${other.url}/own/path` })
    expect(receiver.requests).toEqual([])
    expect(other.requests.map(({ path }) => path)).toEqual(['/own/path'])
  })

  test.each<[what: string, env: Environment, reason: string | undefined]>([
    ['OTEL_SDK_DISABLED', { OTEL_SDK_DISABLED: 'TRUE' }, undefined],
    ['OTEL_TRACES_EXPORTER=none', { OTEL_TRACES_EXPORTER: 'none' }, undefined],
    ['no endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, undefined],
    [
      'another protocol',
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      'of the OTLP protocols only http/protobuf is spoken here',
    ],
    [
      'an endpoint that is no address',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
      'OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address, such as http://localhost:4318',
    ],
  ])('%s leaves traces off, and the relay works', async (_, env, reason) => {
    const { tracing, receiver, lines } = await one(env, CALLER)
    expect([tracing, receiver.requests]).toEqual([undefined, []])
    expect(lines.map((line) => line.reason)).toEqual(reason === undefined ? [] : [reason])
  })

  test('a sampler that is unknown is told of, and another one taken', async () => {
    const { spans, lines } = await one({ OTEL_TRACES_SAMPLER: 'jaeger_remote' })
    expect(spans).toHaveLength(3)
    expect(lines).toMatchObject([{ level: 'warn', reason: expect.stringContaining('OTEL_TRACES_SAMPLER') }])
  })
})

test('whoever refuses traces is told of in one line, however often', async () => {
  const { receiver, tracing, lines, told } = await setup({
    env: { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=of-all' },
  })
  receiver.answers = 401
  const promotion = { ...V5, environment: 'production', rollback: false }
  // As many as go in one request, twice.
  for (let n = 0; n < 1_024; n++) {
    const id = `019ab000-0000-7000-8000-${String(n).padStart(12, '0')}`
    tracing?.accept({ ...promotion, id }, undefined).end(undefined, new Error('too late'))
  }
  await until('it has refused twice', () => receiver.requests.length >= 2)
  await told()
  expect(lines).toMatchObject([
    {
      level: 'warn',
      msg: 'Traces are lost, or not as they should be',
      reason: expect.stringContaining('401'),
    },
  ])
})
