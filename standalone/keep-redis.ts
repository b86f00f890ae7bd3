/**
 * The embedded Redis is the relay's own to keep: where it ends while the relay runs (out of memory, a stray kill),
 * it is started again on its data. Every connection finds it by itself, since it takes its old port if that is free.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../shared/logger.ts'
import type { EmbeddedRedis, EmbeddedRedisResult } from '../shared/redis/embedded/start.ts'

export interface KeepRedisOptions {
  redis: EmbeddedRedis
  start(): Promise<EmbeddedRedisResult>
  /** Whether it answers the relay now. */
  answers(): boolean
  log: Logger
}

const LOOK_EVERY_MS = 1_000

/** @returns ends the watch, and gives up what it started: whoever gives up `redis` last ends the server. */
export function keepRedis({ redis, start, answers, log }: KeepRedisOptions): () => Promise<void> {
  const stopping = new AbortController()
  const started: EmbeddedRedis[] = []
  const watching = watch()
  return async () => {
    stopping.abort()
    await watching
    for (const each of started) await each.stop()
  }

  async function watch(): Promise<void> {
    let missed = 0
    while (!stopping.signal.aborted) {
      await pause(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
      missed = answers() ? 0 : missed + 1
      // Once may be a moment of reconnecting.
      if (missed < 2 || stopping.signal.aborted) continue
      const again = await start().catch((error: Error) => ({
        ok: false as const,
        explanation: error.message,
      }))
      if (!again.ok) log.error({ reason: again.explanation }, 'The embedded Redis is gone and does not start')
      else {
        started.push(again.redis)
        if (again.redis.url === redis.url) log.warn('The embedded Redis was gone and runs again')
        else log.fatal('The embedded Redis runs again, but on another port: start promotion-relay again')
      }
      missed = 0
    }
  }
}
