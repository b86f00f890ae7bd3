/**
 * Reading the ledger: single promotions, lists, targets, counts. Writes nothing. Figures that `/metrics` shows
 * for all workers together are counted in Redis by the scripts and read here.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'
import { createEnds, type EndCount } from './ends.ts'
import { readFields, readHashes } from './hashes.ts'
import { PRESENT_MS } from './presence.ts'
import {
  ENDED,
  type Hold,
  type Promotion,
  promotionFrom,
  type State,
  type Target,
  type TimelineEntry,
  targetName,
} from './promotion-record.ts'
import { timelineFrom } from './timeline.ts'

export interface OpenCircuit {
  scope: string
  /** Number of its opening. */
  number: number
  reason: string
  detail: string
  sinceMs: number
  untilMs: number
  /** The next promotion goes as its probe. */
  halfOpen?: boolean
}

/** A promotion of which a run may exist that the ledger does not know. */
export interface Doubtful {
  promotion: Promotion
  why: 'unknown' | 'epoch'
  /** Intent of the attempt in doubt, ms since the epoch; the acceptance where a restart made it doubtful. */
  since: number
  /** When the doubt arose. */
  doubtSince: number
  /** Complete listings without its run, ever. */
  looks: number
  /** Its run does not show its id, whatever others do: the workflow does not declare the input. */
  unnamed: boolean
  spent: number
}

/** A promotion whose run is looked for: it was created between these two, by the ledger's clock. */
export interface Searching {
  id: string
  /** Intent, ms since the epoch. */
  from: number
  /** When its dispatch was told, ms since the epoch. */
  until: number
}

/** How long a promotion took that GitHub has taken. */
export interface Took {
  id: string
  model: string
  environment: string
  version: string
  state: State
  /** Its acceptance, ms since the epoch. */
  at: number
  toDispatchMs: number
  toEndMs?: number
}

const TIMES = [
  'id',
  'model',
  'environment',
  'version',
  'state',
  'acceptedAt',
  'dispatchedAt',
  'endedAt',
] as const
const TIMES_AT_ONCE = 200

/** States that have a list of their own in the ledger. */
export const LISTED_STATES = ['accepted', 'dispatching', 'dispatched', 'unresolved', 'dead_lettered'] as const
export type ListedState = (typeof LISTED_STATES)[number]

export type LedgerReader = ReturnType<typeof createLedgerReader>

