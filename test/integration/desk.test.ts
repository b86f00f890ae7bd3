// What ops see: dead letters by the page, jobs that are no promotions, circuits, figures, and what they look for.
import { expect, onTestFinished, test } from 'vitest'
import { createDesk, type LettersAsked } from '../../shared/desk.ts'
import { createInvalidJobs } from '../../shared/invalid-jobs.ts'
import { createListing, type Place } from '../../shared/ledger/listing.ts'
import { createPresence } from '../../shared/ledger/presence.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { createQueue, DEAD_LETTERS } from '../../shared/queues.ts'
import { createDeadLetters } from '../../worker/dead-letters/dead-letters.ts'
import { behindCircuit, setup as ledgerSetup, REJECTED, REPOSITORY } from './ledger-setup.ts'

async function setup() {
  const ledger = await ledgerSetup()
  const { redis } = ledger
  const queue = createQueue(DEAD_LETTERS, redis)
  queue.on('error', () => {})
  onTestFinished(() => queue.close())
  const reader = createLedgerReader({ redis })
  const desk = createDesk({ reader, listing: createListing({ redis }), redis, deadLetters: queue })

  /** A dead letter of a target of its own, with this reason. */
  async function letter(model: string, reason = 'rejected', environment = 'production') {
    const id = await ledger.going('1', { model, environment })
    await ledger.end(id, REJECTED, { detail: reason })
    return id
  }
  /** Every page from the first to the last. */
  async function pages(asked: LettersAsked) {
    const all: string[][] = []
    let after: Place | undefined
    do {
      const { items, next } = await desk.deadLetters({ ...asked, after })
      all.push(items.map(({ model }) => model))
      after = next
      if (all.length > 50) throw new Error('there is no end of it')
    } while (after)
    return all
  }
  return { ...ledger, desk, queue, letter, pages }
}

test('dead letters and unresolved ones are one list, whatever the length of its pages', async () => {
  const { letter, unresolved, deployed, pages } = await setup()
  await letter('a')
  await unresolved('1', { model: 'b' })
  await letter('c')
  await deployed('1', { model: 'fine' })
  await letter('d')
  await unresolved('1', { model: 'e' })
  for (const limit of [1, 2, 3, 4, 5, 100]) {
    const all = await pages({ limit })
    expect(all.flat()).toEqual(['e', 'd', 'c', 'b', 'a'])
    expect(all.slice(0, -1).every((page) => page.length === limit)).toBe(true)
  }
})

test('they are found by model, environment, state and a part of their reason', async () => {
  const { letter, unresolved, pages } = await setup()
  await letter('fraud', 'Input accuracy: unexpected')
  await letter('fraud', 'payload too large', 'staging')
  await unresolved('1', { model: 'churn' })
  expect(await pages({ limit: 9, model: 'fraud' })).toEqual([['fraud', 'fraud']])
  expect(await pages({ limit: 9, model: 'fraud', environment: 'staging' })).toEqual([['fraud']])
  expect(await pages({ limit: 9, state: 'unresolved' })).toEqual([['churn']])
  expect(await pages({ limit: 9, state: 'dead_lettered', environment: 'staging' })).toEqual([['fraud']])
  expect(await pages({ limit: 9, reason: 'INPUT' })).toEqual([['fraud']])
  expect(await pages({ limit: 9, reason: 'nobody can explain' })).toEqual([['churn']])
  expect(await pages({ limit: 9, model: 'nothing' })).toEqual([[]])
})

test('what has left them is in no list any more', async () => {
  const { letter, ledger, desk } = await setup()
  const id = await letter('a')
  await ledger.redrive(id, 1, 'alice')
  expect(await desk.deadLetters({ limit: 9 })).toEqual({ items: [] })
})

test('jobs that are no promotions are found among the others, the newest first', async () => {
  const { desk, queue, reader, redis } = await setup()
  const invalidJobs = createInvalidJobs({ redis, queue })
  const letters = createDeadLetters({ queue, reader, invalidJobs })
  async function bury(id: string) {
    await letters.buryInvalid(id, { model: 7 }, [{ field: 'model', problem: 'must be a string' }])
    expect(await queue.getJob(`dl-invalid-${id}`)).toBeDefined()
  }
  /** As the worker does it: failed, by its id. */
  async function park(id: string, reason: string, at: number) {
    await redis.zadd(queue.toKey('failed'), at, id)
    await redis.hset(queue.toKey(id), 'failedReason', reason)
  }
  await bury('7')
  await bury('8')
  for (let n = 0; n < 40; n++) await park(`dl-p${n}-1`, 'rejected', n)
  // A worker has died before it added the job, and another one before it parked it.
  await invalidJobs.note('dl-invalid-6')
  expect(await desk.invalidJobs(9)).toEqual([])
  await park('dl-invalid-7', 'model must be a string', 100)
  await park('dl-invalid-8', 'version must not be empty', 200)

  expect(await desk.invalidJobs(9)).toEqual([
    { id: 'dl-invalid-8', reason: 'version must not be empty', at: 200 },
    { id: 'dl-invalid-7', reason: 'model must be a string', at: 100 },
  ])
  expect(await desk.invalidJobs(1)).toMatchObject([{ id: 'dl-invalid-8' }])
  await invalidJobs.forget('dl-invalid-8')
  expect(await desk.invalidJobs(1)).toMatchObject([{ id: 'dl-invalid-7' }])
})

