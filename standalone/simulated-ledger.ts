/**
 * Keeps what is simulated and what is real apart on a Redis that was named: the simulator must never "deploy" real
 * promotions, and simulated ones must never reach GitHub. A ledger is marked simulated when the first simulated relay
 * begins on it empty; feedback reads the mark, and says so.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../shared/redis/connect.ts'
import { askNamedRedis } from './named-redis.ts'

/** @returns why a simulated relay may not use it, or undefined. */
export function claimForSimulation(url: string): Promise<string | undefined> {
  const unreachable = (fault: string) => `the Redis in REDIS_URL can't be used (${fault})`
  return askNamedRedis(url, unreachable, async (redis) => {
    if (await isSimulated(redis)) return undefined
    if (await holdsPromotions(redis)) {
      return 'nothing of GitHub is set, but the Redis in REDIS_URL holds real promotions: the simulator must not take them. Set GitHub, or use another Redis'
    }
    await redis.set(MARK, '1')
    return undefined
  })
}

/** Of the simulator's own Redis, also one of before there was a mark: whoever is told of it must know. */
export function markSimulated(url: string): Promise<string | undefined> {
  const unreachable = (fault: string) => `the Redis of the simulator can't be used (${fault})`
  return askNamedRedis(url, unreachable, async (redis) => {
    await redis.set(MARK, '1')
    return undefined
  })
}

/**
 * @returns why a relay that dispatches to GitHub may not use it, or undefined: also where it can't be reached, since a
 * worker waits for its Redis.
 */
export function refuseSimulated(url: string): Promise<string | undefined> {
  return askNamedRedis(
    url,
    () => undefined,
    async (redis) => {
      if (!(await isSimulated(redis))) return undefined
      if (await holdsPromotions(redis)) {
        return 'the Redis in REDIS_URL holds simulated promotions: GitHub must not get them. Use another Redis, or another database of it'
      }
      await redis.del(MARK)
      return undefined
    },
  )
}

const MARK = `${KEY_PREFIX}:simulated`
const isSimulated = async (redis: Redis) => (await redis.get(MARK)) !== null
const holdsPromotions = async (redis: Redis) => (await redis.zcard(`${KEY_PREFIX}:promotions`)) > 0