export function createLedgerReader({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const key = (...parts: string[]) => [prefix, ...parts].join(':')

  const hashes = (keys: string[]) => readHashes(redis, keys)

  const ends = createEnds({ redis, nowMs: redisNowMs, prefix })

  async function promotions(ids: string[]): Promise<Promotion[]> {
    const records = await hashes(ids.map((id) => key('promotion', id)))
    return records.flatMap((record) => promotionFrom(record) ?? [])
  }

  async function timesOf(ids: readonly string[]): Promise<Took[]> {
    const records = await readFields(
      redis,
      ids.map((id) => key('promotion', id)),
      TIMES,
    )
    return records.flatMap((record) => tookFrom(record) ?? [])
  }

  return {
    promotions,

    async promotion(id: string): Promise<Promotion | undefined> {
      return promotionFrom(await redis.hgetall(key('promotion', id)))
    },

    async timeline(id: string): Promise<TimelineEntry[]> {
      const [entries, record] = await Promise.all([
        redis.lrange(key('timeline', id), 0, -1),
        redis.hgetall(key('promotion', id)),
      ])
      return timelineFrom(entries, promotionFrom(record))
    },

    /** Newest first. */
    async newest(limit: number): Promise<Promotion[]> {
      return promotions(await redis.zrevrange(key('promotions'), 0, limit - 1))
    },

    /** When each of the newest `limit` was dispatched and ended; the newest first. */
    async times(limit: number): Promise<Took[]> {
      return timesOf(await redis.zrevrange(key('promotions'), 0, limit - 1))
    },

    /** Of those that GitHub has taken, the newest `limit`, as far as they are among the newest `most`; the newest first. */
    async timesOfTaken(limit: number, most: number): Promise<Took[]> {
      const taken: Took[] = []
      for (let from = 0; from < most && taken.length < limit; from += TIMES_AT_ONCE) {
        const ids = await redis.zrevrange(key('promotions'), from, from + TIMES_AT_ONCE - 1)
        taken.push(...(await timesOf(ids)))
        if (ids.length < TIMES_AT_ONCE) break
      }
      return taken.slice(0, limit)
    },

    /** Ids in a state, in the order in which they were accepted. */
    async idsIn(state: ListedState): Promise<string[]> {
      return redis.zrange(key('state', state), 0, '-1')
    },

    async targets(limit: number): Promise<Target[]> {
      const names = await redis.zrevrange(key('targets'), 0, limit - 1)
      const records = await hashes(names.map((name) => key('target', name)))
      return records.map(targetFrom)
    },

    /** The target's pending promotion, where nothing but the place in flight keeps it waiting. */
    async nextOf(of: { model: string; environment: string }): Promise<Promotion | undefined> {
      const [pending, hold] = await redis.hmget(key('target', targetName(of)), 'pending', 'hold')
      if (!pending || isStopped(hold, pending)) return undefined
      const [next] = await promotions([pending])
      return next?.wait?.code === 'in_flight' ? next : undefined
    },

    /** Held targets by who holds them. */
    async holds(): Promise<Record<Hold['kind'], number>> {
      const kinds = await redis.hvals(key('holds'))
      const count = (kind: Hold['kind']) => kinds.filter((one) => one === kind).length
      return { person: count('person'), rollback: count('rollback') }
    },

    async target(of: { model: string; environment: string }): Promise<Target | undefined> {
      const record = await redis.hgetall(key('target', targetName(of)))
      return record.model === undefined ? undefined : targetFrom(record)
    },

    /** The target's newest promotion, as far as order is concerned. */
    async newestOf(of: {
      model: string
      environment: string
    }): Promise<{ version: string; acceptedAt: number } | undefined> {
      const id = await redis.hget(key('target', targetName(of)), 'newest')
      const [record] = id ? await hashes([key('promotion', id)]) : []
      return record?.version === undefined
        ? undefined
        : { version: record.version, acceptedAt: Number(record.promotedAt || record.acceptedAt) }
    },

    async countByState(): Promise<Record<ListedState, number>> {
      const counts = await Promise.all(LISTED_STATES.map((state) => redis.zcard(key('state', state))))
      return Object.fromEntries(LISTED_STATES.map((state, i) => [state, counts[i] ?? 0])) as Record<
        ListedState,
        number
      >
    },

    /** Acceptance of the longest waiting promotion, ms since the epoch; undefined if none waits. */
    async oldestWaitingSince(): Promise<number | undefined> {
      const [, score] = await redis.zrange(key('state', 'accepted'), 0, '0', 'WITHSCORES')
      return score === undefined ? undefined : Number(score)
    },

    /** `accepted`, `superseded`, `drifts`, `rollbacks:<kind>` and `deployments:<conclusion>`, ever. */
    async counters(): Promise<Record<string, number>> {
      const counters = await redis.hgetall(key('counters'))
      return Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, Number(value)]))
    },

    /** Triggers that ended within the last `windowMinutes`, of all workers, counted by whole minutes. */
    async triggers(windowMinutes: number): Promise<EndCount> {
      const [count] = await ends.within('triggers', [windowMinutes])
      return count ?? { good: 0, bad: 0 }
    },

    endsWithin: ends.within,

    endsByHour: ends.byHour,

    /** Acceptance of the newest promotion, ms since the epoch; undefined before the first. */
    async lastAcceptedAt(): Promise<number | undefined> {
      const [, score] = await redis.zrange(key('promotions'), -1, '-1', 'WITHSCORES')
      return score === undefined ? undefined : Number(score)
    },

    /** Workers that were able to work within the last minute. */
    async workers(): Promise<number> {
      return redis.zcount(key('workers'), (await redisNowMs()) - PRESENT_MS, '+inf')
    },

    /** Of the newest targets, those whose newest promotion has ended and whose live version is another. */
    async drifted(limit: number): Promise<number> {
      const names = await redis.zrevrange(key('targets'), 0, limit - 1)
      const targets = names.map((name) => key('target', name))
      const records = await readFields(redis, targets, ['newest', 'live', 'livePromotion'])
      const behind = records.filter(({ newest, livePromotion }) => newest && newest !== livePromotion)
      const promotionsOf = behind.map((record) => key('promotion', record.newest))
      const newest = await readFields(redis, promotionsOf, ['state', 'version'])
      return newest.filter(({ state, version }, i) => {
        // What was skipped was not meant to go live.
        const ended = ENDED.includes(state as State) && state !== 'skipped'
        return ended && version !== behind[i]?.live
      }).length
    },

    async openCircuits(): Promise<OpenCircuit[]> {
      const scopes = await redis.smembers(key('circuits'))
      const records = await hashes(scopes.map((scope) => key('circuit', scope)))
      return records.flatMap((record, i) =>
        record.reason === undefined
          ? []
          : {
              scope: scopes[i] ?? '',
              number: Number(record.number),
              reason: record.reason,
              detail: record.detail ?? '',
              sinceMs: Number(record.since),
              untilMs: Number(record.until),
              ...(record.halfOpen === '1' ? { halfOpen: true } : {}),
            },
      )
    },

    /** Id of the promotion whose run it is; '' if it is none of ours. */
    async ownerOf(runId: string): Promise<string> {
      return (await redis.get(key('run', runId))) ?? ''
    },

    /** Promotions in doubt of owner/name/workflow, oldest doubt first. */
    async inDoubt(scope: string): Promise<Doubtful[]> {
      const ids = await redis.zrange(key('doubts', scope), 0, '-1')
      const records = await hashes(ids.map((id) => key('promotion', id)))
      return records.flatMap((record) => doubtfulFrom(record) ?? [])
    },

    /** Promotions of owner/name/workflow that GitHub took without naming their run. */
    async searching(scope: string): Promise<Searching[]> {
      const ids = await redis.zrange(key('searching', scope), 0, '-1')
      const records = await hashes(ids.map((id) => key('promotion', id)))
      return records.flatMap(({ id, intentAt, dispatchedAt, state }) =>
        id && state === 'dispatched' ? { id, from: Number(intentAt), until: Number(dispatchedAt) } : [],
      )
    },

    /** Promotions of owner/name/workflow that may have started a run and have not told its end, or forgotten it. */
    async untold(scope: string): Promise<Searching[]> {
      const lists = [key('state', 'dispatching'), key('state', 'unresolved'), key('doubts', scope)]
      const ids = await Promise.all(lists.map((name) => redis.zrange(name, 0, '-1')))
      const records = await hashes([...new Set(ids.flat())].map((id) => key('promotion', id)))
      const nowMs = await redisNowMs()
      return records.flatMap((record) => {
        if (!record.id || record.scope !== scope) return []
        const byRestart = record.doubt === 'epoch' || record.unresolvedOf === 'epoch' || !record.intentAt
        return {
          id: record.id,
          from: Number(byRestart ? record.forgottenSince || record.acceptedAt : record.intentAt),
          until: nowMs,
        }
      })
    },

    /** Ids of promotions by run id, of those runs that are ours. */
    async owners(runIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
      if (runIds.length === 0) return new Map()
      const ids = await redis.mget(runIds.map((runId) => key('run', runId)))
      return new Map(runIds.flatMap((runId, i) => (ids[i] ? [[runId, ids[i]] as const] : [])))
    },

    nowMs: redisNowMs,
  }

  async function redisNowMs(): Promise<number> {
    const [seconds, micros] = await redis.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }
}

