// A Redis that was named: simulated promotions never reach GitHub, and real ones are never "deployed" by the simulator.
import { expect, onTestFinished, test } from 'vitest'
import { claimForSimulation, refuseSimulated } from '../../standalone/simulated-ledger.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { startProcess } from '../support/relay-process.ts'

const CLI = new URL('../../cli.ts', import.meta.url).pathname

test('a simulated ledger is simulated again, and a worker for GitHub refuses it and says why', async () => {
  const relay = await startRelay({ workers: 0 })
  expect(await claimForSimulation(relay.redisUrl)).toBeUndefined()
  await relay.promote('5')

  expect(await claimForSimulation(relay.redisUrl)).toBeUndefined()
  const { exit, output } = await startProcess(relay, [CLI, 'work'])

  expect(await exit).toEqual([2, null])
  expect(output()).toContain('the Redis in REDIS_URL holds simulated promotions: GitHub must not get them')
  expect(relay.simulator.dispatches()).toEqual([])
})

test('real promotions are refused to the simulator', async () => {
  const relay = await startRelay({ workers: 0 })
  await relay.promote('5')

  expect(await claimForSimulation(relay.redisUrl)).toContain('holds real promotions')
  expect(await refuseSimulated(relay.redisUrl)).toBeUndefined()
})

test('a ledger that was marked and never used may become real, and is then no longer for the simulator', async () => {
  const relay = await startRelay({ workers: 0 })
  await claimForSimulation(relay.redisUrl)

  expect(await refuseSimulated(relay.redisUrl)).toBeUndefined()
  await relay.promote('5')
  expect(await claimForSimulation(relay.redisUrl)).toContain('holds real promotions')
})

test('a Redis that is away is refused to the simulator, and waited for by a worker', async () => {
  const redis = await startPrivateRedis()
  onTestFinished(redis.stop)
  await redis.kill()

  expect(await claimForSimulation(redis.url)).toContain("can't be used")
  expect(await refuseSimulated(redis.url)).toBeUndefined()
})
