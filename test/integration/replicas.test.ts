// REDIS_WAIT_REPLICAS with a real replica: what a failover could forget is neither accepted nor sent.
import { expect, onTestFinished, test } from 'vitest'
import { createProducer } from '../../producer/index.ts'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

async function setup() {
  const primary = await startPrivateRedis({ config: ['repl-diskless-sync-delay 0'] })
  onTestFinished(primary.stop)
  const replica = await startPrivateRedis({ config: [`replicaof 127.0.0.1 ${primary.port}`] })
  onTestFinished(replica.stop)
  const redis = connectForWorker(primary.url, silentLogger)
  onTestFinished(() => redis.disconnect())
  const follows = (count: number) =>
    until(`${count} replicas follow`, async () => {
      const info = await redis.info('replication')
      return info.includes(`connected_slaves:${count}`) && (count === 0 || info.includes('state=online'))
    })
  await follows(1)
  const producer = createProducer({ redisUrl: primary.url, replicas: 1 })
  onTestFinished(producer.close)
  const env = { REDIS_WAIT_REPLICAS: '1' }
  const relay = await startRelay({ redisUrl: primary.url, env, workers: 0 })
  return { primary, replica, producer, relay, follows }
}

const V5 = { model: 'fraud-detector', version: '5' }

test('with a replica that acknowledges, promotions are accepted, sent, and on the replica', async () => {
  const { replica, producer, relay } = await setup()
  await relay.startWorker()

  const result = await producer.promote(V5)

  if (result.status !== 'accepted') throw new Error(JSON.stringify(result))
  expect(await relay.ends(result.id)).toMatchObject({ state: 'deployed', attempts: 1 })
  const copy = connectForWorker(replica.url, silentLogger)
  onTestFinished(() => copy.disconnect())
  await until('the replica has it', async () => {
    return (await copy.hget(`{relay:0}:promotion:${result.id}`, 'state')) === 'deployed'
  })
})

test('with the replica gone a promotion is not accepted, and the answer says why', async () => {
  const { replica, producer, follows } = await setup()
  await replica.kill()
  await follows(0)

  const result = await producer.promote(V5)

  expect(result).toEqual({
    status: 'unavailable',
    reason: 'not enough replicas of Redis have acknowledged it',
  })
})

test('a repeated promotion is not called a duplicate before the replica has the first', async () => {
  const { primary, replica, producer } = await setup()
  const careless = createProducer({ redisUrl: primary.url })
  onTestFinished(careless.close)
  process.kill(replica.pid, 'SIGSTOP')
  onTestFinished(() => void process.kill(replica.pid, 'SIGCONT'))
  expect(await careless.promote(V5)).toMatchObject({ status: 'accepted' })

  expect(await producer.promote(V5)).toMatchObject({ status: 'unavailable' })

  process.kill(replica.pid, 'SIGCONT')
  await until('it is called one', async () => (await producer.promote(V5)).status === 'duplicate')
})

test('with the replica gone nothing is sent on an intent that it does not have; once it is back, all flows', async () => {
  const { replica, relay, follows } = await setup()
  await replica.kill()
  await follows(0)
  // Taken in by somebody who asks for no replica.
  const id = await relay.promote('5')
  await relay.startWorker()

  await until('it was tried more than once', async () => {
    const outcomes = (await relay.reader.timeline(id)).filter(({ what }) => what === 'outcome')
    return outcomes.length >= 2
  })

  expect(relay.simulator.dispatches()).toEqual([])
  expect(await relay.reader.promotion(id)).toMatchObject({ deadLetters: 0 })
  expect(await relay.redis.hget(`{relay:0}:promotion:${id}`, 'spent')).toBe('0')
  expect(await relay.reader.openCircuits()).toEqual([])

  await replica.restart()
  await follows(1)

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  expect(relay.simulator.dispatches()).toHaveLength(1)
})
