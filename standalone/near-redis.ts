/** A command's own connection to Redis: what is asked is answered within a time, or it says that it can't be reached. */
import { once } from 'node:events'
import type { Redis } from 'ioredis'

/** For one call, ms. */
export const WITHIN_MS = 5_000

export interface Away {
  kind: 'unavailable'
  text: string
}

/** Waits for the connection where it is not there (yet). */
export async function askRedis<T>(redis: Redis, work: () => Promise<T>): Promise<T | Away> {
  try {
    const signal = AbortSignal.timeout(WITHIN_MS)
    if (redis.status !== 'ready') await until(redis, signal)
    return await within(signal, work())
  } catch (error) {
    const { code } = error as { code?: unknown }
    return {
      kind: 'unavailable',
      text: `Redis can't be reached (${typeof code === 'string' ? code : 'no answer'})`,
    }
  }
}

async function until(redis: Redis, signal: AbortSignal): Promise<void> {
  let last: unknown
  const keep = (error: unknown) => {
    last = error
  }
  redis.on('error', keep)
  // `once` would take the first failed try for the end of it.
  const ready = new Promise<void>((resolve) => redis.once('ready', resolve))
  await within(signal, ready)
    .catch((error) => Promise.reject(last ?? error))
    .finally(() => redis.off('error', keep))
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = once(signal, 'abort').then(() => Promise.reject(new Error('no answer')))
  return Promise.race([work, late])
}
