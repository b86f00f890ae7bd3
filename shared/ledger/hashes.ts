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
