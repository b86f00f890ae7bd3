/**
 * Sessions of who has logged in, in Redis, so that several servers share them. A session's id is 256 random bits, and
 * Redis knows only its digest: who reads there can't use it. It ends after 12 hours without use, after 7 days in any
 * case, at log-out, and when the password or the role is another than at log-in.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../../../shared/redis/connect.ts'
import type { Known, People } from './people.ts'

export interface Sessions {
  /** @returns its id, which is the browser's alone */
  begin(known: Known): Promise<string>
  /** @throws what Redis and the files of people throw */
  find(id: string): Promise<Known | undefined>
  end(id: string): Promise<void>
}

const UNUSED_MS = 12 * 3_600_000
const LONGEST_MS = 7 * 24 * 3_600_000
/** Less than this is not written anew at each request. */
const RENEW_AFTER_MS = 60_000

const ID = /^[A-Za-z0-9_-]{43}$/

interface Session {
  name: string
  /** Of password and role, under the id as the key: it tells nothing about them. */
  stamp: string
  /** ms since the epoch, by Redis's clock. */
  since: number
}

export interface SessionsDeps {
  redis: Redis
  prefix?: string
  people: Pick<People, 'find'>
  /** Its absolute end, ms after log-in. */
  longestMs?: number
}

export function createSessions(deps: SessionsDeps): Sessions {
  const { redis, prefix = KEY_PREFIX, people, longestMs = LONGEST_MS } = deps
  const keyOf = (id: string) => `${prefix}:session:${createHash('sha256').update(id).digest('hex')}`

  return {
    async begin({ person, fingerprint }) {
      const id = randomBytes(32).toString('base64url')
      const [seconds] = await redis.time()
      const session: Session = {
        name: person.name,
        stamp: stampOf(id, fingerprint),
        since: Number(seconds) * 1000,
      }
      await redis.set(keyOf(id), JSON.stringify(session), 'PX', Math.min(UNUSED_MS, longestMs))
      return id
    },

    async find(id) {
      if (!ID.test(id)) return undefined
      const key = keyOf(id)
      const [time, text, left] = await readAll(redis, key)
      if (text === null) return undefined
      const { name, stamp, since } = JSON.parse(text) as Session
      const remainsMs = since + longestMs - time
      const known = people.find(name)
      if (!known || !same(stamp, stampOf(id, known.fingerprint)) || remainsMs <= 0) {
        await redis.del(key)
        return undefined
      }
      const untilMs = Math.min(UNUSED_MS, remainsMs)
      // On a key that log-out has just deleted it does nothing.
      if (untilMs - left > RENEW_AFTER_MS) await redis.pexpire(key, untilMs)
      return known
    },

    async end(id) {
      if (ID.test(id)) await redis.del(keyOf(id))
    },
  }
}

/** In one round trip. @throws what any of the three has thrown */
async function readAll(
  redis: Redis,
  key: string,
): Promise<[time: number, text: string | null, left: number]> {
  const answers = (await redis.multi().time().get(key).pttl(key).exec()) ?? []
  const fault = answers.find(([error]) => error)?.[0]
  if (fault) throw fault
  const [[seconds] = [], text, left] = answers.map(([, answer]) => answer) as [
    string[],
    string | null,
    number,
  ]
  return [Number(seconds) * 1000, text, left]
}

function stampOf(id: string, fingerprint: string): string {
  return createHmac('sha256', id).update(fingerprint).digest('base64url')
}

function same(given: string, wanted: string): boolean {
  return given.length === wanted.length && timingSafeEqual(Buffer.from(given), Buffer.from(wanted))
}