function tookFrom(record: Record<(typeof TIMES)[number], string>): Took | undefined {
  const { id, model, environment, version, acceptedAt, dispatchedAt, endedAt } = record
  if (id === '' || dispatchedAt === '') return undefined
  const at = Number(acceptedAt)
  const toEnd = endedAt === '' ? {} : { toEndMs: Number(endedAt) - at }
  const state = record.state as State
  return { id, model, environment, version, state, at, toDispatchMs: Number(dispatchedAt) - at, ...toEnd }
}

function doubtfulFrom(record: Record<string, string>): Doubtful | undefined {
  const promotion = promotionFrom(record)
  if (!promotion || (record.doubt !== 'unknown' && record.doubt !== 'epoch')) return undefined
  return {
    promotion,
    why: record.doubt,
    since:
      record.doubt === 'epoch'
        ? Number(record.forgottenSince || promotion.acceptedAt)
        : Number(record.intentAt),
    doubtSince: Number(record.doubtSince),
    looks: Number(record.looks ?? 0),
    unnamed: record.unnamed === '1',
    spent: Number(record.spent),
  }
}

export function targetFrom(record: Record<string, string>): Target {
  const optional = (name: 'live' | 'previous' | 'inFlight' | 'pending' | 'newest') =>
    record[name] ? { [name]: record[name] } : {}
  return {
    model: record.model ?? '',
    environment: record.environment ?? '',
    seq: Number(record.seq ?? 0),
    ...optional('live'),
    ...(record.liveSince ? { liveSince: Number(record.liveSince) } : {}),
    ...(record.drift ? { drift: JSON.parse(record.drift) as NonNullable<Target['drift']> } : {}),
    ...optional('previous'),
    ...optional('inFlight'),
    ...optional('pending'),
    ...optional('newest'),
    ...(record.hold ? { hold: JSON.parse(record.hold) as Hold } : {}),
  }
}

/** By a person, who lets at most a rollback of their own pass. */
function isStopped(hold: string | null | undefined, pending: string): boolean {
  if (!hold) return false
  const { kind, passes } = JSON.parse(hold) as Hold
  return kind === 'person' && passes !== pending
}

export function isListed(state: State): state is ListedState {
  return (LISTED_STATES as readonly State[]).includes(state)
}
