// What a crash leaves between a ledger script and the queue call behind it, and the loss of the queue as a whole.
import { expect, test } from 'vitest'
import { createInvalidJobs } from '../../shared/invalid-jobs.ts'
import { silentLogger } from '../../shared/logger.ts'
import { validatePromotion } from '../../shared/promotion.ts'
import { addPromotedJob, addTrackingJob } from '../../shared/queues.ts'
import { createDeadLetters } from '../../worker/dead-letters/dead-letters.ts'
import { createSweep } from '../../worker/sweep.ts'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const SWEPT = { sweepMs: 50, settleMs: 0 }
/** An attempt that told nothing is soon known to be over. */
const QUICK_DOUBT = { uncertainMs: 500, sendDeadlineMs: 100, dispatchTimeoutMs: 300 }
const SCOPES = ['acme/models', 'acme/models/cd_pipeline.yml']

/** No worker yet: a test puts the ledger where a crash left it, then starts one. */
function setup(options: RelayOptions = {}) {
  return startRelay({ workers: 0, pauses: SWEPT, ...options })
}

/** Accepted, and its job was never added. */
async function accepted(relay: Relay, version: string, model = 'fraud-detector'): Promise<string> {
  const valid = validatePromotion({ model, version })
  if (!valid.ok) throw new Error()
  const id = `crash-${model}-${version}`
  await relay.ledger.accept(id, valid.value)
  return id
}

/** Claimed by a worker that is no more. */
async function claimed(relay: Relay, version: string, model?: string): Promise<string> {
  const id = await accepted(relay, version, model)
  const settings = { enabled: true, repository: 'acme/models', workflow: 'cd_pipeline.yml' }
  const terms = { slotMs: 0, uncertainMs: 40_000, recheckMs: 60_000, maxClaims: 10 }
  const claim = await relay.ledger.claim({ id, token: `t-${id}`, worker: 'dead', ...settings, ...terms })
  expect(claim.kind).toBe('go')
  return id
}

function told(relay: Relay, id: string, next: Parameters<Relay['ledger']['recordOutcome']>[0]['next']) {
  const end = { outcome: next.kind, detail: 'told before the crash', status: 0, scopes: SCOPES }
  const pauses = { fault: false, faultPauseMs: 100, recheckMs: 500 }
  return relay.ledger.recordOutcome({ id, attempt: 1, token: `t-${id}`, next, ...end, ...pauses })
}

/** Dispatches as the dead worker did. @returns the run's id */
async function dispatchByHand(relay: Relay, id: string): Promise<string> {
  const { version, model } = (await relay.reader.promotion(id)) ?? {}
  const inputs = { model_version: version, model_name: model, promotion_id: id }
  const path = '/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches'
  const answer = await fetch(relay.simulator.url + path, {
    method: 'POST',
    headers: { authorization: 'Bearer ghp_by-hand' },
    body: JSON.stringify({ ref: 'main', inputs, return_run_details: true }),
  })
  const { workflow_run_id: runId } = (await answer.json()) as { workflow_run_id: number }
  return String(runId)
}

