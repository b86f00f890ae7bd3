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

/** Whole, since another hint may come at any time: of the same alias, by another server. */
const KEEP = `
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and cjson.decode(known).at > tonumber(ARGV[3]) then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])`
const DROP = `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`

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
      await redis.eval(KEEP, 1, hints, fieldOf(hint), JSON.stringify(hint), hint.at)
    },
    async hints(): Promise<Hint[]> {
      return (await redis.hvals(hints)).map((text) => JSON.parse(text) as Hint)
    },
    /** Unless a later one has come meanwhile: that is looked into by itself. */
    async dropHint(hint: Hint): Promise<void> {
      await redis.eval(DROP, 1, hints, fieldOf(hint), JSON.stringify(hint))
    },
  }
}

function fieldOf({ mapping, model }: Hint): string {
  return `${mapping}\n${model}`
}