test('of very many jobs that are no promotions the newest are listed', async () => {
  const { queue, redis } = await setup()
  const invalidJobs = createInvalidJobs({ redis, queue })
  const many = Array.from({ length: 1_500 }, (_, n) => [String(n), `dl-invalid-${n}`]).flat()
  await redis.zadd('{relay:0}:invalid-jobs', ...many)
  await invalidJobs.note('dl-invalid-newest')
  expect(await redis.zcard('{relay:0}:invalid-jobs')).toBe(1_000)
  expect(await redis.zrevrange('{relay:0}:invalid-jobs', 0, 1)).toEqual([
    'dl-invalid-newest',
    'dl-invalid-1499',
  ])
})

test('a circuit tells when the next promotion is its probe', async () => {
  const { desk, going, end, halfOpen } = await setup()
  await end(await going('1'), behindCircuit(60_000))
  expect(await desk.circuits()).toMatchObject([{ scope: REPOSITORY, reason: 'credentials', number: 1 }])
  expect(await desk.circuits()).not.toMatchObject([{ halfOpen: true }])
  await halfOpen()
  expect(await desk.circuits()).toMatchObject([{ scope: REPOSITORY, halfOpen: true }])
})

test('the figures are those of the ledger', async () => {
  const { desk, redis, ledger, reader, accept, deployed, dispatched, finish, letter, going, end } =
    await setup()
  await createPresence({ redis }).here('w1')
  await deployed('1')
  const { id, run } = await dispatched('2')
  await finish(id, run, 'failed')
  await letter('broken')
  await end(await going('1', { model: 'behind' }), behindCircuit(60_000))
  const waiting = await accept('1', { model: 'waiting' })
  await ledger.hold({ model: 'waiting', environment: 'production', by: 'alice' })

  const stats = await desk.stats()

  expect(stats).toMatchObject({
    counters: { accepted: 5 },
    states: { accepted: 2, dispatching: 0, dispatched: 0, unresolved: 0, dead_lettered: 1 },
    triggers: { '1h': { good: 2, bad: 1 }, '24h': { good: 2, bad: 1 } },
    deployments: { '1h': { good: 1, bad: 1 }, '24h': { good: 1, bad: 1 } },
    workers: 1,
    holds: { person: 1, rollback: 0 },
    openCircuits: 1,
    deadLetters: 1,
    lastAcceptedAt: (await reader.promotion(waiting.id))?.acceptedAt,
    latency: { toDispatch: { of: 2 }, toLive: { of: 1 } },
  })
  expect(stats.oldestWaitingSince).toBeLessThanOrEqual(stats.at)
})

test('before the first promotion the figures are empty, and nothing is missing', async () => {
  const { desk } = await setup()
  expect(await desk.stats()).toEqual({
    at: expect.any(Number),
    counters: {},
    states: { accepted: 0, dispatching: 0, dispatched: 0, unresolved: 0, dead_lettered: 0 },
    triggers: { '1h': { good: 0, bad: 0 }, '24h': { good: 0, bad: 0 } },
    deployments: { '1h': { good: 0, bad: 0 }, '24h': { good: 0, bad: 0 } },
    workers: 0,
    holds: { person: 0, rollback: 0 },
    openCircuits: 0,
    deadLetters: 0,
    latency: { toDispatch: { of: 0 }, toLive: { of: 0 } },
  })
})

test('latencies are by the nearest rank, of times that there were', async () => {
  const { desk, deployed, redis, key } = await setup()
  for (let n = 1; n <= 10; n++) {
    const id = await deployed(String(n))
    await redis.hset(
      key('promotion', id),
      'acceptedAt',
      1_000,
      'dispatchedAt',
      1_000 + n,
      'endedAt',
      1_000 + 10 * n,
    )
  }
  const { latency } = await desk.stats()
  expect(latency).toEqual({
    toDispatch: { of: 10, p50: 5, p99: 10 },
    toLive: { of: 10, p50: 50, p99: 100 },
  })
  const drawn = await desk.latencies(3)
  expect(drawn.map(({ version, toDispatchMs, toEndMs }) => [version, toDispatchMs, toEndMs])).toEqual([
    ['8', 8, 80],
    ['9', 9, 90],
    ['10', 10, 100],
  ])
})

test('of what was never dispatched there is no latency', async () => {
  const { desk, letter, dispatched } = await setup()
  await letter('broken')
  const { id } = await dispatched('1')
  expect(await desk.latencies(9)).toMatchObject([{ id, state: 'dispatched' }])
  expect((await desk.latencies(9))[0]).not.toHaveProperty('toEndMs')
})