test('a crash between accept and the job: the promotion gets its job, and one', async () => {
  const relay = await setup()
  const id = await accepted(relay, '5')

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

test('a crash between finish and the wake: the one that waits goes out all the same', async () => {
  const relay = await setup({ pauses: { ...SWEPT, recheckMs: 500 } })
  const older = await claimed(relay, '5')
  const run = await dispatchByHand(relay, older)
  await told(relay, older, { kind: 'track', runId: run })
  const first = await relay.startWorker()
  relay.simulator.hold(Number(run))
  const waiting = await relay.promote('6')
  await relay.waitsFor(waiting, 'in_flight')
  await first.close()
  const end = { state: 'deployed', conclusion: 'success' } as const
  await relay.ledger.finish({ id: older, runId: run, runUrl: '', runAttempt: 1, ...end })

  await relay.startWorker()

  expect(await relay.ends(waiting)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('a crash between the outcome and the tracking: the run is followed', async () => {
  const relay = await setup()
  const id = await claimed(relay, '5')
  const run = await dispatchByHand(relay, id)
  await told(relay, id, { kind: 'track', runId: run })

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', runId: run })
  expect(relay.versionsRun()).toEqual(['5'])
})

test('a crash between the outcome and the burial: the dead letter is put where ops look', async () => {
  const relay = await setup()
  const dead = await claimed(relay, '5')
  await told(relay, dead, { kind: 'dead_letter', exhausted: false })
  const unresolved = await claimed(relay, '5', 'churn')
  await told(relay, unresolved, { kind: 'unknown' })
  const patience = { looks: 0, certainAfterMs: 0, looksNeeded: 1, delayMs: 0, maxAttempts: 8 }
  const look = { kind: 'unexplained', detail: 'run 7 may be its own' } as const
  await relay.ledger.resolve({ id: unresolved, attempt: 1, look, ...patience })

  await relay.startWorker()

  for (const id of [dead, unresolved]) {
    await relay.parked(id)
  }
  expect(relay.simulator.log).toEqual([])
})

test('a crash between a redrive and its job: the promotion gets its job', async () => {
  const relay = await setup()
  const id = await claimed(relay, '5')
  await told(relay, id, { kind: 'dead_letter', exhausted: false })
  await relay.ledger.redrive(id, 1, 'eve')

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2 })
})

test('a crash between the intent and the call: proven absent after patience, then sent, and once', async () => {
  const relay = await setup({ pauses: { ...SWEPT, ...QUICK_DOUBT } })
  const id = await claimed(relay, '5')

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2, deadLetters: 0 })
  await relay.idle()
  const told = (await relay.reader.timeline(id)).map(({ what }) => what)
  expect(told.indexOf('absent')).toBeGreaterThan(told.indexOf('in_doubt'))
  expect(relay.simulator.dispatches()).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a crash between the call and its outcome: the run is found and adopted, and nothing is sent', async () => {
  const relay = await setup({ pauses: { ...SWEPT, ...QUICK_DOUBT } })
  const id = await claimed(relay, '5')
  const run = await dispatchByHand(relay, id)

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1, runId: run })
  await relay.idle()
  expect(relay.simulator.dispatches()).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a crash between the opening of a circuit and its entry: the entry is put where ops look', async () => {
  const relay = await setup({ pauses: { ...SWEPT, probeMs: 60_000 } })
  const id = await claimed(relay, '5')
  const circuit = { scope: SCOPES[0] ?? '', reason: 'permission', waitMs: 60_000, untilReset: false }
  await told(relay, id, { kind: 'again', delayMs: 0, spend: false, circuit })

  await relay.startWorker()

  const entry = await relay.circuitParked()
  expect(entry.data).toMatchObject({ circuit: SCOPES[0], opening: 1 })
  expect(entry.failedReason).toMatch(/^acme\/models: permission \(.*\), 1 promotion waits$/)
})

test('the entry of an open circuit tells how many wait by now', async () => {
  const relay = await setup()
  const id = await claimed(relay, '5')
  const circuit = { scope: SCOPES[0] ?? '', reason: 'permission', waitMs: 60_000, untilReset: false }
  await told(relay, id, { kind: 'again', delayMs: 0, spend: false, circuit })
  await relay.startWorker()
  expect((await relay.circuitParked()).data).toMatchObject({ waiting: 1 })

  await accepted(relay, '1', 'ranker')
  await accepted(relay, '1', 'churn')

  await until('it tells three', async () => (await relay.circuitParked()).data.waiting === 3)
})

test('the entry of a circuit that has closed is taken away by the next sweep', async () => {
  const relay = await setup()
  const id = await claimed(relay, '5')
  const circuit = { scope: SCOPES[0] ?? '', reason: 'permission', waitMs: 60_000, untilReset: false }
  await told(relay, id, { kind: 'again', delayMs: 0, spend: false, circuit })
  const [open] = await relay.reader.openCircuits()
  if (!open) throw new Error('no circuit is open')
  await deadLettersOf(relay).buryCircuit(open)
  await relay.redis.del('{relay:0}:circuit:acme/models')
  await relay.redis.srem('{relay:0}:circuits', 'acme/models')

  await relay.startWorker()

  await until('no entry is left', async () => {
    const counts = await relay.queues.deadLetters.getJobCounts('waiting', 'active', 'failed')
    return Object.values(counts).every((count) => count === 0)
  })
})

test('a dead letter is not buried twice, and stays when nothing has changed', async () => {
  const relay = await setup()
  const id = await claimed(relay, '5')
  await told(relay, id, { kind: 'dead_letter', exhausted: false })
  await relay.startWorker()
  const before = await relay.parked(id)

  // Several sweeps go by.
  await relay.ends(await relay.promote('1', { model: 'churn' }))
  await relay.ends(await relay.promote('2', { model: 'churn' }))

  const after = await relay.queues.deadLetters.getJob(`dl-${id}-1`)
  expect(after).toMatchObject({
    timestamp: before.timestamp,
    attemptsMade: 1,
    failedReason: before.failedReason,
  })
})

