/** Which workers are there, for the figure of them: each says so now and then, and is forgotten when it stops. */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'

/** A worker that has said nothing for so long does not count, ms. */
export const PRESENT_MS = 60_000

export function createPresence({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const name = `${prefix}:workers`
  return {
    /** `worker` is the process's own: a restarted one is another. */
    async here(worker: string): Promise<void> {
      const [seconds] = await redis.time()
      const nowMs = Number(seconds) * 1000
      await redis
        .multi()
        .zadd(name, nowMs, worker)
        .zremrangebyscore(name, 0, nowMs - PRESENT_MS)
        .exec()
    },

    async gone(worker: string): Promise<void> {
      await redis.zrem(name, worker)
    },
  }
}
