// An attempt whose end nobody knows: its run is found and adopted, or proven absent and the promotion sent again, or a
// person is asked. The judge is the simulator's own log: never a second run.
import { expect, test } from 'vitest'
import type { Fault } from '../github-simulator/simulator.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const pauses = { sendDeadlineMs: 1_000, dispatchTimeoutMs: 500 }
/** From an intent until absence can be said at the soonest, with the patience of the tests' settings. */
const CERTAIN_AFTER_MS = pauses.sendDeadlineMs + pauses.dispatchTimeoutMs + 300

const UNNAMED = { workflows: [{ file: 'cd_pipeline.yml', runName: false }] }

/** Sweeps, another worker and other promotions come and go: what a person must settle stays as it is. */
async function timeGoesBy(relay: Relay): Promise<void> {
  await relay.startWorker({ pauses: { sweepMs: 10, settleMs: 0 } })
  await relay.ends(await relay.promote('1', { model: 'churn' }))
  await relay.ends(await relay.promote('2', { model: 'churn' }))
  await relay.idle()
}

/** Somebody starts the workflow by hand. */
async function foreignRun(relay: Relay): Promise<void> {
  const path = '/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches'
  const answer = await fetch(relay.simulator.url + path, {
    method: 'POST',
    headers: { authorization: 'Bearer ghp_by-hand' },
    body: JSON.stringify({ ref: 'main', inputs: { model_version: 'by hand' } }),
  })
  expect(answer.status).toBe(204)
}

function dispatchesOf(relay: Relay, id: string) {
  return relay.simulator.dispatches().filter(({ body }) => JSON.stringify(body).includes(id))
}

function runsOf(relay: Relay, id: string) {
  return relay.simulator.runs.filter(({ inputs }) => inputs.promotion_id === id)
}

async function told(relay: Relay, id: string): Promise<string[]> {
  return (await relay.reader.timeline(id)).map(({ what }) => what)
}

const RUN_STARTED: [string, Fault][] = [
  ['a 500 after the run was started', { kind: 'status-after', status: 500 }],
  ['a 502 after the run was started', { kind: 'status-after', status: 502 }],
  ['a connection reset after the run was started', { kind: 'reset-after' }],
  ['silence after the run was started', { kind: 'hang-after' }],
  ['a 200 that can not be read', { kind: 'unreadable' }],
  ['silence, and the run is started later', { kind: 'late-create', delayMs: 700 }],
]

const NO_RUN: [string, Fault][] = [
  ['a 500 before anything was started', { kind: 'status-before', status: 500 }],
  ['a connection reset before anything was started', { kind: 'reset-before' }],
  ['silence', { kind: 'hang-before' }],
]

test.each(RUN_STARTED)(
  'after %s the run is found by the promotion id in its title, and adopted',
  async (_, fault) => {
    const relay = await startRelay({ pauses })
    relay.simulator.fault(fault)
    const id = await relay.promote('5')

    const end = await relay.ends(id)

    const runId = String(runsOf(relay, id)[0]?.id)
    expect(end).toMatchObject({ state: 'deployed', attempts: 1, deadLetters: 0, runId })
    expect(await told(relay, id)).toEqual(expect.arrayContaining(['in_doubt', 'found', 'dispatched']))
    await relay.idle()
    expect(dispatchesOf(relay, id)).toHaveLength(1)
    expect(runsOf(relay, id)).toHaveLength(1)
  },
)

test.each(NO_RUN)(
  'after %s it is proven absent after patience, then sent again, and once',
  async (_, fault) => {
    const relay = await startRelay({ pauses })
    relay.simulator.fault(fault)
    const id = await relay.promote('5')

    const end = await relay.ends(id)

    expect(end).toMatchObject({ state: 'deployed', attempts: 2, deadLetters: 0 })
    expect(await told(relay, id)).toEqual(expect.arrayContaining(['in_doubt', 'absent']))
    await relay.idle()
    const [first, second, ...more] = dispatchesOf(relay, id)
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(
      CERTAIN_AFTER_MS - pauses.sendDeadlineMs,
    )
    expect(more).toEqual([])
    expect(runsOf(relay, id)).toHaveLength(1)
  },
)

