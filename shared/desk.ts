/**
 * What ops see: dead letters, circuits, figures, and whatever they look for. On the ledger's lists and, read only, on
 * the queue of dead letters. Each call does bounded work, however much there is: pages, pipelines, no trip an item.
 */
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { createInvalidJobs, type InvalidJob } from './invalid-jobs.ts'
import type { Counted, EndCount, HourOfEnds } from './ledger/ends.ts'
import {
  type Listing,
  mergePages,
  type Page,
  type PageRequest,
  type PromotionFilter,
} from './ledger/listing.ts'
import type { Hold, Promotion, Target } from './ledger/promotion-record.ts'
import type { LedgerReader, ListedState, OpenCircuit, Took } from './ledger/read.ts'
import { KEY_PREFIX } from './redis/connect.ts'

export const LETTER_STATES = ['dead_lettered', 'unresolved'] as const
export type LetterState = (typeof LETTER_STATES)[number]

export interface LettersAsked extends PageRequest, Pick<PromotionFilter, 'model' | 'environment'> {
  state?: LetterState | undefined
  /** In its reason, in small or capital letters. */
  reason?: string | undefined
}

/** Half of them took no longer than `p50`, 99 of 100 no longer than `p99`, ms. */
export interface Latency {
  of: number
  p50?: number
  p99?: number
}

export interface Stats {
  /** ms since the epoch, Redis's clock. */
  at: number
  /** See `LedgerReader.counters`. */
  counters: Record<string, number>
  states: Record<ListedState, number>
  triggers: Record<Window, EndCount>
  deployments: Record<Window, EndCount>
  /** Acceptance of the longest waiting promotion, ms since the epoch. */
  oldestWaitingSince?: number
  /** Acceptance of the newest promotion, ms since the epoch. */
  lastAcceptedAt?: number
  /** That were able to work within the last minute. */
  workers: number
  holds: Record<Hold['kind'], number>
  openCircuits: number
  /** Dead-lettered and unresolved. */
  deadLetters: number
  /** Of the 200 promotions accepted last: from acceptance to dispatch, and to live. */
  latency: { toDispatch: Latency; toLive: Latency }
}

export const WINDOWS = { '1h': 60, '24h': 24 * 60 } as const
export type Window = keyof typeof WINDOWS

export interface Found {
  promotions: Promotion[]
  targets: Target[]
}

export interface Desk {
  /** Promotions that wait for a person, in the order in which they were accepted, the newest first. */
  deadLetters(asked: LettersAsked): Promise<Page<Promotion>>
  /** See `InvalidJobs.newest`. */
  invalidJobs(limit: number): Promise<InvalidJob[]>
  circuits(): Promise<OpenCircuit[]>
  stats(): Promise<Stats>
  /** The last so many hours, a day's at the most, oldest first. */
  endsByHour(what: Counted, hours: number): Promise<HourOfEnds[]>
  /** Those that GitHub has taken, of the promotions accepted last, the oldest first. */
  latencies(most: number): Promise<Took[]>
  /**
   * By the id of a promotion, or its beginning of 8 and more characters; by the number of a run; by a model, a part of
   * its name, or a version. Ids and models are looked for among the newest.
   */
  find(text: string): Promise<Found>
}

export interface DeskDeps {
  reader: LedgerReader
  listing: Listing
  redis: Redis
  /** BullMQ's queue of dead letters. */
  deadLetters: Pick<Queue, 'toKey'>
  prefix?: string | undefined
}

/** Promotions whose times are looked at. */
const RECENT = 200
const LOOKED_AT = 1_000
/** Names of ids and of targets that a search looks at, and what it finds at the most. */
const NAMES = 20_000
const MOST_FOUND = 20
const AT_ONCE = 2_000

