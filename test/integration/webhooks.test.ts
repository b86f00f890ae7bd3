// Runs followed by GitHub's webhooks: the simulator signs and sends them, a server takes them in, a worker acts on them.
import { describe, expect, test } from 'vitest'
import { addRunEventJob } from '../../shared/queues.ts'
import type { RunEvent } from '../../shared/run-event.ts'
import { signatureOf } from '../github-simulator/webhook-post.ts'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { setup as startServer } from './http-setup.ts'

const SECRET = 'sentinel-webhook-secret'
/** The poll and the resolver come too late for any test: what is seen here was told by a webhook. */
const ONLY_WEBHOOKS: RelayOptions = {
  env: { TRACK_INTERVAL_SECONDS: '3600' },
  pauses: { sweepMs: 600_000, resolveMs: 600_000 },
}
const SLOW_RUNS = { simulator: { queuedMs: 0, runMs: 600_000 } }

/** A relay whose server is told by the simulator. */
async function setup(options: RelayOptions = {}, secrets = SECRET) {
  const relay = await startRelay(options)
  const env = { GITHUB_WEBHOOK_SECRET: secrets }
  const server = await startServer({ redisUrl: relay.redisUrl, env })
  relay.simulator.subscribe({ url: `${server.url}/v1/webhooks/github`, secret: SECRET })
  return { relay, server }
}

async function delivered(relay: Relay, count: number) {
  await until(`${count} deliveries are over`, () => {
    const over = relay.simulator.deliveries.filter(({ status }) => status !== 'sending')
    return over.length >= count
  })
}

/** What somebody says of an attempt that GitHub does not show. */
function madeUp({ id, runId, status }: { id: string; runId: string; status: string }): RunEvent {
  return {
    delivery: '',
    repository: 'acme/models',
    workflows: ['cd_pipeline.yml'],
    runId,
    runAttempt: 9,
    status,
    over: status === 'completed',
    updatedAt: Date.now() + 60_000,
    promotionIds: [id],
  }
}

const reads = (relay: Relay) => relay.simulator.log.filter(({ method }) => method === 'GET')

test('by webhooks alone a promotion is followed to its end, with two calls of the API', async () => {
  const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS })
  const id = await relay.promote('5')
  await until(
    'it is seen to run',
    async () => (await relay.reader.promotion(id))?.runStatus === 'in_progress',
  )

  relay.simulator.complete(relay.simulator.runs[0]?.id ?? 0)

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', conclusion: 'success' })
  expect(await relay.reader.targets(10)).toMatchObject([{ live: '5' }])
  expect(relay.simulator.log.map(({ method }) => method)).toEqual(['POST', 'GET'])
})

test('told by webhooks and found by the poll, an end counts once', async () => {
  const { relay } = await setup()
  for (const version of ['5', '6', '7']) await relay.ends(await relay.promote(version))
  await delivered(relay, 9)
  await relay.idle()

  expect(relay.counted.deployments).toEqual(['success', 'success', 'success'])
  expect(await relay.reader.counters()).toMatchObject({ 'deployments:success': 3 })
})

test('the next version goes out when a webhook tells the end of the one before', async () => {
  const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS })
  const older = await relay.promote('5')
  await relay.reaches(older, 'dispatched')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')

  relay.simulator.complete(relay.simulator.runs[0]?.id ?? 0)

  await relay.reaches(newer, 'dispatched')
  relay.simulator.complete(relay.simulator.runs[1]?.id ?? 0)
  await relay.ends(newer)
})

