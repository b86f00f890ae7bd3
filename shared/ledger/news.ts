/**
 * The ledger's outbox: what is to be told of promotions, written by the same scripts that move them, so that nothing
 * is lost between the two. Whoever has taken an entry over removes it; until then it comes again.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'
import { type Promotion, promotionFrom, type State, targetName } from './promotion-record.ts'

export interface NewsEntry {
  promotionId: string
  /** Where it has come to, also if it has gone on since. */
  state: State
  /** From 1, of this promotion. */
  number: number
  /** ms since the epoch, Redis's clock. */
  at: number
}

/** What is true now of the version that a promotion has brought. */
export interface Standing {
  /** The version is what is live for the target. */
  isLive: boolean
  /** A later promotion of the same version that was sent, or still may be. */
  later?: Promotion
}

export type Outbox = ReturnType<typeof createOutbox>

export function createOutbox({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const key = (...parts: string[]) => [prefix, ...parts].join(':')
  const news = key('news')

  return {
    /** The oldest entries, at most so many. */
    async waiting(most: number): Promise<NewsEntry[]> {
      const flat = await redis.zrange(news, 0, String(most - 1), 'WITHSCORES')
      const entries: NewsEntry[] = []
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const [, promotionId, state, number] = /^(.+) (\w+) (\d+)$/.exec(flat[i] ?? '') ?? []
        if (promotionId === undefined) continue
        entries.push({ promotionId, state: state as State, number: Number(number), at: Number(flat[i + 1]) })
      }
      return entries
    },

    async remove({ promotionId, state, number }: NewsEntry): Promise<void> {
      await redis.zrem(news, `${promotionId} ${state} ${number}`)
    },

    /** Nobody wants to be told of anything. */
    async drop(): Promise<void> {
      await redis.del(news)
    },

    async standing({ id, model, version, environment, seq }: Promotion): Promise<Standing> {
      const target = targetName({ model, environment })
      const [live, livePromotion, newest] = await redis.hmget(
        key('target', target),
        'live',
        'livePromotion',
        'newest',
      )
      const seen = await redis.get(key('seen', `${target}\n${version}`))
      const others = new Set([seen, livePromotion, newest].filter((one) => one && one !== id))
      const records = await Promise.all([...others].map((one) => redis.hgetall(key('promotion', one ?? ''))))
      const later = records
        .flatMap((record) => promotionFrom(record) ?? [])
        .find((one) => one.version === version && one.seq > seq && !NEVER_SENT.includes(one.state))
      return { isLive: live === version, ...(later && { later }) }
    },

    /** All of this ledger is simulated. */
    async simulated(): Promise<boolean> {
      return (await redis.exists(key('simulated'))) === 1
    },
  }
}

const NEVER_SENT: readonly State[] = ['superseded', 'skipped']
