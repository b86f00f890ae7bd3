/** What a Redis must be set to so that the promises hold, and what of it this one is not. */
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'

export interface RedisWarning {
  about: 'eviction' | 'persistence'
  what: string
  mend: string
}

/** The value of a field of INFO; undefined where it is not told. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim()
}

/** `fsync` comes from CONFIG, which managed servers refuse: undefined then. */
export function warningsIn(info: string, fsync: string | undefined): RedisWarning[] {
  const warnings: RedisWarning[] = []
  const policy = infoField(info, 'maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const what = `maxmemory-policy is ${policy}: Redis may throw promotions away`
    warnings.push({ about: 'eviction', what, mend: 'set noeviction' })
  }
  if (infoField(info, 'aof_enabled') === '0') {
    const what = 'the append-only file is off: a restart loses promotions'
    warnings.push({ about: 'persistence', what, mend: 'set appendonly yes and appendfsync always' })
  } else if (fsync !== undefined && fsync !== 'always') {
    const what = `appendfsync is ${fsync}: a crash loses what was accepted last`
    warnings.push({ about: 'persistence', what, mend: 'set always' })
  }
  return warnings
}

export async function fsyncOf(redis: Redis): Promise<string | undefined> {
  const [, fsync] = (await redis.config('GET', 'appendfsync').catch(() => [])) as string[]
  return fsync
}

/** What about this Redis does not keep the promises. */
export async function redisWarnings(redis: Redis): Promise<string[]> {
  const [info, fsync] = await Promise.all([redis.info(), fsyncOf(redis)])
  return warningsIn(info, fsync).map(({ what, mend }) => `${what}; ${mend}`)
}

/** Says each of them in the log, as soon as Redis is there. */
export function warnOfRedis(redis: Redis, log: Logger): void {
  const warn = async () => {
    for (const warning of await redisWarnings(redis).catch(() => []))
      log.warn({ warning }, 'This Redis does not keep the promises')
  }
  if (redis.status === 'ready') void warn()
  else redis.once('ready', () => void warn())
}
