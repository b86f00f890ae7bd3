/**
 * Keeps what is simulated and what is real apart on a Redis that was named: the simulator must never "deploy" real
 * promotions. A ledger is marked simulated when the first simulated relay begins on it empty.
 */
import { Redis } from 'ioredis'
import { KEY_PREFIX } from '../shared/redis/connect.ts'

const ANSWERS_WITHIN_MS = 2_000

/** @returns why a simulated relay may not use it, or undefined. */
export async function claimForSimulation(url: string): Promise<string | undefined> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: ANSWERS_WITHIN_MS,
  })
  redis.on('error', () => {})
  try {
    await redis.connect()
    const marked = await redis.get(`${KEY_PREFIX}:simulated`)
    if (marked !== null) return undefined
    if ((await redis.zcard(`${KEY_PREFIX}:promotions`)) > 0) {
      return 'nothing of GitHub is set, but the Redis in REDIS_URL holds real promotions: the simulator must not take them. Set GitHub, or use another Redis'
    }
    await redis.set(`${KEY_PREFIX}:simulated`, '1')
    return undefined
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `the Redis in REDIS_URL can't be used (${code ?? message.split(' ')[0]})`
  } finally {
    redis.disconnect()
  }
}
