// A deadline by two clocks: hand-set ones here, so that a process can be stopped and a machine put to sleep.
import { describe, expect, test } from 'vitest'
import { createDeadline, systemClocks } from '../../worker/github/deadline.ts'

function setup(ms = 5_000) {
  const at = { monotonic: 1_000, wall: Date.UTC(2026, 10, 23) }
  const deadline = createDeadline(ms, { monotonicMs: () => at.monotonic, wallMs: () => at.wall })
  return {
    deadline,
    /** Time goes by, for one clock or for both. */
    pass(by: { monotonic?: number; wall?: number }) {
      at.monotonic += by.monotonic ?? 0
      at.wall += by.wall ?? 0
    },
  }
}

describe('a deadline', () => {
  test('has all of its time at the beginning', () => {
    const { deadline } = setup()
    expect(deadline.leftMs()).toBe(5_000)
    expect(deadline.passed()).toBe(false)
  })

  test('runs down with time', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 4_999, wall: 4_999 })
    expect(deadline.leftMs()).toBe(1)
    expect(deadline.passed()).toBe(false)
  })

  test('has passed at its very end', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 5_000, wall: 5_000 })
    expect(deadline.passed()).toBe(true)
  })

  test('never has less than nothing left', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 60_000, wall: 60_000 })
    expect(deadline.leftMs()).toBe(0)
  })

  test('has passed when the process was stopped: both clocks went on', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 3_600_000, wall: 3_600_000 })
    expect(deadline.passed()).toBe(true)
  })

  test('has passed when the machine slept: the monotonic clock stood still', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 3, wall: 8 * 3_600_000 })
    expect(deadline.passed()).toBe(true)
  })

  test('holds when the wall clock is put back: the monotonic one tells', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 4_000, wall: 4_000 - 3_600_000 })
    expect(deadline.leftMs()).toBe(1_000)
    pass({ monotonic: 1_000, wall: 1_000 })
    expect(deadline.passed()).toBe(true)
  })

  test('gains nothing by a wall clock put back', () => {
    const { deadline, pass } = setup()
    pass({ wall: -3_600_000 })
    expect(deadline.leftMs()).toBe(5_000)
  })

  test('ends early, never late, when the wall clock is put forward', () => {
    const { deadline, pass } = setup()
    pass({ monotonic: 1, wall: 3_600_000 })
    expect(deadline.passed()).toBe(true)
  })

  test.each([0, -1])('of %i ms has passed from the start', (ms) => {
    expect(setup(ms).deadline.passed()).toBe(true)
  })

  test('takes the system’s clocks unless told otherwise', () => {
    const before = systemClocks.wallMs()
    expect(createDeadline(60_000).leftMs()).toBeGreaterThan(0)
    expect(createDeadline(0).passed()).toBe(true)
    expect(Math.abs(Date.now() - before)).toBeLessThan(60_000)
  })
})
