/**
 * Who did what, and when: what people changed by board, queues, API and command line, and who logged in. Kept in
 * Redis, the newest 10,000. Refused log-ins are kept apart, the newest 1,000: a flood of them pushes out no deed.
 */
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../redis/connect.ts'

export interface Deed {
  /** ms since the epoch, by Redis's clock. */
  at: number
  who: string
  via: 'board' | 'queues' | 'api' | 'cli'
  /** `redrive`, `discard`, `resolve`, `hold`, `release`, `rollback`, `probe`, `retry job`, `log-in` … */
  what: string
  /** A promotion's id, environment/model, the scope of a circuit, queue/job. */
  of: string
  why?: string | undefined
  result: string
}

export interface NotedDeed extends Deed {
  id: string
}

export interface Audit {
  /** Nothing secret may be in it. @throws when Redis can't be reached */
  note(deed: Omit<Deed, 'at'>): Promise<void>
  /** The newest first; `before` is the `next` of the page before. */
  newest(limit: number, before?: string): Promise<{ deeds: NotedDeed[]; next?: string }>
}

/** What a deed is where a log-in was refused. */
export const REFUSED_LOG_IN = 'refused log-in'

const MOST_DEEDS = 10_000
const MOST_REFUSED = 1_000
/** Of one field: what a person wrote may be anything. */
const LONGEST = 500

export function createAudit({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }): Audit {
  // Their places are told apart by a letter behind the id, since both may have had a deed in the same millisecond.
  const streams = [
    { key: `${prefix}:audit`, letter: '' },
    { key: `${prefix}:audit:refused`, letter: 'r' },
  ] as const

  async function read({ key, letter }: (typeof streams)[number], limit: number, before?: string) {
    const [id, seenLetter] = splitId(before)
    const end = id === undefined ? '+' : letter > seenLetter ? id : `(${id}`
    const entries = (await redis.xrevrange(key, end, '-', 'COUNT', limit)) as [string, string[]][]
    return entries.map(([entryId, fields]) => deedFrom(`${entryId}${letter}`, fields))
  }

  return {
    async note(deed) {
      const [all, refused] = streams
      const isRefused = deed.what === REFUSED_LOG_IN
      const fields = FIELDS.flatMap((name) => {
        const text = deed[name]
        return text === undefined || text === '' ? [] : [name, text.toWellFormed().slice(0, LONGEST)]
      })
      const { key } = isRefused ? refused : all
      await redis.xadd(key, 'MAXLEN', '~', isRefused ? MOST_REFUSED : MOST_DEEDS, '*', ...fields)
    },

    async newest(limit, before) {
      const read1 = await Promise.all(streams.map((stream) => read(stream, limit + 1, before)))
      const found = read1.flat().sort(newestFirst)
      const deeds = found.slice(0, limit)
      const last = found.length > limit ? deeds.at(-1) : undefined
      return { deeds, ...(last && { next: last.id }) }
    },
  }
}

const FIELDS = ['who', 'via', 'what', 'of', 'why', 'result'] as const

function deedFrom(id: string, fields: readonly string[]): NotedDeed {
  const text = (name: string) => {
    const place = fields.findIndex((field, i) => i % 2 === 0 && field === name)
    return place < 0 ? '' : (fields[place + 1] ?? '')
  }
  const why = text('why')
  return {
    id,
    at: Number(id.split('-')[0]),
    who: text('who'),
    via: text('via') as Deed['via'],
    what: text('what'),
    of: text('of'),
    ...(why !== '' && { why }),
    result: text('result'),
  }
}

const ID = /^(\d{1,15}-\d{1,15})(r?)$/

/** What is no id of ours is as none: from the beginning. */
function splitId(before: string | undefined): [id: string | undefined, letter: string] {
  const [, id, letter = ''] = ID.exec(before ?? '') ?? []
  return [id, letter]
}

function newestFirst(a: NotedDeed, b: NotedDeed): number {
  const [atA, numberA, letterA] = placeOf(a.id)
  const [atB, numberB, letterB] = placeOf(b.id)
  return atB - atA || numberB - numberA || (letterA < letterB ? -1 : 1)
}

function placeOf(id: string): [at: number, number: number, letter: string] {
  const [at = '', number = ''] = id.replace('r', '').split('-')
  return [Number(at), Number(number), id.endsWith('r') ? 'r' : '']
}
