/** What a Redis must be set to so that the promises hold, and what of it this one is not. */
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'

/** What about this Redis does not keep the promises: from INFO, and from CONFIG, which managed servers refuse. */
export async function redisWarnings(redis: Redis): Promise<string[]> {
  const info = await redis.info()
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim()
  const warnings: string[] = []
  const policy = field('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    warnings.push(`maxmemory-policy is ${policy}: Redis may throw promotions away; set noeviction`)
  }
  if (field('aof_enabled') === '0') {
    warnings.push(
      'the append-only file is off: a restart loses promotions; set appendonly yes and appendfsync always',
    )
  } else {
    const [, fsync] = (await redis.config('GET', 'appendfsync').catch(() => [])) as string[]
    if (fsync !== undefined && fsync !== 'always')
      warnings.push(`appendfsync is ${fsync}: a crash loses what was accepted last; set always`)
  }
  return warnings
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