test.each(RUN_STARTED)(
  'where titles show no promotion ids, after %s a person is asked, and there is one run for good',
  async (_, fault) => {
    const relay = await startRelay({ pauses, simulator: UNNAMED })
    relay.simulator.fault(fault)
    const id = await relay.promote('5')

    const unresolved = await relay.reaches(id, 'unresolved')
    await timeGoesBy(relay)

    expect(unresolved).toMatchObject({ attempts: 1, deadLetters: 1 })
    expect(unresolved.reason).toContain(`run ${runsOf(relay, id)[0]?.id} may be its own`)
    expect(await relay.reader.promotion(id)).toMatchObject({ state: 'unresolved', deadLetters: 1 })
    expect(dispatchesOf(relay, id)).toHaveLength(1)
    expect(runsOf(relay, id)).toHaveLength(1)
    expect((await relay.parked(id)).data.next).toMatch(/promotion-relay resolve/)
  },
)

test('where titles show no promotion ids, one that is proven absent is sent again; others wait for that', async () => {
  const relay = await startRelay({ pauses, simulator: UNNAMED })
  relay.simulator.fault({ kind: 'status-before', status: 500 })
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'resolving')
  const other = await relay.promote('1', { model: 'churn' })
  await relay.waitsFor(other, 'resolving_other')

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2, deadLetters: 0 })
  expect(await relay.ends(other)).toMatchObject({ state: 'deployed', attempts: 1 })

  expect(runsOf(relay, id)).toHaveLength(1)
  expect(runsOf(relay, other)).toHaveLength(1)
})

test('a run started by hand meanwhile is no trouble where titles are proven to show promotion ids', async () => {
  const relay = await startRelay({ pauses })
  await relay.ends(await relay.promote('4'))
  relay.simulator.fault({ kind: 'status-before', status: 500 })
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'resolving')
  await foreignRun(relay)

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2, deadLetters: 0 })

  expect(runsOf(relay, id)).toHaveLength(1)
})

test('a run started by hand meanwhile may be its own where nothing is proven yet: a person is asked', async () => {
  const relay = await startRelay({ pauses })
  relay.simulator.fault({ kind: 'status-before', status: 500 })
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'resolving')
  await foreignRun(relay)

  await relay.reaches(id, 'unresolved')

  expect(dispatchesOf(relay, id)).toHaveLength(1)
})

test('a listing that GitHub does not give proves nothing: the promotion stays in doubt until it does', async () => {
  const relay = await startRelay({ pauses })
  relay.simulator.fault({ kind: 'status-after', status: 500 })
  relay.simulator.fault({ kind: 'status-before', status: 503, on: 'list-runs', times: 60 })
  const id = await relay.promote('5')

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })

  const refused = relay.simulator.log.filter(({ path, status }) => path.includes('/runs?') && status === 503)
  expect(refused).toHaveLength(60)
  expect(dispatchesOf(relay, id)).toHaveLength(1)
})

test('attempts that start nothing end in a dead letter that tells each, and leave patience between them', async () => {
  const quick = { sendDeadlineMs: 600, dispatchTimeoutMs: 100 }
  const relay = await startRelay({ pauses: quick, env: { DISPATCH_MAX_ATTEMPTS: '8' } })
  relay.simulator.fault({ kind: 'status-before', status: 500, times: Number.POSITIVE_INFINITY })
  const id = await relay.promote('5')

  const dead = await relay.reaches(id, 'dead_lettered', 60_000)

  expect(dead).toMatchObject({ attempts: 8, deadLetters: 1, reason: '8 attempts started no run' })
  const sent = dispatchesOf(relay, id)
  expect(sent.map(({ status }) => status)).toEqual(Array(8).fill(500))
  for (const [n, { at }] of sent.slice(1).entries())
    expect(at - (sent[n]?.at ?? 0), `gap ${n + 1}`).toBeGreaterThanOrEqual(100 + 300)
  const outcomes = (await told(relay, id)).filter((what) => what === 'absent')
  expect(outcomes).toHaveLength(8)
  const job = await relay.parked(id)
  expect(job.failedReason).toBe(dead.reason)
  const attempts = job.data.attempts as { attempt: number; outcome: string; status: number }[]
  expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  for (const one of attempts) expect(one).toMatchObject({ outcome: 'unknown', status: 500 })
  await relay.idle()
  expect(dispatchesOf(relay, id)).toHaveLength(8)
  expect(relay.simulator.runs).toEqual([])
}, 90_000)

