import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../worker/dispatch/backoff.ts'

const POLICY = { baseMs: 2_000, maxMs: 300_000 }
const ALMOST_ONE = 1 - Number.EPSILON / 2

function setup(policy = POLICY) {
  return { pauseAfter: (failed: number, random: number) => backoffMs(policy, failed, () => random) }
}

describe('exponential back-off with full jitter', () => {
  test('the ceiling doubles with each failure until it meets the bound', () => {
    const { pauseAfter } = setup()
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((failed) => pauseAfter(failed, ALMOST_ONE))
    expect(ceilings).toEqual([
      2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000,
    ])
  })

  test('the jitter is full: nothing below the ceiling is left out', () => {
    const { pauseAfter } = setup()
    expect([0, 0.25, 0.5, 0.75].map((random) => pauseAfter(3, random))).toEqual([0, 2_000, 4_000, 6_000])
  })

  test('the lowest random number means no pause, whatever the attempt', () => {
    const { pauseAfter } = setup()
    for (const failed of [1, 8, 1_000_000]) expect(pauseAfter(failed, 0)).toBe(0)
  })

  test('an attempt number beyond all powers stays finite and bounded', () => {
    const { pauseAfter } = setup()
    for (const failed of [64, 1_024, 1_025, 1e9, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE]) {
      expect(pauseAfter(failed, ALMOST_ONE)).toBe(300_000)
      expect(pauseAfter(failed, 0.5)).toBe(150_000)
    }
  })

  test('a bound below the base is kept', () => {
    expect(setup({ baseMs: 60_000, maxMs: 1_000 }).pauseAfter(1, ALMOST_ONE)).toBe(1_000)
  })

  test('it is whole milliseconds, as Redis and BullMQ take them', () => {
    const { pauseAfter } = setup({ baseMs: 33.3, maxMs: 1_000.7 })
    for (const failed of [1, 2, 9]) expect(pauseAfter(failed, 0.123456)).toSatisfy(Number.isInteger)
  })

  test('random numbers are asked for once a pause', () => {
    let asked = 0
    backoffMs(POLICY, 4, () => {
      asked++
      return 0.5
    })
    expect(asked).toBe(1)
  })
})
