// Jobs that another BullMQ client puts into the queue, knowing nothing of us but its name and prefix.
import { Worker } from 'bullmq'
import { expect, test } from 'vitest'
import { createAccept } from '../../shared/accept.ts'
import { createInvalidJobs } from '../../shared/invalid-jobs.ts'
import { silentLogger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, PROMOTIONS } from '../../shared/queues.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { idOfForeignJob } from '../../worker/dispatch/intake.ts'
import { foreignQueue, type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

async function setup(options: RelayOptions = {}) {
  const relay = await startRelay(options)
  return { relay, queue: foreignQueue(relay.redisUrl) }
}

const GOOD = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }

/** The newest promotion, once there is one. */
function made(relay: Relay) {
  return until('a promotion was made', async () => (await relay.reader.newest(1))[0])
}

/** The dead letter of an invalid job, once it is parked. */
function refused(relay: Relay) {
  return until('it is among the dead letters', async () => {
    const [job] = await relay.queues.deadLetters.getFailed()
    return job?.failedReason === undefined ? undefined : job
  })
}

/** What ops are shown of such jobs. */
async function listed({ redis, queues }: Relay): Promise<string[]> {
  const found = await createInvalidJobs({ redis, queue: queues.deadLetters }).newest(9)
  return found.map(({ id }) => id)
}

test('a valid job becomes a promotion like any other', async () => {
  const { relay, queue } = await setup()

  const job = await queue.add('promoted', GOOD)

  const { id } = await made(relay)
  expect(id).toBe(idOfForeignJob(job.id ?? '', job.timestamp))
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', ...GOOD, environment: 'production' })
  await relay.idle()
  expect(relay.simulator.runs.map(({ inputs }) => inputs)).toMatchObject([
    { model_version: '5', model_accuracy: '0.9234', promotion_id: id },
  ])
})

test('the same news in two jobs is one promotion', async () => {
  const { relay, queue } = await setup()

  await queue.addBulk([
    { name: 'promoted', data: GOOD },
    { name: 'promoted', data: GOOD },
  ])

  await relay.ends((await made(relay)).id)
  await relay.idle()
  expect(await relay.reader.newest(10)).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a job that is seen again, since its worker died, makes no second promotion, whatever became of the first', async () => {
  const { relay, queue } = await setup({ workers: 0, pauses: { lockMs: 500, stalledCheckMs: 100 } })
  const job = await queue.add('promoted', GOOD)
  const redis = connectForWorker(relay.redisUrl, silentLogger)
  const connection = asConnection(redis)
  const dying = new Worker(PROMOTIONS, null, {
    autorun: false,
    lockDuration: 100,
    connection,
    prefix: bullPrefix(),
  })
  await dying.getNextJob('of one that dies')
  const accept = createAccept({
    ledger: relay.ledger,
    enqueue: async () => {},
    withdraw: async () => {},
    log: silentLogger,
  })
  const id = idOfForeignJob(job.id ?? '', job.timestamp)
  expect(await accept(GOOD, { id })).toMatchObject({ status: 'accepted', id })
  await dying.close(true)
  redis.disconnect()

  // So that only its id can tell that it was there: a version that was dead-lettered may come again.
  const terms = {
    enabled: true,
    repository: 'r',
    workflow: 'w',
    slotMs: 0,
    uncertainMs: 9_000,
    recheckMs: 9_000,
    maxClaims: 10,
  }
  await relay.ledger.claim({ id, token: 't', worker: 'dead', ...terms })
  const end = {
    outcome: 'rejected',
    detail: 'no',
    status: 422,
    scopes: [],
    fault: false,
    faultPauseMs: 0,
    recheckMs: 0,
  }
  const next = { kind: 'dead_letter', exhausted: false } as const
  await relay.ledger.recordOutcome({ id, attempt: 1, token: 't', next, ...end })

  await relay.startWorker()

  const again = await until('the job was worked again', async () => {
    const state = await queue.getJobState(job.id ?? '')
    return state === 'completed' && queue.getJob(job.id ?? '')
  })
  expect(again.returnvalue).toBe(`accepted: ${id}`)
  await relay.idle()
  expect(await relay.reader.newest(10)).toHaveLength(1)
  expect(relay.simulator.log).toEqual([])
})

test('an invalid job is dead-lettered with everything that is wrong, and what it held', async () => {
  const { relay, queue } = await setup()
  const data = { model: '', version: -1, accuracy: 7, enviroment: 'prod', metrics: { f1: 'high' } }

  await queue.add('promoted', data)

  const letter = await refused(relay)
  expect(letter.failedReason).toMatch(/^not a valid promotion: /)
  for (const field of ['model', 'version', 'accuracy', 'enviroment', 'metrics.f1'])
    expect(letter.failedReason).toContain(field)
  expect(letter.data).toMatchObject({ invalid: data, next: expect.stringContaining('Retry') })
  await relay.idle()
  expect(await relay.reader.newest(1)).toEqual([])
  expect(relay.simulator.log).toEqual([])
  expect(await queue.getFailedCount()).toBe(0)
})