test('one that is proven absent gives way to a newer version, and that one is sent alone', async () => {
  const relay = await startRelay({ pauses })
  relay.simulator.fault({ kind: 'status-before', status: 500 })
  const older = await relay.promote('5')
  await relay.waitsFor(older, 'resolving')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')

  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })

  expect(await relay.ends(older)).toMatchObject({ state: 'superseded', attempts: 1 })
  expect(relay.versionsRun()).toEqual(['6'])
})

test('a newer version waits behind an unresolved one until a person names its run', async () => {
  const relay = await startRelay({ pauses, simulator: UNNAMED })
  relay.simulator.fault({ kind: 'status-after', status: 500 })
  const id = await relay.promote('5')
  await relay.reaches(id, 'unresolved')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')
  expect(relay.versionsRun()).toEqual(['5'])

  const runId = String(relay.simulator.runs[0]?.id)
  expect(await relay.ledger.settle(id, { runId }, 'eve')).toMatchObject({ kind: 'track' })

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', runId })
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('an unresolved promotion that a person says is absent is sent again, and once', async () => {
  const relay = await startRelay({ pauses: { ...pauses, settleMs: 0, sweepMs: 50 } })
  relay.simulator.fault({ kind: 'status-before', status: 500 })
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'resolving')
  await foreignRun(relay)
  await relay.reaches(id, 'unresolved')
  await relay.parked(id)

  expect(await relay.ledger.settle(id, { absent: true }, 'eve')).toMatchObject({ kind: 'accepted' })

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2 })
  await relay.idle()
  expect(runsOf(relay, id)).toHaveLength(1)
  await until('its dead letter is gone', async () => (await relay.queues.deadLetters.getFailedCount()) === 0)
})

test('Retry on an unresolved promotion looks for its run again and sends nothing', async () => {
  const relay = await startRelay({ pauses: { ...pauses, settleMs: 0, sweepMs: 50 }, simulator: UNNAMED })
  relay.simulator.fault({ kind: 'status-after', status: 500 })
  const id = await relay.promote('5')
  await relay.reaches(id, 'unresolved')

  await (await relay.parked(id)).retry()

  const second = await relay.parked(id, 2)
  expect(second.failedReason).toMatch(/may be its own/)
  expect(await relay.reader.promotion(id)).toMatchObject({ state: 'unresolved', attempts: 1 })
  expect(dispatchesOf(relay, id)).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test("GitHub's answer is kept, and what it echoes of our token is not", async () => {
  const relay = await startRelay({ env: { GITHUB_TOKEN: 'ghp_sentinel-token-7' } })
  relay.simulator.fault({
    kind: 'status-before',
    status: 422,
    message: 'no good: {{authorization}}',
    headers: { 'x-echo': 'ghp_sentinel-token-7' },
  })
  const id = await relay.promote('5')

  const dead = await relay.reaches(id, 'dead_lettered')
  await relay.parked(id)

  expect(dead.reason).toBe('GitHub answered 422: no good: Bearer [redacted]')
  const everything = await Promise.all(
    (await relay.redis.keys('*')).map(async (key) => (await relay.redis.dump(key))?.toString() ?? ''),
  )
  expect(everything.join() + JSON.stringify(relay.lines)).not.toContain('sentinel')
})

test("GitHub's answer may end anywhere in the middle of a character", async () => {
  const relay = await startRelay()
  relay.simulator.fault({ kind: 'status-before', status: 422, message: `${'x'.repeat(499)}🦀 and more` })
  const body = '{"message": "half \\ud83e a character"}'
  relay.simulator.fault({
    kind: 'status-before',
    status: 422,
    body,
    headers: { 'content-type': 'application/json' },
  })

  await relay.reaches(await relay.promote('5'), 'dead_lettered')
  await relay.reaches(await relay.promote('6'), 'dead_lettered')
})
