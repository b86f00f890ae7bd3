import { type Job, Worker } from 'bullmq'
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, createQueue, DEAD_LETTERS } from '../../shared/queues.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const REFUSAL = { kind: 'status-before', status: 422, message: "Required input 'x' not provided" } as const
const REASON = `GitHub answered 422: ${REFUSAL.message}`

/** A relay with version 5 among its dead letters. `unswept`: somebody else holds the lease of the sweep. */
async function setup({ unswept = false, ...options }: RelayOptions & { unswept?: boolean } = {}) {
  const relay = await startRelay({ ...options, workers: 0 })
  if (unswept) await relay.redis.set('{relay:0}:lease:sweep', '1', 'PX', 600_000)
  for (let n = 0; n < (options.workers ?? 1); n++) await relay.startWorker()
  relay.simulator.fault(REFUSAL)
  const id = await relay.promote('5')
  await relay.reaches(id, 'dead_lettered')
  return { relay, id, letter: await relay.parked(id) }
}

async function ended(relay: Relay, letter: Job): Promise<Job> {
  return until(`${letter.id} has been worked`, async () => {
    const state = await relay.queues.deadLetters.getJobState(letter.id ?? '')
    // Read after it has ended: before, it would not hold its result yet.
    const over = state === 'completed' || state === 'failed'
    return over ? relay.queues.deadLetters.getJob(letter.id ?? '') : undefined
  })
}

/** A worker takes the next job and dies: it stays active, and its lock runs out. */
async function takenByOneThatDies(relay: Relay): Promise<void> {
  const redis = connectForWorker(relay.redisUrl, silentLogger)
  const connection = asConnection(redis)
  const worker = new Worker(DEAD_LETTERS, null, {
    autorun: false,
    lockDuration: 100,
    connection,
    prefix: bullPrefix(),
  })
  if (!(await worker.getNextJob('of one that dies'))) throw new Error('no job to take')
  await worker.close(true)
  redis.disconnect()
}

test('a dead letter is parked under Failed, with its reason, what to do, and every attempt', async () => {
  const { id, letter } = await setup()

  expect(letter).toMatchObject({
    name: 'fraud-detector 5',
    failedReason: REASON,
    attemptsMade: 1,
    data: {
      reason: REASON,
      next: expect.stringContaining('Retry'),
      promotionId: id,
      deadLetter: 1,
      state: 'dead_lettered',
      model: 'fraud-detector',
      version: '5',
      environment: 'production',
      attempts: [{ attempt: 1, outcome: 'rejected', status: 422, detail: REASON }],
    },
  })
})

test('Retry puts it back through the ledger, and it is dispatched once', async () => {
  const { relay, id, letter } = await setup()

  await letter.retry('failed')

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2 })
  expect((await ended(relay, letter)).returnvalue).toBe('back in the queue')
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
  expect((await relay.reader.timeline(id)).filter(({ what }) => what === 'redriven')).toHaveLength(1)
})