describe('the poll', () => {
  const look = (relay: Relay) => relay.simulator.log.filter(({ path }) => path.includes('/actions/runs/'))

  test('asks conditionally: a run that is as it was costs nothing of the rate limit', async () => {
    const relay = await startRelay(SLOW_RUNS)
    const id = await relay.promote('5')
    await until('it was asked for several times', () => look(relay).length >= 4)
    relay.simulator.complete(relay.simulator.runs[0]?.id ?? 0)
    await relay.ends(id)

    const statuses = look(relay).map(({ status }) => status)
    expect(statuses[0]).toBe(200)
    expect(statuses.at(-1)).toBe(200)
    expect(new Set(statuses.slice(1, -1))).toEqual(new Set([304]))
  })

  test('is the backstop only, once webhooks are seen to arrive', async () => {
    const { relay } = await setup({ ...SLOW_RUNS, env: { TRACK_INTERVAL_SECONDS: '0.2' } })
    const id = await relay.promote('5')
    const webhooksArrive = () => relay.redis.exists('{relay:0}:hooked:acme/models/cd_pipeline.yml')
    await until('webhooks are seen', webhooksArrive)
    await until(
      'it is seen to run',
      async () => (await relay.reader.promotion(id))?.runStatus === 'in_progress',
    )
    await until('the poll has had its first turn, and comes again in 12 s', async () => {
      const [job] = await relay.queues.tracking.getDelayed()
      return job?.name === 'track' && (job.delay ?? 0) === 12_000
    })
    expect(look(relay).length).toBeLessThanOrEqual(1)

    relay.simulator.complete(relay.simulator.runs[0]?.id ?? 0)
    await relay.ends(id)
    expect(await webhooksArrive()).toBe(1)
  })

  test('is as close as before, once it has found an end that no webhook told', async () => {
    const { relay } = await setup()
    await relay.redis.set('{relay:0}:hooked:acme/models/cd_pipeline.yml', '1')
    relay.simulator.webhookFault({ kind: 'dropped', times: Number.POSITIVE_INFINITY })

    await relay.ends(await relay.promote('5'))

    await until('webhooks count as missed', async () => {
      return (await relay.redis.exists('{relay:0}:hooked:acme/models/cd_pipeline.yml')) === 0
    })
  })
})

describe('before its own answer', () => {
  test.each([
    ['whose title shows its id', true],
    ['whose title shows nothing', false],
  ])('a run %s may have completed, and its end is not lost', async (_, runName) => {
    const { relay } = await setup(ONLY_WEBHOOKS)
    relay.simulator.setWorkflow('cd_pipeline.yml', { runName })
    relay.simulator.fault({ kind: 'slow', delayMs: 700 })

    const id = await relay.promote('5')
    await delivered(relay, 3)
    expect(await relay.reader.promotion(id)).toMatchObject({ state: 'dispatching' })

    expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
    expect(relay.simulator.runs).toHaveLength(1)
  })

  test('a run whose dispatch was answered with a 5xx is taken up, and nothing is sent again', async () => {
    const { relay } = await setup(ONLY_WEBHOOKS)
    relay.simulator.fault({ kind: 'status-after', status: 502 })

    const id = await relay.promote('5')

    expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
    expect(relay.simulator.runs).toHaveLength(1)
    expect(relay.simulator.dispatches()).toHaveLength(1)
  })

  test('a run that came after it counted as absent is taken up, and nothing is sent again', async () => {
    const { relay } = await setup({
      ...ONLY_WEBHOOKS,
      env: {
        ...ONLY_WEBHOOKS.env,
        DISPATCH_BACKOFF_BASE_SECONDS: '3600',
        DISPATCH_BACKOFF_MAX_SECONDS: '3600',
      },
      pauses: { sweepMs: 600_000, resolveMs: 20, sendDeadlineMs: 300, dispatchTimeoutMs: 300 },
    })
    relay.simulator.hold(undefined, 'in_progress')
    relay.simulator.fault({ kind: 'late-create', delayMs: 3_000 })
    const id = await relay.promote('5')
    await relay.waitsFor(id, 'back_off')
    const run = await until('its run is there', () => relay.simulator.runs[0], 10_000)
    await until('it is taken up', async () => (await relay.reader.promotion(id))?.runId === String(run.id))
    relay.simulator.complete(run.id)
    expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
    expect(relay.simulator.runs).toHaveLength(1)
  })

  test('a run that a server does not name is found by its title', async () => {
    const { relay } = await setup({ ...ONLY_WEBHOOKS, simulator: { mode: 'ghes' } })
    const id = await relay.promote('5')

    expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
    expect(reads(relay).every(({ path }) => !path.includes('/workflows/'))).toBe(true)
  })
})

