/**
 * One at a time: who writes to a place that holds one value waits for who does so just now, of any worker. It ends by
 * itself when its holder dies; by then what that one sent has been answered or given up.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'

export interface Turn {
  end(): Promise<void>
}

export type TakeTurn = (place: string) => Promise<Turn | undefined>

const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`

export function createTurns(deps: { redis: Redis; prefix?: string; ms: number }): TakeTurn {
  const { redis, prefix = KEY_PREFIX, ms } = deps
  return async (place) => {
    const name = `${prefix}:turn:${place}`
    const token = randomUUID()
    if ((await redis.set(name, token, 'PX', ms, 'NX')) !== 'OK') return undefined
    return { end: async () => void (await redis.eval(RELEASE, 1, name, token)) }
  }
}
