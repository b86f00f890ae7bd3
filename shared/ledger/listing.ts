/**
 * Lists of the ledger by the page, newest first. A page ends where it is full or where so much was looked at that the
 * next call is to go on: its work is bounded whatever is asked for. A place in a list is a time and a name, so that
 * what comes in meanwhile shifts nothing.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'
import { readHashes } from './hashes.ts'
import { type Promotion, promotionFrom, type State, type Target } from './promotion-record.ts'
import { isListed, targetFrom } from './read.ts'

/** A place in a list: what comes after it is older. */
export interface Place {
  /** ms since the epoch, Redis's clock. */
  at: number
  name: string
}

export interface Page<T> {
  items: T[]
  /** Where the next page begins; none after the last. It may hold nothing. */
  next?: Place
}

export interface PageRequest {
  limit: number
  after?: Place | undefined
}

export interface PromotionFilter {
  model?: string | undefined
  environment?: string | undefined
  state?: State | undefined
  version?: string | undefined
}

/** What more is asked of one, beside its filter. */
type Also<T> = (one: T) => boolean

export type Listing = ReturnType<typeof createListing>

/** Records that one call reads at the most. */
const MOST_RECORDS = 1_000
/** Read at once, at the most; the first time less, since often that is enough. */
const CHUNK = { first: 32, records: 101, fields: 250, names: 2_000 }

