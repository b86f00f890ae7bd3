// The baseline as a contender: the same load, world and faults for a plain BullMQ worker, judged by the same log of
// runs. It gets what it can't have at a disadvantage: job ids that deduplicate, people who press Retry on what failed,
// and no deletion of its queue, which is all it has.
import { createHash } from 'node:crypto'
import { type JobsOptions, Queue } from 'bullmq'
import { silentLogger } from '../../shared/logger.ts'
import { asConnection, bullPrefix } from '../../shared/queues.ts'
import { connectForProducer } from '../../shared/redis/connect.ts'
import { BASELINE_QUEUE, type BaselineArgument } from './baseline-worker.ts'
import type { Contender } from './contender.ts'
import type { Promote } from './load.ts'
import { runsSeen } from './runs-seen.ts'
import { storyOf } from './story.ts'
import { judgePlain } from './verdict.ts'

const EVERYTHING = 1_000_000
const ATTEMPTS = 8

export const baseline: Contender = {
  name: 'baseline',
  program: new URL('./baseline-worker.ts', import.meta.url),
  claimsAtConnect: true,
  judge: judgePlain,
  spared: [
    'queue-deleted',
    'foreign-job',
    'reply-lost-claim',
    'reply-lost-outcome',
    'reply-lost-resolve',
    'reply-lost-finish',
    'reply-lost-accept',
    'reads-fail',
    'listed-late',
    'woken-beside-successor',
  ],
  argument: (_name, { redisUrl, githubUrl }, { pauses }): BaselineArgument => ({
    redisUrl,
    githubUrl,
    answerWithinMs: pauses.dispatchTimeoutMs,
    lockMs: pauses.lockMs,
    stalledCheckMs: pauses.stalledCheckMs,
  }),
  crew(world, { tally, timing }) {
    const redis = connectForProducer(world.producerUrl, silentLogger)
    const options = { prefix: bullPrefix(), skipVersionCheck: true }
    const producers = new Queue(BASELINE_QUEUE, { connection: asConnection(redis), ...options })
    const queue = new Queue(BASELINE_QUEUE, { connection: asConnection(world.direct), ...options })
    for (const one of [producers, queue]) one.on('error', () => {})
    const backoff: JobsOptions = {
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: timing.backoffBaseMs },
    }
    let rollbacks = 0

    const promote: Promote = async ({ model, version, rollback }, { idempotencyKey }) => {
      const key = idempotencyKey ?? `${model}/${version}${rollback ? `/${rollbacks++}` : ''}`
      const id = uuidOf(key)
      const inputs = { model_version: version, model_name: model, promotion_id: id }
      try {
        await producers.add('promoted', inputs, { jobId: id, ...backoff })
        return { status: 'accepted', id, state: 'accepted', live: '' }
      } catch (error) {
        return { status: 'unavailable', reason: String(error) }
      }
    }
    async function pressRetry(most: number) {
      const failed = (await queue.getFailed(0, most - 1)).filter(Boolean)
      for (const job of failed) {
        const pressed = await Promise.allSettled([job.retry(), job.retry()])
        if (pressed.some(({ status }) => status === 'fulfilled')) tally.struck('retry-pressed')
      }
    }
    return {
      promote,
      look: async () => {},
      pressRetry: () => pressRetry(3),
      runAgain: async () => {},
      holdForAWhile: async () => {},
      rollBack: async () => {},
      mend: () => pressRetry(100),
      deleteQueue: async () => {},
      addForeign: async () => {},
      async isDone() {
        const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'prioritized')
        return Object.values(counts).every((count) => count === 0)
      },
      async evidence(answers, windows) {
        const unfinished = await queue.getJobs(['waiting', 'active', 'delayed', 'failed'], 0, EVERYTHING)
        const states = new Map(unfinished.map((job) => [String(job.id), 'unfinished']))
        const order = [...new Map(answers.map((answer) => [answer.id, answer.target]))]
        const promotions = order.map(([id, target], index) => ({
          id,
          target,
          seq: index + 1,
          version: '',
          acceptedAt: 0,
          state: states.get(id) ?? 'finished',
          rollback: false,
        }))
        return {
          answers,
          promotions,
          runs: runsSeen(world),
          windows,
          live: new Map(),
          needless: [],
          sentThoughHeld: [],
        }
      },
      story: (id) => storyOf(world, id, async () => []),
      settled: () => ({}),
      async close() {
        await producers.close().catch(() => {})
        await queue.close()
        redis.disconnect()
      },
    }
  },
}

/** The same key always makes the same job. */
function uuidOf(key: string): string {
  const hex = createHash('sha256').update(key).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}
