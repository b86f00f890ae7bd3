/**
 * Dead letters that are no promotions. The ledger knows nothing of them, and among ten thousand others in BullMQ's list
 * they would have to be looked for: they are in a list of their own.
 */
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from './redis/connect.ts'

/** A job that a foreign client had put into the queue, of which no promotion could be made. */
export interface InvalidJob {
  id: string
  reason: string
  /** When it was found to be invalid, ms since the epoch. */
  at: number
}

export type InvalidJobs = ReturnType<typeof createInvalidJobs>

/** Of more of them, the Bull dashboard has the oldest. */
const MOST_LISTED = 1_000

export function createInvalidJobs({
  redis,
  prefix = KEY_PREFIX,
  queue,
}: {
  redis: Redis
  prefix?: string | undefined
  /** BullMQ's queue of dead letters. */
  queue: Pick<Queue, 'toKey'>
}) {
  const list = `${prefix}:invalid-jobs`
  return {
    /** To be called before the job is added: who dies between the two leaves a name without a job, which is not shown. */
    async note(id: string): Promise<void> {
      await redis.zadd(list, Date.now(), id)
      await redis.zremrangebyrank(list, 0, -MOST_LISTED - 1)
    },

    async forget(id: string): Promise<void> {
      await redis.zrem(list, id)
    },

    /** Those that have failed, the newest first. */
    async newest(limit: number): Promise<InvalidJob[]> {
      const ids = await redis.zrevrange(list, 0, -1)
      const found: InvalidJob[] = []
      for (let from = 0; from < ids.length && found.length < limit; from += limit)
        found.push(...(await failedOf(ids.slice(from, from + limit))))
      return found.slice(0, limit)
    },
  }

  async function failedOf(ids: readonly string[]): Promise<InvalidJob[]> {
    const read = redis.pipeline()
    for (const id of ids) read.zscore(queue.toKey('failed'), id).hget(queue.toKey(id), 'failedReason')
    const answers = (await read.exec()) ?? []
    for (const [error] of answers) if (error) throw error
    return ids.flatMap((id, i) => {
      const [at, reason] = [answers[2 * i]?.[1], answers[2 * i + 1]?.[1]]
      return at === null ? [] : [{ id, at: Number(at), reason: String(reason ?? '') }]
    })
  }
}
