/**
 * What the relay remembers of the registry, in Redis beside the ledger: the version that each mapping pointed at for
 * each model when it was last taken note of; when the last complete look began; and hints of webhooks that are to be
 * looked into. Losing it costs a new baseline, and never a promotion.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { type Mapping, mappingId } from './mapping.ts'

/** A webhook has told that something was set; the registry is asked what is so. */
export interface Hint {
  mapping: string
  model: string
  /** The version that it was set to, by the webhook. */
  version: string
  /** When the registry sent it, ms since the epoch. */
  at: number
}

export type Notes = ReturnType<typeof createNotes>

export function createNotes({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const noted = (mapping: Mapping) => `${prefix}:registry:${mappingId(mapping)}`
  const looks = `${prefix}:registry-looks`
  const hints = `${prefix}:registry-hints`

  return {
    /** By model. */
    async of(mapping: Mapping): Promise<Readonly<Record<string, string>>> {
      return redis.hgetall(noted(mapping))
    },
    async versionOf(mapping: Mapping, model: string): Promise<string | undefined> {
      return (await redis.hget(noted(mapping), model)) ?? undefined
    },
    async note(mapping: Mapping, model: string, version: string): Promise<void> {
      await redis.hset(noted(mapping), model, version)
    },

    /** When the last complete look began, ms since the epoch, Redis's clock; undefined before the first. */
    async lastLook(mapping: Mapping): Promise<number | undefined> {
      const at = await redis.hget(looks, mappingId(mapping))
      return at === null ? undefined : Number(at)
    },
    async looked(mapping: Mapping, beganAt: number): Promise<void> {
      await redis.hset(looks, mappingId(mapping), String(beganAt))
    },

    /** Kept until it is looked into; of several about one alias the latest counts. */
    async keepHint(hint: Hint): Promise<void> {
      const field = `${hint.mapping}\n${hint.model}`
      const known = await redis.hget(hints, field)
      if (known !== null && (JSON.parse(known) as Hint).at > hint.at) return
      await redis.hset(hints, field, JSON.stringify(hint))
    },
    async hints(): Promise<Hint[]> {
      return (await redis.hvals(hints)).map((text) => JSON.parse(text) as Hint)
    },
    /** Unless a later one has come meanwhile: that is looked into by itself. */
    async dropHint(hint: Hint): Promise<void> {
      const field = `${hint.mapping}\n${hint.model}`
      if ((await redis.hget(hints, field)) === JSON.stringify(hint)) await redis.hdel(hints, field)
    },
  }
}
