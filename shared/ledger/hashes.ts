import type { Redis } from 'ioredis'

/** Each at its place, empty where there is none. */
export async function readHashes(redis: Redis, keys: readonly string[]): Promise<Record<string, string>[]> {
  if (keys.length === 0) return []
  const pipeline = redis.pipeline()
  for (const name of keys) pipeline.hgetall(name)
  const answers = (await pipeline.exec()) ?? []
  return answers.map(([error, record]) => {
    if (error) throw error
    return record as Record<string, string>
  })
}

/** Of each no more than these fields, '' where one is missing. Far cheaper than all of it where many are read. */
export async function readFields<Name extends string>(
  redis: Redis,
  keys: readonly string[],
  names: readonly Name[],
): Promise<Record<Name, string>[]> {
  if (keys.length === 0) return []
  const pipeline = redis.pipeline()
  for (const key of keys) pipeline.hmget(key, ...names)
  const answers = (await pipeline.exec()) ?? []
  return answers.map(([error, values]) => {
    if (error) throw error
    const texts = values as (string | null)[]
    return Object.fromEntries(names.map((name, i) => [name, texts[i] ?? ''])) as Record<Name, string>
  })
}
