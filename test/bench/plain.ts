// What the relay is measured against.
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

export const PLAIN_QUEUE = 'plain'

/** What a job of the plain thing carries: the inputs of the dispatch. */
export function plainInputs(n: number) {
  return { model_version: String(n), model_accuracy: '0.93', trigger_source: 'automated_ct_pipeline' }
}

export interface PlainProducer {
  add(n: number): Promise<unknown>
  addMany(numbers: readonly number[]): Promise<unknown>
  close(): Promise<void>
}

export function createPlainProducer(redisUrl: string): PlainProducer {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null, replyMapping: 'legacy' })
  const queue = new Queue(PLAIN_QUEUE, { connection: redis as never })
  const opts = { removeOnComplete: true, attempts: 8, backoff: { type: 'exponential', delay: 2_000 } }
  return {
    add: (n) => queue.add('promoted', plainInputs(n), opts),
    addMany: (numbers) =>
      queue.addBulk(numbers.map((n) => ({ name: 'promoted', data: plainInputs(n), opts }))),
    async close() {
      await queue.close()
      redis.disconnect()
    },
  }
}