test.each([
  ['null', null],
  ['a number', 5],
  ['text', 'fraud-detector 5'],
  ['a list', [GOOD]],
  ['nothing', {}],
  ['a model that is an object', { model: {}, version: '5' }],
  ['control characters', { model: 'a\u0000b', version: '5' }],
  ['half a character', { model: 'a\ud83e', version: '5' }],
  ['__proto__', JSON.parse('{"model":"m","version":"5","__proto__":{"x":1}}')],
  ["another relay's promotion", { promotionId: 'x', ...GOOD }],
  ['a promotion id alone', { promotionId: '01a207aa-f3d6-73ef-a2d7-cbe6539ed9e5' }],
])('a job that holds %s is dead-lettered, and the worker goes on', async (_, data) => {
  const { relay, queue } = await setup()

  await queue.add('promoted', data)

  expect((await refused(relay)).failedReason).toMatch(/^not a valid promotion: /)
  await queue.add('promoted', GOOD)
  expect(await relay.ends((await made(relay)).id)).toMatchObject({ state: 'deployed' })
})

test('huge data is dead-lettered, cut off, with a reason that can be read', async () => {
  const { relay, queue } = await setup()
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`field-${n}`, n]))

  await queue.add('promoted', { ...GOOD, ...many, text: 'x'.repeat(2_000_000) })

  const letter = await refused(relay)
  expect(letter.failedReason.length).toBeLessThan(5_000)
  expect(JSON.stringify(letter.data).length).toBeLessThan(30_000)
  expect(letter.failedReason).toContain('field-0')
  const longest = Math.max(...relay.lines.map((line) => JSON.stringify(line).length))
  expect(longest).toBeLessThan(20_000)
})

test('Retry checks an invalid job again: as it is it stays, corrected it is accepted', async () => {
  const { relay, queue } = await setup()
  await queue.add('promoted', { ...GOOD, version: '' })
  const letter = await refused(relay)
  const reason = letter.failedReason

  await letter.retry('failed')
  await until('it was checked again', async () => {
    const job = await relay.queues.deadLetters.getJob(letter.id ?? '')
    return job?.attemptsMade === 2 && (await job.isFailed())
  })
  const still = await refused(relay)
  expect(await listed(relay)).toEqual([letter.id])
  expect(still).toMatchObject({ id: letter.id, failedReason: reason })

  await still.updateData({ ...still.data, invalid: GOOD })
  await still.retry('failed')

  const { id } = await made(relay)
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', version: '5' })
  await relay.idle()
  expect(await relay.queues.deadLetters.getFailedCount()).toBe(0)
  expect(await listed(relay)).toEqual([])
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a sweep leaves the dead letters of invalid jobs where they are', async () => {
  const { relay, queue } = await setup({ pauses: { sweepMs: 10, settleMs: 0 } })
  await queue.add('promoted', null)
  const letter = await refused(relay)

  await relay.ends(await relay.promote('5'))
  await relay.ends(await relay.promote('6'))

  expect((await refused(relay)).id).toBe(letter.id)
})

test.each([
  ['in microseconds', 1_795_424_254_126_000_000],
  ['with a fraction', 1_795_424_254_126.5],
  ['before the epoch', -5],
])('a job whose client gives its time %s is taken in', async (_, timestamp) => {
  // A job that seems older than this run of Redis may have been sent before it: its run is looked for first.
  const { relay, queue } = await setup({ pauses: { sendDeadlineMs: 600, dispatchTimeoutMs: 400 } })

  await queue.add('promoted', GOOD, { timestamp })

  expect(await relay.ends((await made(relay)).id)).toMatchObject({ state: 'deployed' })
})

test("a client's own wishes for its job do no harm: retries, delay, priority, a name, an id of its own", async () => {
  const { relay, queue } = await setup()
  const more = { attempts: 5, backoff: { type: 'fixed', delay: 10 }, priority: 3, delay: 50 }

  await queue.add('model trained', GOOD, { ...more, jobId: 'run-17' })
  await relay.ends((await made(relay)).id)
  await queue.add('promoted', { ...GOOD, model: '' }, { ...more, jobId: 'run-18' })
  await refused(relay)

  await relay.idle()
  expect(await relay.queues.deadLetters.getFailedCount()).toBe(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('jobs of clients that ask for no removal do not pile up for ever', async () => {
  const { relay, queue } = await setup()

  await queue.addBulk(Array.from({ length: 150 }, () => ({ name: 'promoted', data: GOOD })))

  await relay.ends((await made(relay)).id)
  await relay.idle()
  expect(await queue.getCompletedCount()).toBeLessThanOrEqual(100)
})
