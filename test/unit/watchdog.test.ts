// Waiting work and no progress: when the worker counts as stuck, when it ends, and what takes that back.
import { expect, test } from 'vitest'
import { createLogger } from '../../shared/logger.ts'
import { createWatchdog } from '../../worker/watchdog.ts'

const UNREADY_MS = 60_000
const EXIT_MS = 300_000

function setup({ waiting = 1 } = {}) {
  const lines: Record<string, unknown>[] = []
  const state = { waiting, clock: 1_000_000, ended: 0, away: false, answersAfterMs: 0 }
  const watchdog = createWatchdog({
    queue: {
      async getWaitingCount() {
        state.clock += state.answersAfterMs
        if (state.away) throw new Error('Redis is away')
        return state.waiting
      },
    },
    log: createLogger({
      level: 'trace',
      redact: (text) => text,
      destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
    }),
    unreadyMs: UNREADY_MS,
    exitMs: EXIT_MS,
    onStuck: () => void state.ended++,
    now: () => state.clock,
  })
  return {
    state,
    lines,
    watchdog,
    /** Time goes by, and it looks. */
    async lookAfter(ms: number) {
      state.clock += ms
      await watchdog.look()
    },
  }
}

test('nothing waits: the worker is ready, for however long it idles', async () => {
  const { watchdog, lookAfter, state, lines } = setup({ waiting: 0 })
  await watchdog.look()
  await lookAfter(24 * EXIT_MS)
  await lookAfter(24 * EXIT_MS)
  expect(watchdog.stuck()).toBe(false)
  expect(state.ended).toBe(0)
  expect(lines).toEqual([])
})

test('work that waits without progress makes it unready, and is told once', async () => {
  const { watchdog, lookAfter, lines, state } = setup()
  await watchdog.look()
  await lookAfter(UNREADY_MS - 1)
  expect(watchdog.stuck()).toBe(false)
  await lookAfter(1)
  expect(watchdog.stuck()).toBe(true)
  await lookAfter(10_000)
  expect(lines).toMatchObject([{ level: 'error', stuckMs: UNREADY_MS }])
  expect(state.ended).toBe(0)
})

test('a job that is begun takes it back, and the time counts anew', async () => {
  const { watchdog, lookAfter } = setup()
  await watchdog.look()
  await lookAfter(UNREADY_MS)
  watchdog.progress()
  expect(watchdog.stuck()).toBe(false)
  await lookAfter(UNREADY_MS)
  expect(watchdog.stuck()).toBe(false)
  await lookAfter(UNREADY_MS)
  expect(watchdog.stuck()).toBe(true)
})

test('an emptied queue takes it back as well: somebody else has done the work', async () => {
  const { watchdog, lookAfter, state } = setup()
  await watchdog.look()
  await lookAfter(UNREADY_MS)
  state.waiting = 0
  await lookAfter(1)
  expect(watchdog.stuck()).toBe(false)
})

test('after its limit the process is ended', async () => {
  const { watchdog, lookAfter, state } = setup()
  await watchdog.look()
  await lookAfter(EXIT_MS - 1)
  expect(state.ended).toBe(0)
  await lookAfter(1)
  expect(state.ended).toBe(1)
})

test('stuck again after progress, it is told again', async () => {
  const { watchdog, lookAfter, lines } = setup()
  await watchdog.look()
  await lookAfter(UNREADY_MS)
  watchdog.progress()
  await lookAfter(1)
  await lookAfter(UNREADY_MS)
  expect(lines).toHaveLength(2)
})

test('while Redis is away nothing can be told, and nobody is ended for it', async () => {
  const { watchdog, lookAfter, state } = setup()
  state.away = true
  await expect(lookAfter(EXIT_MS)).rejects.toThrow('Redis is away')
  await expect(lookAfter(EXIT_MS)).rejects.toThrow('Redis is away')
  expect(watchdog.stuck()).toBe(false)
  state.away = false
  await lookAfter(EXIT_MS)
  expect(state.ended).toBe(0)
})

test('time for which Redis was away is not held against the worker', async () => {
  const { watchdog, lookAfter, state } = setup()
  await watchdog.look()
  state.away = true
  await expect(lookAfter(EXIT_MS)).rejects.toThrow()
  expect(watchdog.stuck()).toBe(false)
  state.away = false
  await lookAfter(1)
  expect(state.ended).toBe(0)
})

test('an answer that Redis takes minutes for is not held against the worker either', async () => {
  const { watchdog, lookAfter, state } = setup()
  await watchdog.look()
  state.answersAfterMs = 2 * EXIT_MS
  await lookAfter(1)
  expect(watchdog.stuck()).toBe(false)
  expect(state.ended).toBe(0)
  state.answersAfterMs = 0
  await lookAfter(UNREADY_MS)
  expect(watchdog.stuck()).toBe(true)
})