test('ends by the hour have every hour, the present one last', async () => {
  const { desk, redis, key, deployed, reader } = await setup()
  await deployed('1')
  const present = Math.floor((await reader.nowMs()) / 3_600_000)
  const earlier = present - 3
  await redis.hset(
    key('deployments', String(earlier)),
    `${earlier * 60 + 59}:bad`,
    4,
    `${earlier * 60}:good`,
    1,
  )

  const hours = await desk.endsByHour('deployments', 5)

  expect(hours.map(({ good, bad }) => [good, bad])).toEqual([
    [0, 0],
    [1, 4],
    [0, 0],
    [0, 0],
    [1, 0],
  ])
  expect(hours.map(({ hour }) => hour / 3_600_000 - present)).toEqual([-4, -3, -2, -1, 0])
  expect(await desk.endsByHour('triggers', 500)).toHaveLength(26)
})

test('a promotion is found by its id, how that begins, its run, its model and its version', async () => {
  const { desk, dispatched, accept } = await setup()
  const id = '0198c2a4-1111-7abc-8def-000000000001'
  const { run } = await dispatched('5.1', { id, model: 'fraud-detector' })
  const other = '0198c2a4-2222-7abc-8def-000000000002'
  await accept('6', { id: other, model: 'churn' })
  const found = async (text: string) => (await desk.find(text)).promotions.map((one) => one.id)

  expect(await found(id)).toEqual([id])
  expect(await found(` ${id.toUpperCase()} `)).toEqual([id])
  expect(await found('0198c2a4')).toEqual([other, id])
  expect(await found('0198c2a4-11')).toEqual([id])
  expect(await found('0198c2a')).toEqual([])
  expect(await found(run)).toEqual([id])
  expect(await found('churn')).toEqual([other])
  expect(await found('5.1')).toEqual([id])
  for (const nothing of ['', '   ', '[', '*', '0198c2a4-1111-7abc-8def-00000000000f', '99999'])
    expect(await found(nothing)).toEqual([])
})

test('targets are found by a part of their name, and by the whole of it also far down', async () => {
  const { desk, accept, redis, key } = await setup()
  await accept('1', { model: 'team/Fraud-detector', environment: 'staging' })
  await accept('1', { model: 'team/Fraud-detector' })
  await accept('1', { model: 'churn' })
  const found = async (text: string) =>
    (await desk.find(text)).targets.map(({ model, environment }) => `${environment}/${model}`)
  expect(await found('fraud')).toEqual(['production/team/Fraud-detector', 'staging/team/Fraud-detector'])
  // The environment is no part of the model.
  expect(await found('production')).toEqual([])

  const later = Date.now() + 60_000
  const write = redis.pipeline()
  for (let n = 0; n < 25_000; n++) write.zadd(key('targets'), later, `production/m${n}`)
  await write.exec()
  expect(await found('churn')).toEqual(['production/churn'])
})

test('with 100,000 promotions and targets and 10,000 dead letters each answer is bounded work', async () => {
  const { desk, redis, key, queue } = await setup()
  const at = Date.now() - 200_000
  for (let from = 0; from < 100_000; from += 10_000) {
    const write = redis.pipeline()
    const many = Array.from({ length: 10_000 }, (_, i) => from + i)
    write.zadd(key('promotions'), ...many.flatMap((n) => [at + n, `0198c2a4-${n}`]))
    write.zadd(key('history', 'm'), ...many.flatMap((n) => [at + n, `0198c2a4-${n}`]))
    write.zadd(key('targets'), ...many.flatMap((n) => [at + n, `production/m${n}`]))
    if (from === 0) {
      write.zadd(key('state', 'dead_lettered'), ...many.flatMap((n) => [at + n, `0198c2a4-${n}`]))
      write.zadd(queue.toKey('failed'), ...many.flatMap((n) => [at + n, `dl-0198c2a4-${n}-1`]))
      for (const n of many) {
        const fields = {
          id: `0198c2a4-${n}`,
          state: 'dead_lettered',
          model: 'm',
          acceptedAt: at + n,
          reason: 'x',
        }
        write.hset(key('promotion', fields.id), fields)
      }
    }
    await write.exec()
  }
  let commands = 0
  const { sendCommand } = redis
  redis.sendCommand = (...sent) => {
    commands++
    return sendCommand.apply(redis, sent)
  }
  async function costOf(work: () => Promise<unknown>): Promise<number> {
    commands = 0
    await work()
    return commands
  }
  expect(await costOf(() => desk.deadLetters({ limit: 100 }))).toBeLessThan(220)
  expect(await costOf(() => desk.deadLetters({ limit: 100, reason: 'nobody has this one' }))).toBeLessThan(
    1_200,
  )
  expect(await costOf(() => desk.invalidJobs(100))).toBeLessThan(30)
  expect(await costOf(desk.stats)).toBeLessThan(270)
  expect(await costOf(() => desk.latencies(100))).toBeLessThan(1_200)
  for (const text of ['0198c2a4-5', 'm', 'no such model', '12345'])
    expect(await costOf(() => desk.find(text))).toBeLessThan(2_500)
}, 30_000)
