import { expect, test } from 'vitest'
import { DELIVERY_FAULTS, DISPATCH_FAULTS, STRIKES } from '../chaos/faults.ts'
import { createRandom } from '../chaos/random.ts'
import { dealDeliveries, dealDispatches, planDeliveries, planStrikes, planWays } from '../chaos/schedule.ts'

const load = (seed: number) =>
  planDeliveries(createRandom(seed), { promotions: 300, targets: 20, durationMs: 60_000 })

test('the same seed plans the same, another seed something else', () => {
  expect(planStrikes(createRandom(7), 60_000, 20)).toEqual(planStrikes(createRandom(7), 60_000, 20))
  expect(load(7)).toEqual(load(7))
  expect(load(7)).not.toEqual(load(8))
})

test('a fork draws the same however often its origin has drawn', () => {
  const origin = createRandom(7)
  origin.next()
  expect(origin.fork('load').next()).toBe(createRandom(7).fork('load').next())
})

test('every strike is planned at least once, in a short run too', () => {
  const planned = new Set(planStrikes(createRandom(7), 5_000, 20).map(({ strike }) => strike))
  expect([...planned].sort()).toEqual(Object.keys(STRIKES).sort())
})

test('each deck of dispatches holds every fault', () => {
  const deal = dealDispatches(createRandom(7), 50)
  const deck = new Set(Array.from({ length: 50 }, () => deal.next().value))
  expect([...deck].filter(Boolean).sort()).toEqual(Object.keys(DISPATCH_FAULTS).sort())
})

test('each deck of webhooks holds every fault', () => {
  const deal = dealDeliveries(createRandom(7))
  const deck = new Set(Array.from({ length: 40 }, () => deal.next().value))
  expect([...deck].filter(Boolean).sort()).toEqual(Object.keys(DELIVERY_FAULTS).sort())
})

test('runs are followed by webhooks alone for a while, by the poll alone for another, and by both in the end', () => {
  expect(planWays(40_000)).toEqual([
    { atMs: 10_000, way: 'webhooks' },
    { atMs: 20_000, way: 'poll' },
    { atMs: 30_000, way: 'both' },
  ])
})

test('new versions of a target ascend, and only a rollback or a late delivery goes back', () => {
  const newest = new Map<string, number>()
  for (const { kind, target, version } of load(7)) {
    if (kind === 'new' || kind === 'foreign') {
      expect(Number(version)).toBeGreaterThan(newest.get(target) ?? 0)
      newest.set(target, Number(version))
    } else expect(Number(version)).toBeLessThanOrEqual(newest.get(target) ?? 0)
  }
})
