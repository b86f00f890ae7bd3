// Leases: one at a time, for a while, over by itself.
import { expect, test } from 'vitest'
import { createLease } from '../../shared/ledger/lease.ts'
import { until } from '../support/until.ts'
import { setup as ledgerSetup } from './ledger-setup.ts'

async function setup() {
  const { redis, key } = await ledgerSetup()
  return { take: createLease({ redis }), other: createLease({ redis }), redis, key }
}

test('of many who ask at once one gets it', async () => {
  const { take, other } = await setup()

  const got = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? take : other)('sweep', 60_000)))

  expect(got.filter(Boolean)).toHaveLength(1)
})

test('each name is leased by itself', async () => {
  const { take } = await setup()

  expect([await take('sweep', 60_000), await take('resolve:a', 60_000)]).toEqual([true, true])
  expect([await take('sweep', 60_000), await take('resolve:b', 60_000)]).toEqual([false, true])
})

test('it ends by itself, also when its holder has died', async () => {
  const { take, other, redis, key } = await setup()
  expect(await take('sweep', 100)).toBe(true)
  expect(await redis.pttl(key('lease', 'sweep'))).toBeLessThanOrEqual(100)

  await until('somebody else gets it', () => other('sweep', 60_000))
})

test('who asks in vain does not make it last longer', async () => {
  const { take, other, redis, key } = await setup()
  await take('sweep', 1_000)
  await other('sweep', 60_000)

  expect(await redis.pttl(key('lease', 'sweep'))).toBeLessThanOrEqual(1_000)
})
