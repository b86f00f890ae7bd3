// What happens to Redis itself: killed and restarted on its data, or on data about a second old, as after losing a
// machine that had not written them yet (kill -9 alone loses nothing: the page cache survives it).
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { PrivateRedis } from '../support/private-redis.ts'
import type { Tally } from './faults.ts'
import { ROLLED_BACK_MS } from './timing.ts'

/** What was accepted within it may be lost: the documented bound. ms since the epoch. */
export interface LostWindow {
  from: number
  to: number
}

export interface RedisStrikesDeps {
  redis: PrivateRedis
  tally: Tally
  /** Something happened since then that must not be forgotten: a promotion that was accepted before was sent. */
  hurts(since: number): boolean
}

/** At most so much is lost, waiting for what hurts, ms: `everysec` may lose as much. */
const LONGEST_WINDOW_MS = 2_000

export function createRedisStrikes({ redis, tally, hurts }: RedisStrikesDeps) {
  const windows: LostWindow[] = []
  const live = path.join(redis.dir, 'appendonlydir')
  const copy = path.join(redis.dir, 'copied')
  let last: Promise<void> = Promise.resolve()
  /** One after the other: a restart takes its time. */
  const inTurn = (strike: () => Promise<void>) => {
    last = last.then(strike)
    return last
  }
  return {
    windows,
    kill: () =>
      inTurn(async () => {
        await redis.kill()
        await redis.restart()
        tally.struck('redis-killed')
      }),
    rollBack: () =>
      inTurn(async () => {
        const from = Date.now()
        await cp(live, copy, { recursive: true })
        await pause(ROLLED_BACK_MS)
        while (!hurts(from) && Date.now() < from + LONGEST_WINDOW_MS) await pause(20)
        await redis.kill()
        const to = Date.now()
        await rm(live, { recursive: true })
        await cp(copy, live, { recursive: true })
        await rm(copy, { recursive: true })
        await redis.restart()
        windows.push({ from, to })
        tally.struck('redis-rolled-back')
      }),
    /** Every strike is over, and Redis runs. */
    settled: () => last,
  }
}