export function createDesk(deps: DeskDeps): Desk {
  const { reader, listing, redis, deadLetters: queue, prefix = KEY_PREFIX } = deps

  async function deadLetters({ limit, after, state, reason, ...filter }: LettersAsked) {
    const states = state === undefined ? LETTER_STATES : [state]
    const asked = reason?.toLowerCase()
    // Where none is asked for a page reads no more than it shows.
    const hasReason =
      asked === undefined ? undefined : (one: Promotion) => one.reason.toLowerCase().includes(asked)
    const pages = await Promise.all(
      states.map((of) => listing.promotions({ ...filter, state: of, limit, after }, hasReason)),
    )
    return mergePages(pages, ({ id, acceptedAt }) => ({ at: acceptedAt, name: id }), limit)
  }

  async function stats(): Promise<Stats> {
    const minutes = Object.values(WINDOWS)
    const [at, counters, states, waiting, newestAt, workers, holds, open, triggers, deployments, recent] =
      await Promise.all([
        reader.nowMs(),
        reader.counters(),
        reader.countByState(),
        reader.oldestWaitingSince(),
        reader.lastAcceptedAt(),
        reader.workers(),
        reader.holds(),
        reader.openCircuits(),
        reader.endsWithin('triggers', minutes),
        reader.endsWithin('deployments', minutes),
        reader.times(RECENT),
      ])
    return {
      at,
      counters,
      states,
      triggers: byWindow(triggers),
      deployments: byWindow(deployments),
      ...(waiting === undefined ? {} : { oldestWaitingSince: waiting }),
      ...(newestAt === undefined ? {} : { lastAcceptedAt: newestAt }),
      workers,
      holds,
      openCircuits: open.length,
      deadLetters: states.dead_lettered + states.unresolved,
      latency: {
        toDispatch: latencyOf(recent.map(({ toDispatchMs }) => toDispatchMs)),
        toLive: latencyOf(
          recent.flatMap(({ state, toEndMs }) => (state === 'deployed' ? (toEndMs ?? []) : [])),
        ),
      },
    }
  }

  async function latencies(most: number): Promise<Took[]> {
    return (await reader.timesOfTaken(most, LOOKED_AT)).reverse()
  }

  async function find(asked: string): Promise<Found> {
    const text = asked.trim()
    if (text === '') return { promotions: [], targets: [] }
    const limit = MOST_FOUND
    const [byId, byRun, ofModel, ofVersion, own, named] = await Promise.all([
      idsLike(text.toLowerCase()),
      /^\d{1,20}$/.test(text) ? reader.ownerOf(text) : '',
      listing.promotions({ model: text, limit }),
      listing.promotions({ version: text, limit }),
      // Also where so much was promoted since that they are not among the newest.
      listing.targets({ model: text, limit }),
      listing.targetsLike({ text, limit, most: NAMES }),
    ])
    const exact = await reader.promotions([...byId, ...(byRun === '' ? [] : [byRun])])
    const found = [...exact, ...ofModel.items, ...ofVersion.items]
    return {
      promotions: distinct(found, ({ id }) => id).slice(0, limit),
      targets: distinct(
        [...own.items, ...named],
        ({ model, environment }) => `${environment}/${model}`,
      ).slice(0, limit),
    }
  }

  /** Ids that begin so, the newest first. */
  async function idsLike(text: string): Promise<string[]> {
    if (!/^[0-9a-f-]{8,36}$/.test(text)) return []
    if (text.length === 36) return [text]
    const ids: string[] = []
    for (let from = 0; from < NAMES && ids.length < MOST_FOUND; from += AT_ONCE) {
      const some = await redis.zrevrange(`${prefix}:promotions`, from, from + AT_ONCE - 1)
      ids.push(...some.filter((id) => id.startsWith(text)))
      if (some.length < AT_ONCE) break
    }
    return ids.slice(0, MOST_FOUND)
  }

  return {
    deadLetters,
    invalidJobs: createInvalidJobs({ redis, prefix, queue }).newest,
    circuits: reader.openCircuits,
    stats,
    endsByHour: reader.endsByHour,
    latencies,
    find,
  }
}

function byWindow(counts: readonly EndCount[]): Record<Window, EndCount> {
  const [hour = { good: 0, bad: 0 }, day = { good: 0, bad: 0 }] = counts
  return { '1h': hour, '24h': day }
}

/** By the nearest rank: what is shown is a time that there was. */
function latencyOf(times: readonly number[]): Latency {
  if (times.length === 0) return { of: 0 }
  const sorted = times.toSorted((a, b) => a - b)
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { of: sorted.length, p50: rank(0.5), p99: rank(0.99) }
}

function distinct<T>(all: readonly T[], nameOf: (one: T) => string): T[] {
  return [...new Map(all.map((one) => [nameOf(one), one])).values()]
}
