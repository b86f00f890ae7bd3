// Redis is away, hangs, or is killed: a worker waits for it and goes on where it was.
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { type PrivateRedis, startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

/** After a restart of Redis what was accepted before is looked for: it is soon known that no run is there. */
const QUICK_DOUBT = { sendDeadlineMs: 2_000, dispatchTimeoutMs: 1_200 }
/** Redis may be killed when it has given a job to a worker that has not heard of it yet: its lock has to run out. */
const STALLS = { ...QUICK_DOUBT, lockMs: 1_000, stalledCheckMs: 200 }

async function ownRedis(): Promise<PrivateRedis> {
  const redis = await startPrivateRedis()
  onTestFinished(redis.stop)
  return redis
}

/** A worker that has done its work, and whose Redis is then killed. */
async function idleWithoutRedis() {
  const redis = await ownRedis()
  const relay = await startRelay({ redisUrl: redis.url, workers: 0 })
  const worker = await relay.startWorker()
  await relay.ends(await relay.promote('5'))
  await redis.kill()
  return {
    redis,
    relay,
    /** How long its end takes, ms. */
    async closedIn(withinMs: number): Promise<number> {
      const from = performance.now()
      await worker.close(withinMs)
      return performance.now() - from
    },
  }
}

test('a worker that was started before Redis works when Redis has come', async () => {
  const redis = await ownRedis()
  await redis.kill()
  const relay = await startRelay({ redisUrl: redis.url, pauses: STALLS })

  await redis.restart()

  const id = await until('it is taken', async () => {
    const result = await relay.producer.promote({ model: 'fraud-detector', version: '5' })
    return result.status === 'accepted' ? result.id : undefined
  })
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
})

test('Redis is killed and comes back while a run goes on: it is followed to its end', async () => {
  const redis = await ownRedis()
  const relay = await startRelay({ redisUrl: redis.url, pauses: STALLS })
  relay.simulator.hold(undefined, 'in_progress')
  const id = await relay.promote('5')
  await relay.reaches(id, 'dispatched')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')

  await redis.kill()
  await redis.restart()
  relay.simulator.release()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('Redis is killed with a dispatch in the air: its answer is recorded when Redis is back, and nothing sent again', async () => {
  const redis = await ownRedis()
  const relay = await startRelay({ redisUrl: redis.url, pauses: { ...STALLS, dispatchTimeoutMs: 10_000 } })
  relay.simulator.fault({ kind: 'slow', delayMs: 500 })
  const id = await relay.promote('5')
  await until('it is in the air', () => relay.simulator.runs.length === 1)

  await redis.kill()
  await until('GitHub has answered', () => relay.simulator.dispatches()[0]?.status === 200)
  await redis.restart()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.simulator.dispatches()).toHaveLength(1)
})

test('Redis hangs for a while in the middle of everything: nothing is lost and nothing doubled', async () => {
  const redis = await ownRedis()
  const relay = await startRelay({ redisUrl: redis.url, pauses: STALLS, simulator: { runMs: 100 } })
  const ids = await Promise.all(Array.from({ length: 8 }, (_, n) => relay.promote('1', { model: `m${n}` })))
  await until('some are out', () => relay.simulator.runs.length >= 2)
  process.kill(redis.pid, 'SIGSTOP')
  // Whatever was in the air is answered meanwhile.
  await until('the air is empty', () => relay.simulator.log.every(({ status }) => status > 0))

  process.kill(redis.pid, 'SIGCONT')

  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.simulator.runs.map(({ inputs }) => inputs.promotion_id).toSorted()).toEqual(ids.toSorted())
})

test('a worker with nothing in the air that is closed while Redis is away does not wait for its deadline', async () => {
  const { closedIn } = await idleWithoutRedis()

  expect(await closedIn(40_000)).toBeLessThan(4_000)
})

test('a worker can be closed while Redis is away, within its deadline, and leaves no connection behind', async () => {
  const { redis, relay, closedIn } = await idleWithoutRedis()

  expect(await closedIn(1_000)).toBeLessThan(1_700)
  await relay.producer.close()
  relay.redis.disconnect()
  const control = connectForWorker(redis.url, silentLogger)
  onTestFinished(() => control.disconnect())
  let comeBack = 0
  const server = createServer((socket) => {
    comeBack++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(redis.port, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  // Whoever was left behind tries as often as this one does.
  let own = 0
  control.on('connect', () => own++)
  await until('the control has come twice', () => own >= 2)
  expect(comeBack).toBeLessThanOrEqual(own + 1)
})
