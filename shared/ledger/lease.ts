/**
 * Leases: one worker at a time does what is wasteful to do twice (sweep, resolve, probe). Not a lock: whatever is
 * leased must be harmless when two do it, since a lease ends by itself.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'

/** @returns whether it is ours now, for `ms`. It is not given back: the pause between two turns is its length. */
export type TakeLease = (name: string, ms: number) => Promise<boolean>

export function createLease({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }): TakeLease {
  return async (name, ms) => (await redis.set(`${prefix}:lease:${name}`, '1', 'PX', ms, 'NX')) === 'OK'
}