describe('undoes nothing', () => {
  test('what comes late, out of order, twice, or is delivered again after the end', async () => {
    const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS })
    relay.simulator.webhookFault({ kind: 'swapped', action: 'requested' })
    relay.simulator.webhookFault({ kind: 'twice', action: 'completed' })
    const id = await relay.promote('5')
    await delivered(relay, 2)
    await until('both are looked into', async () => {
      const counts = await relay.queues.tracking.getJobCounts('waiting', 'active')
      return Object.values(counts).every((jobs) => jobs === 0)
    })
    expect(await relay.reader.promotion(id)).toMatchObject({ runStatus: 'in_progress' })
    const run = relay.simulator.runs[0]?.id ?? 0
    relay.simulator.complete(run, 'failure')
    const end = await relay.ends(id)
    const timeline = await relay.reader.timeline(id)

    await delivered(relay, 4)
    for (const { id: delivery } of [...relay.simulator.deliveries]) await relay.simulator.redeliver(delivery)
    await relay.idle()

    expect(await relay.reader.promotion(id)).toEqual(end)
    expect(await relay.reader.timeline(id)).toEqual(timeline)
    expect(relay.counted.deployments).toEqual(['failure'])
    expect(reads(relay)).toHaveLength(1)
  })

  test('a run that somebody starts by hand, also with the id of a promotion that has ended', async () => {
    const { relay } = await setup(ONLY_WEBHOOKS)
    const id = await relay.promote('5')
    const end = await relay.ends(id)

    for (const promotionId of ['', id]) {
      const inputs = { model_name: 'fraud-detector', model_version: '4', promotion_id: promotionId }
      const response = await fetch(
        `${relay.simulator.url}/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches`,
        {
          method: 'POST',
          headers: { authorization: 'Bearer somebody' },
          body: JSON.stringify({ ref: 'main', inputs }),
        },
      )
      expect(response.status).toBe(204)
    }
    await delivered(relay, 9)
    await relay.idle()

    expect(await relay.reader.promotion(id)).toEqual(end)
    expect(await relay.reader.targets(10)).toMatchObject([{ live: '5' }])
  })

  test('a late run of a version that has given way is cancelled, and the newer one becomes live', async () => {
    const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS, workers: 0 })
    const older = await relay.promote('5')
    const newer = await relay.promote('6')
    await relay.startWorker()
    await relay.reaches(newer, 'dispatched')

    const inputs = { model_name: 'fraud-detector', model_version: '5', promotion_id: older }
    await fetch(`${relay.simulator.url}/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches`, {
      method: 'POST',
      headers: { authorization: 'Bearer somebody' },
      body: JSON.stringify({ ref: 'main', inputs }),
    })

    await until('it is cancelled', () => relay.simulator.runs[1]?.conclusion === 'cancelled')
    relay.simulator.complete(relay.simulator.runs[0]?.id ?? 0)
    await relay.ends(newer)
    expect(await relay.reader.targets(10)).toMatchObject([{ live: '6' }])
    expect(await relay.reader.promotion(older)).toMatchObject({ state: 'superseded' })
    const told = relay.lines.find(({ level, promotionId }) => level === 'error' && promotionId === older)
    expect(told?.msg).toBe('A version that had given way was started late: its run is cancelled')
  })

  test('an end that GitHub does not show is none, whoever says so', async () => {
    const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS })
    const id = await relay.promote('5')
    const { runId = '' } = await relay.reaches(id, 'dispatched')
    await addRunEventJob(relay.queues.tracking, madeUp({ id, runId, status: 'completed' }))
    await until('it was looked at', () => reads(relay).length > 2)

    expect(await relay.reader.promotion(id)).toMatchObject({ state: 'dispatched' })
  })

  test('an attempt that GitHub does not show outdates no end', async () => {
    const { relay } = await setup({ ...ONLY_WEBHOOKS, ...SLOW_RUNS })
    const id = await relay.promote('5')
    const { runId = '' } = await relay.reaches(id, 'dispatched')
    await addRunEventJob(relay.queues.tracking, madeUp({ id, runId, status: 'queued' }))
    await until('it was looked at', () => reads(relay).length > 0)
    relay.simulator.complete(Number(runId), 'success')

    expect(await relay.ends(id)).toMatchObject({ state: 'deployed', runAttempt: 1 })
  })
})