test('Retry pressed by two people at once makes one dispatch', async () => {
  const { relay, id, letter } = await setup()
  const redis = connectForWorker(relay.redisUrl, silentLogger)
  const elsewhere = createQueue(DEAD_LETTERS, redis)
  onTestFinished(async () => {
    await elsewhere.close()
    redis.disconnect()
  })
  const same = await elsewhere.getJob(letter.id ?? '')

  const pressed = await Promise.allSettled([letter.retry('failed'), same?.retry('failed')])

  expect(pressed.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2 })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

test('a redrive carried out by two workers at once makes one dispatch', async () => {
  const { relay, id } = await setup({ workers: 2 })

  const both = await Promise.all([relay.ledger.redrive(id, 1, 'eve'), relay.ledger.redrive(id, 1, 'bob')])
  for (const one of both) {
    if (one.kind !== 'accepted') throw new Error(JSON.stringify(one))
    await relay.queues.promotions.add('promoted', { promotionId: id }, { jobId: `${id}-${one.job}` })
  }

  await relay.ends(id)
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

test('Retry of one that a newer version has overtaken sends nothing and says so', async () => {
  const { relay, id, letter } = await setup()
  await relay.ends(await relay.promote('6'))

  await letter.retry('failed')

  expect(await relay.ends(id)).toMatchObject({ state: 'superseded' })
  expect((await ended(relay, letter)).returnvalue).toMatch(
    /^superseded: version 6 was accepted later.*rollback: true/,
  )
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['6'])
})

test('Retry of a letter that is settled already does nothing', async () => {
  const { relay, id, letter } = await setup({ unswept: true })
  await relay.ledger.redrive(id, 1, 'eve')
  await relay.queues.promotions.add('promoted', { promotionId: id }, { jobId: `${id}-2` })
  await relay.ends(id)

  await letter.retry('failed')

  expect((await ended(relay, letter)).returnvalue).toBe('nothing to do: it is deployed already')
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

test('one that is dead-lettered a second time is there a second time, with all attempts', async () => {
  const { relay, id, letter } = await setup()
  relay.simulator.fault(REFUSAL)

  await letter.retry('failed')

  const second = await relay.parked(id, 2)
  expect(second.data).toMatchObject({ deadLetter: 2, attempts: [{ attempt: 1 }, { attempt: 2 }] })
  expect(await relay.reader.promotion(id)).toMatchObject({ state: 'dead_lettered', deadLetters: 2 })
  await second.retry('failed')
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 3 })
  expect(relay.versionsRun()).toEqual(['5'])
})

test('Retry all puts each back once, the newest of a target only', async () => {
  const { relay, id } = await setup()
  relay.simulator.fault({ ...REFUSAL, times: 2 })
  const newer = await relay.promote('6')
  const other = await relay.promote('1', { model: 'churn' })
  await Promise.all([relay.parked(newer), relay.parked(other)])

  await relay.queues.deadLetters.retryJobs({ state: 'failed' })

  expect(await relay.ends(id)).toMatchObject({ state: 'superseded' })
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  expect(await relay.ends(other)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.versionsRun().toSorted()).toEqual(['1', '6'])
})

test('a worker that dies while it parks leaves a letter that is parked later and not redriven', async () => {
  const relay = await startRelay({ workers: 0, pauses: { lockMs: 500, stalledCheckMs: 100 } })
  await relay.queues.deadLetters.pause()
  const first = await relay.startWorker()
  relay.simulator.fault(REFUSAL)
  const id = await relay.promote('5')
  await until('it is buried', () => relay.queues.deadLetters.getJob(`dl-${id}-1`))
  await first.close()
  await relay.queues.deadLetters.resume()
  await takenByOneThatDies(relay)
  expect(await relay.queues.deadLetters.getJobState(`dl-${id}-1`)).toBe('active')

  await relay.startWorker()

  const letter = await relay.parked(id)
  expect(letter).toMatchObject({ failedReason: REASON, attemptsMade: 1, stalledCounter: 1 })
  expect(await relay.reader.promotion(id)).toMatchObject({ state: 'dead_lettered', attempts: 1 })
  expect((await relay.reader.timeline(id)).map(({ what }) => what)).not.toContain('redriven')
  expect(relay.simulator.dispatches()).toHaveLength(1)
})

test('a worker that dies while it redrives has it done by another, once', async () => {
  const relay = await startRelay({ workers: 0, pauses: { lockMs: 500, stalledCheckMs: 100 } })
  const first = await relay.startWorker()
  relay.simulator.fault(REFUSAL)
  const id = await relay.promote('5')
  const letter = await relay.parked(id)
  await first.close()
  await letter.retry('failed')
  await takenByOneThatDies(relay)

  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 2 })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

/** No run shows a promotion's id: what is in doubt and could be any of them goes to a person. */
const UNNAMED: RelayOptions = {
  simulator: { workflows: [{ file: 'cd_pipeline.yml', runName: false }] },
  pauses: { sweepMs: 50, settleMs: 0, sendDeadlineMs: 600, dispatchTimeoutMs: 200 },
}

test('an unresolved promotion is not sent by Retry, however often: its run is looked for, and it is one again', async () => {
  const relay = await startRelay(UNNAMED)
  relay.simulator.fault({ kind: 'status-after', status: 500 })
  const id = await relay.promote('5')
  await relay.reaches(id, 'unresolved')
  for (const times of [1, 2]) {
    const letter = await relay.parked(id, times)
    await letter.retry('failed')
    expect((await ended(relay, letter)).returnvalue).toMatch(/^nothing is sent: its run is looked for again/)
    await relay.parked(id, times + 1)
  }

  const letter = await relay.parked(id, 3)
  expect(letter.failedReason).toMatch(/run \d+ may be its own/)
  expect(letter.data.next).toMatch(/promotion-relay resolve/)
  expect(await relay.reader.promotion(id)).toMatchObject({ state: 'unresolved', attempts: 1 })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5'])
})

test('what a person has settled leaves the dead letters', async () => {
  const relay = await startRelay(UNNAMED)
  relay.simulator.fault({ kind: 'status-after', status: 500 })
  const id = await relay.promote('5')
  await relay.reaches(id, 'unresolved')
  await relay.parked(id)

  await relay.ledger.settle(id, { runId: String(relay.simulator.runs[0]?.id) }, 'eve')

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  await until('the letter is gone', async () => !(await relay.queues.deadLetters.getJob(`dl-${id}-1`)))
})
