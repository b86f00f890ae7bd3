/** A database of the shared test Redis for one test file, emptied: each vitest process has one of its own. */
import { Redis } from 'ioredis'
import { inject } from 'vitest'

/** @returns the address of an empty database. Call `empty` between tests. */
export async function testRedis(): Promise<{ url: string; empty(): Promise<void> }> {
  const database = Number(process.env.VITEST_POOL_ID ?? 1) % 16
  const url = new URL(`/${database}`, inject('redisUrl')).href
  const empty = async () => {
    const redis = new Redis(url)
    await redis.flushdb()
    redis.disconnect()
  }
  await empty()
  return { url, empty }
}