describe('at the door', () => {
  const RUN = { id: 1, run_attempt: 1, status: 'queued', event: 'workflow_dispatch' }
  const PAYLOAD = JSON.stringify({
    action: 'requested',
    workflow_run: RUN,
    repository: { full_name: 'acme/models' },
  })

  async function door(secrets: string | undefined = SECRET) {
    const server = await startServer({ env: { GITHUB_WEBHOOK_SECRET: secrets } })
    const post = async (body: string, more: Record<string, string> = {}, secret = SECRET) =>
      server.call('POST', '/v1/webhooks/github', {
        body,
        token: null,
        headers: {
          'x-github-event': 'workflow_run',
          'x-github-delivery': '11111111-2222-4333-8444-555555555555',
          'x-hub-signature-256': signatureOf(body, secret),
          ...more,
        },
      })
    const kept = async () => (await server.traces()).filter((key) => /tracking:(event-|\d)/.test(key)).length
    const counted = async () =>
      Object.fromEntries(
        [
          ...(await server.call('GET', '/metrics')).text.matchAll(
            /webhook_deliveries_total\{result="(\w+)"\} (\d+)/g,
          ),
        ].flatMap(([, result = '', count]) => (count === '0' ? [] : [[result, Number(count)]])),
      )
    return { ...server, post, kept, counted }
  }

  test('a signed event is kept and answered at once; the same delivery again is kept once', async () => {
    const { post, kept, counted } = await door()
    expect(await post(PAYLOAD)).toMatchObject({ status: 202, body: { status: 'kept' } })
    expect((await post(PAYLOAD)).status).toBe(202)
    expect(await kept()).toBe(1)
    expect(await counted()).toEqual({ kept: 2 })
  })

  test('while the secret is changed both are good; no other one is', async () => {
    const { post } = await door('former-secret,sentinel-webhook-secret')
    expect((await post(PAYLOAD)).status).toBe(202)
    expect((await post(PAYLOAD, {}, 'former-secret')).status).toBe(202)
    expect((await post(PAYLOAD, {}, 'former-secret,sentinel-webhook-secret')).status).toBe(401)
    expect((await post(PAYLOAD, {}, 'other-secret')).status).toBe(401)
  })

  test.each<[string, Record<string, string>]>([
    ['no signature', { 'x-hub-signature-256': '' }],
    ['the older signature alone', { 'x-hub-signature-256': '', 'x-hub-signature': 'sha1=0011' }],
    ['the signature of another body', { 'x-hub-signature-256': signatureOf(`${PAYLOAD} `, SECRET) }],
    ['half a signature', { 'x-hub-signature-256': signatureOf(PAYLOAD, SECRET).slice(0, 40) }],
    ['two signatures', { 'x-hub-signature-256': `sha256=00, ${signatureOf(PAYLOAD, SECRET)}` }],
    [
      'a bearer token in its place',
      { 'x-hub-signature-256': '', authorization: 'Bearer sentinel-api-token' },
    ],
  ])('%s is refused, and nothing is kept', async (_, headers) => {
    const { post, kept, counted } = await door()
    expect((await post(PAYLOAD, headers)).status).toBe(401)
    expect(await kept()).toBe(0)
    expect(await counted()).toEqual({ forged: 1 })
  })

  test.each<[string, string, Record<string, string>]>([
    ['a ping', '{"zen":"Keep it logically awesome."}', { 'x-github-event': 'ping' }],
    ['another event', PAYLOAD, { 'x-github-event': 'push' }],
    ['a run of CI', PAYLOAD.replace('"workflow_dispatch"', '"push"'), {}],
  ])('%s is answered, and not kept', async (_, body, headers) => {
    const { post, kept, counted } = await door()
    expect(await post(body, headers)).toMatchObject({ status: 202, body: { status: 'ignored' } })
    expect(await kept()).toBe(0)
    expect(await counted()).toEqual({ ignored: 1 })
  })

  test.each<[string, string, number]>([
    ['is no JSON', '{"action":', 400],
    ['is about no run', '{"action":"requested","repository":{"full_name":"acme/models"}}', 400],
    ['has a run without a number', PAYLOAD.replace('"id":1', '"id":"1"'), 400],
    ['is empty', '', 400],
    ['is too large', PAYLOAD.padEnd(1024 * 1024 + 1), 413],
  ])('what %s is refused, though signed', async (_, body, status) => {
    const { post, kept } = await door()
    expect((await post(body)).status).toBe(status)
    expect(await kept()).toBe(0)
  })

  test('a form in place of JSON is refused with the way out', async () => {
    const { post } = await door()
    const reply = await post(`payload=${encodeURIComponent(PAYLOAD)}`, {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(reply).toMatchObject({ status: 415, body: { title: expect.stringContaining('application/json') } })
  })

  test('what GitHub leaves out in its own examples is not missed', async () => {
    const { post } = await door()
    const bare = { action: 'completed', workflow_run: { id: 7 }, repository: { full_name: 'acme/models' } }
    expect((await post(JSON.stringify(bare))).status).toBe(202)
  })

  test('without a secret there is no such door', async () => {
    const { post } = await door('')
    expect(await post(PAYLOAD)).toMatchObject({
      status: 404,
      body: { detail: 'GITHUB_WEBHOOK_SECRET is not set.' },
    })
  })

  test('with Redis away it is not taken, and GitHub is told so within its time', async () => {
    const server = await startServer({
      redisUrl: 'redis://127.0.0.1:1',
      env: { GITHUB_WEBHOOK_SECRET: SECRET },
    })
    const asOf = Date.now()
    const reply = await server.call('POST', '/v1/webhooks/github', {
      body: PAYLOAD,
      headers: { 'x-github-event': 'workflow_run', 'x-hub-signature-256': signatureOf(PAYLOAD, SECRET) },
    })
    expect(reply.status).toBe(503)
    expect(Date.now() - asOf).toBeLessThan(5_000)
  })
})