test('promotions that somebody has just touched are left alone', async () => {
  const relay = await setup()
  await accepted(relay, '5')
  const swept = await sweepOf(relay, 600_000)()

  expect(swept).toEqual({ woken: 0, followed: 0, buried: 0, removed: 0 })
})

test('two sweeps at once do no harm: nothing is lost and nothing doubled', async () => {
  const relay = await setup()
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push(await accepted(relay, '5', `waiting-${n}`))
  for (let n = 0; n < 5; n++) {
    const id = await claimed(relay, '5', `running-${n}`)
    await told(relay, id, { kind: 'track', runId: await dispatchByHand(relay, id) })
    ids.push(id)
  }
  const dead = await claimed(relay, '5', 'dead')
  await told(relay, dead, { kind: 'dead_letter', exhausted: false })

  const both = await Promise.all([sweepOf(relay)(), sweepOf(relay)(), sweepOf(relay)()])
  expect(both.reduce((sum, { woken }) => sum + woken, 0)).toBeGreaterThanOrEqual(10)
  await relay.startWorker()
  await relay.startWorker()

  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  const runsOf = relay.simulator.runs.map(({ inputs }) => inputs.promotion_id)
  expect(runsOf.toSorted()).toEqual(ids.toSorted())
  expect(await relay.queues.deadLetters.getFailedCount()).toBe(1)
})

test('the whole queue may be deleted with promotions in every state: each ends properly, nothing is doubled', async () => {
  const probe = { sendDeadlineMs: 500, dispatchTimeoutMs: 1_500, uncertainMs: 2_000, circuitPauseMs: 300 }
  const workflows = [{ file: 'cd_pipeline.yml', runName: false }]
  const pauses = { sweepMs: 100, settleMs: 300, ...probe }
  const relay = await setup({ pauses, workers: 2, simulator: { workflows } })
  const { simulator } = relay
  simulator.fault({ kind: 'status-before', status: 422, message: 'no' })
  const dead = await relay.promote('1', { model: 'dead' })
  await relay.reaches(dead, 'dead_lettered')
  simulator.fault({ kind: 'status-after', status: 500 })
  const unresolved = await relay.promote('1', { model: 'unresolved' })
  await relay.reaches(unresolved, 'unresolved')
  simulator.hold()
  const running = await relay.promote('1', { model: 'running' })
  await relay.reaches(running, 'dispatched')
  const behind = await relay.promote('2', { model: 'running' })
  await relay.waitsFor(behind, 'in_flight')
  simulator.fault({ kind: 'slow', delayMs: 700 })
  const inTheAir = await relay.promote('1', { model: 'in the air' })
  await until('it is in the air', () => simulator.runs.some(({ inputs }) => inputs.promotion_id === inTheAir))
  simulator.fault({ kind: 'status-before', status: 403 })
  const behindCircuit = await relay.promote('1', { model: 'behind a circuit' })
  await relay.waitsFor(behindCircuit, 'circuit')
  const justAccepted = await accepted(relay, '1', 'accepted')

  const keys = await relay.redis.keys('{relay:0}:bull:*')
  expect(keys.length).toBeGreaterThan(5)
  await relay.redis.del(...keys)
  simulator.release()

  const deployed = [running, behind, inTheAir, behindCircuit, justAccepted]
  for (const id of deployed) expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  for (const id of [dead, unresolved]) {
    await relay.parked(id)
  }
  await relay.idle()
  expect(await relay.reader.promotion(dead)).toMatchObject({ state: 'dead_lettered', attempts: 1 })
  expect(await relay.reader.promotion(unresolved)).toMatchObject({ state: 'unresolved', attempts: 1 })
  const runsOf = simulator.runs.map(({ inputs }) => inputs.promotion_id)
  expect(runsOf.toSorted()).toEqual([...deployed, unresolved].toSorted())
})

function deadLettersOf({ redis, reader, queues: { deadLetters: queue } }: Relay) {
  return createDeadLetters({ queue, reader, invalidJobs: createInvalidJobs({ redis, queue }) })
}

function sweepOf(relay: Relay, settleMs = 0) {
  const { ledger, reader, queues } = relay
  const { bury, buryCircuit, refreshCircuit } = deadLettersOf(relay)
  return createSweep({
    ledger,
    reader,
    queues,
    async wake({ id, job }) {
      const promotion = await reader.promotion(id)
      if (promotion) await addPromotedJob(queues.promotions, promotion, job)
    },
    follow: (promotion, job) => addTrackingJob(queues.tracking, promotion, job, 0),
    bury,
    buryCircuit,
    refreshCircuit,
    log: silentLogger,
    settleMs,
  })
}
