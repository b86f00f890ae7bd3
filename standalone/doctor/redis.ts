/** Redis by itself: is it there, and does it keep what it is given? */
import type { Redis } from 'ioredis'
import { fsyncOf, infoField, warningsIn } from '../../worker/ops/redis-warnings.ts'
import { judgeClock } from './clock.ts'
import { type Finding, fault, ok, warning } from './finding.ts'

export interface RedisFacts {
  /** The answer to INFO. */
  info: string
  fsync: string | undefined
  /** Of its clock before ours, ms. */
  aheadMs: number
  roundTripMs: number
}

export const REDIS_NAMES = ['Redis eviction', 'Redis persistence', 'Redis memory', 'Redis clock'] as const

export async function askRedis(redis: Redis, now: () => number): Promise<RedisFacts> {
  await redis.ping()
  const askedAt = now()
  const [seconds, micros] = await redis.time()
  const answeredAt = now()
  const [info, fsync] = await Promise.all([redis.info(), fsyncOf(redis)])
  const redisNow = Number(seconds) * 1000 + Number(micros) / 1000
  return {
    info,
    fsync,
    aheadMs: Math.round(redisNow - (askedAt + answeredAt) / 2),
    roundTripMs: answeredAt - askedAt,
  }
}

/** @param replicas that must acknowledge what is recorded (REDIS_WAIT_REPLICAS) */
export function judgeRedis(facts: RedisFacts, replicas: number): Finding[] {
  const warnings = warningsIn(facts.info, facts.fsync)
  return [
    judgeServer(facts),
    judgeEviction(
      facts,
      warnings.find(({ about }) => about === 'eviction'),
    ),
    judgePersistence(
      facts,
      warnings.find(({ about }) => about === 'persistence'),
      replicas,
    ),
    judgeMemory(facts),
    judgeClock('Redis clock', "Redis's", facts.aheadMs, facts.roundTripMs),
  ]
}

const OLDEST_MAJOR = 7

function judgeServer({ info, roundTripMs }: RedisFacts): Finding {
  const valkey = infoField(info, 'valkey_version')
  const version = infoField(info, 'redis_version') ?? 'of an unknown version'
  const name = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`
  const major = Number(/^\d+/.exec(version)?.[0])
  if (valkey === undefined && major < OLDEST_MAJOR) {
    return fault(
      'Redis',
      `it is ${name}: the ledger's scripts need 7 or later`,
      'upgrade Redis to 7 or 8, or to Valkey',
    )
  }
  if (infoField(info, 'role') === 'slave') {
    return fault(
      'Redis',
      `${name} is a replica: it takes nothing in`,
      'set REDIS_URL to the address of the primary',
    )
  }
  return ok('Redis', `${name} answers in ${roundTripMs} ms`)
}

type Warned = ReturnType<typeof warningsIn>[number] | undefined

function judgeEviction({ info }: RedisFacts, warned: Warned): Finding {
  if (!warned) {
    const policy = infoField(info, 'maxmemory_policy')
    return ok('Redis eviction', policy === undefined ? 'the server does not tell its policy' : policy)
  }
  const mend = 'redis-cli config set maxmemory-policy noeviction, and in redis.conf'
  // Without a limit nothing is thrown away, until somebody sets one.
  if (maxMemory(info) === 0) return warning('Redis eviction', `${warned.what} once maxmemory is set`, mend)
  return fault('Redis eviction', warned.what, mend)
}

function judgePersistence({ info, fsync }: RedisFacts, warned: Warned, replicas: number): Finding {
  const connected = Number(infoField(info, 'connected_slaves') ?? 0)
  if (replicas > connected) {
    return fault(
      'Redis persistence',
      `REDIS_WAIT_REPLICAS is ${replicas}, and ${connected} are connected: nothing is accepted`,
      'connect the replicas, or lower REDIS_WAIT_REPLICAS',
    )
  }
  const kept = replicas === 0 ? '' : `, and ${replicas} of ${connected} replicas acknowledge`
  if (!warned) {
    return ok(
      'Redis persistence',
      `append-only file${fsync === undefined ? ', appendfsync is not told' : `, appendfsync ${fsync}`}${kept}`,
    )
  }
  if (replicas > 0) return ok('Redis persistence', `${warned.what.split(':')[0]}${kept}: those keep it`)
  const isOff = infoField(info, 'aof_enabled') === '0'
  const mend = `redis-cli config set ${isOff ? 'appendonly yes ' : ''}appendfsync always, and in redis.conf; or REDIS_WAIT_REPLICAS=1 with a replica`
  return isOff
    ? fault('Redis persistence', warned.what, mend)
    : warning('Redis persistence', warned.what, mend)
}

const MUCH = 0.8
const FULL = 0.95

function judgeMemory({ info }: RedisFacts): Finding {
  const used = Number(infoField(info, 'used_memory') ?? 0)
  const most = maxMemory(info)
  if (most === 0) return ok('Redis memory', `${megabytes(used)} used, no limit is set`)
  const words = `${megabytes(used)} of ${megabytes(most)} used`
  const mend = 'raise maxmemory: what is full refuses promotions'
  if (used / most >= FULL) return fault('Redis memory', words, mend)
  return used / most >= MUCH ? warning('Redis memory', words, mend) : ok('Redis memory', words)
}

function maxMemory(info: string): number {
  return Number(infoField(info, 'maxmemory') ?? 0)
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`
}

/** Why Redis can't be asked; never its address, which may hold a password. */
export function redisFault(code: string): Finding {
  const mend = REDIS_MENDS[code] ?? 'start Redis, or set REDIS_URL to where it is'
  return fault('Redis', `it can't be used (${code})`, mend)
}

const REDIS_MENDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'start Redis, or set REDIS_URL to where it is: nothing listens there',
  ENOTFOUND: 'correct the host in REDIS_URL: its name is not known',
  WRONGPASS: 'correct user and password in REDIS_URL',
  NOAUTH: 'add the password to REDIS_URL: redis://:PASSWORD@HOST:6379',
  LOADING: 'wait until Redis has read its data',
}