export function createListing({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const key = (...parts: string[]) => [prefix, ...parts].join(':')

  return {
    /** Promotions in the order in which they were accepted, the newest first. */
    async promotions(
      { limit, after, ...filter }: PromotionFilter & PageRequest,
      also?: Also<Promotion>,
    ): Promise<Page<Promotion>> {
      const wanted = Object.entries(filter).filter(([, value]) => value !== undefined)
      const isMeant = (one: Promotion) =>
        (also?.(one) ?? true) && wanted.every(([name, value]) => one[name as keyof PromotionFilter] === value)
      const list = await shortestList(filter)
      // Of the list of all few are meant, and the others are not read whole.
      const isPicked = wanted.length > 0 && list === key('promotions')
      const read = async (ids: string[]) => {
        const picked = isPicked ? await thatHave(wanted, ids) : ids
        const records = await readHashes(
          redis,
          picked.map((id) => key('promotion', id)),
        )
        const found = records.flatMap((record) => promotionFrom(record) ?? []).filter(isMeant)
        const byId = new Map(found.map((one) => [one.id, one]))
        return ids.map((id) => byId.get(id))
      }
      // All that is in the list is meant: one more than the page holds is enough.
      const isWhole = !also && wanted.length === (list === key('promotions') ? 0 : 1)
      const chunk = isPicked ? CHUNK.fields : isWhole ? limit + 1 : CHUNK.records
      return pageOf(walk(redis, list, after, chunk, MOST_RECORDS, limit + 1), limit, read)
    },

    /** Targets, the one that was promoted to last first. */
    async targets({
      limit,
      after,
      model,
    }: Pick<PromotionFilter, 'model'> & PageRequest): Promise<Page<Target>> {
      const list = model === undefined ? key('targets') : key('targets', model)
      const read = async (names: string[]) => {
        const records = await readHashes(
          redis,
          names.map((name) => key('target', name)),
        )
        return records.map(targetFrom)
      }
      return pageOf(walk(redis, list, after, limit + 1, MOST_RECORDS), limit, read)
    },

    /** Targets whose model has this in its name, of the newest `most`; the one that was promoted to last first. */
    async targetsLike({
      text,
      limit,
      most,
    }: {
      text: string
      limit: number
      most: number
    }): Promise<Target[]> {
      const asked = text.toLowerCase()
      const found: string[] = []
      for await (const { places } of walk(redis, key('targets'), undefined, CHUNK.names, most)) {
        for (const { name } of places) if (modelIn(name).toLowerCase().includes(asked)) found.push(name)
        if (found.length >= limit) break
      }
      const names = found.slice(0, limit)
      const records = await readHashes(
        redis,
        names.map((name) => key('target', name)),
      )
      return records.map(targetFrom)
    },
  }

  /** Of these promotions those whose fields are so; no more of the others is read than that. */
  async function thatHave(wanted: readonly [string, string | undefined][], ids: string[]): Promise<string[]> {
    if (ids.length === 0) return ids
    const names = wanted.map(([name]) => name)
    const pipeline = redis.pipeline()
    for (const id of ids) pipeline.hmget(key('promotion', id), ...names)
    const answers = (await pipeline.exec()) ?? []
    return ids.filter((_, i) => {
      const [error, values] = answers[i] ?? []
      if (error) throw error
      return wanted.every(([, value], n) => (values as (string | null)[])[n] === value)
    })
  }

  /** All lists have promotions in the same order: whichever is walked, places mean the same. */
  async function shortestList({ model, state }: PromotionFilter): Promise<string> {
    const lists = [
      ...(model === undefined ? [] : [key('history', model)]),
      ...(state !== undefined && isListed(state) ? [key('state', state)] : []),
    ]
    if (lists.length < 2) return lists[0] ?? key('promotions')
    const sizes = await Promise.all(lists.map((list) => redis.zcard(list)))
    return lists[sizes.indexOf(Math.min(...sizes))] ?? key('promotions')
  }
}

/** `environment/model`, of which the model may hold more of them. */
function modelIn(name: string): string {
  return name.slice(name.indexOf('/') + 1)
}

/** The places of a sorted set after one of them, by the chunk, until its end or so many. */
async function* walk(
  redis: Redis,
  list: string,
  after: Place | undefined,
  chunk: number,
  most: number,
  /** As many as may do. */
  atFirst = chunk,
): AsyncGenerator<{ places: Place[]; isEnd: boolean }> {
  let last = after
  let seen = 0
  let size = Math.min(chunk, Math.max(atFirst, CHUNK.first))
  // Of the same millisecond, and passed already.
  let passed = 0
  while (seen < most) {
    const from = last === undefined ? '+inf' : last.at
    const flat = await redis.zrevrangebyscore(list, from, '-inf', 'WITHSCORES', 'LIMIT', passed, size)
    const all = placesIn(flat)
    const places = last === undefined ? all : all.filter((place) => isAfter(place, last as Place))
    const isEnd = all.length < size
    size = Math.min(chunk, size * 2)
    seen += places.length
    passed = places.length === 0 ? passed + all.length : 0
    last = places.at(-1) ?? last
    yield { places, isEnd }
    if (isEnd) return
  }
}

/** One more than fits is looked for: it tells that there is a next page. */
async function pageOf<T>(
  chunks: ReturnType<typeof walk>,
  limit: number,
  read: (names: string[]) => Promise<(T | undefined)[]>,
): Promise<Page<T>> {
  const found: { item: T; place: Place }[] = []
  let last: Place | undefined
  for await (const { places, isEnd } of chunks) {
    const items = await read(places.map(({ name }) => name))
    places.forEach((place, i) => {
      const item = items[i]
      if (item !== undefined) found.push({ item, place })
    })
    const end = found[limit] && found[limit - 1]
    if (end) return { items: found.slice(0, limit).map(({ item }) => item), next: end.place }
    last = isEnd ? undefined : (places.at(-1) ?? last)
  }
  return { items: found.map(({ item }) => item), ...(last ? { next: last } : {}) }
}

/** Pages of two lists that begin after the same place as one page: as far as both have been looked through. */
export function mergePages<T>(
  pages: readonly Page<T>[],
  placeOf: (item: T) => Place,
  limit: number,
): Page<T> {
  const ends = pages.flatMap(({ next }) => next ?? []).sort(newestFirst)
  const [end] = ends
  const known = pages
    .flatMap(({ items }) => items.map((item) => ({ item, place: placeOf(item) })))
    .filter(({ place }) => end === undefined || !isAfter(place, end))
    .sort((a, b) => newestFirst(a.place, b.place))
  const items = known.slice(0, limit).map(({ item }) => item)
  const next = known.length > limit ? known[limit - 1]?.place : end
  return { items, ...(next ? { next } : {}) }
}

function newestFirst(a: Place, b: Place): number {
  return isAfter(a, b) ? 1 : -1
}

function placesIn(flat: readonly string[]): Place[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [{ name, at: Number(flat[i + 1]) }] : []))
}

/** Redis orders what has the same score by its bytes. */
function isAfter(place: Place, other: Place): boolean {
  return place.at < other.at || (place.at === other.at && Buffer.compare(bytes(place), bytes(other)) < 0)
}

function bytes({ name }: Place): Buffer {
  return Buffer.from(name)
}
