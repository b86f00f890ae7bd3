/**
 * The consumer of the queue `promotions`: BullMQ's worker around `handle`. A job only completes or waits (moved
 * to delayed, which spends nothing); what a foreign client put into the queue passes through accept first. A job
 * whose lock is lost is cancelled, so that it can't send beside its successor.
 */
import { DelayedError, type Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, PROMOTIONS, type Stalls } from '../../shared/queues.ts'
import type { Handle } from './handle.ts'

export interface ConsumeDeps {
  connection: Redis
  prefix?: string | undefined
  concurrency: number
  stalls: Stalls
  handle: Handle
  /** For jobs that are not ours; resolves to a note for the job's log. */
  intake(job: Job): Promise<string>
  log: Logger
}

export function consumePromotions({
  connection,
  prefix,
  concurrency,
  stalls,
  handle,
  intake,
  log,
}: ConsumeDeps): Worker {
  const worker = new Worker(
    PROMOTIONS,
    async (job, token, signal) => {
      const promotionId = ownPromotion(job)
      if (promotionId === undefined) return intake(job)
      const end = await handle(promotionId, signal)
      // With a job that completes its log goes, too.
      if (end.kind === 'complete') return end.note
      await job.log(`${new Date().toISOString()} ${end.note}`)
      await job.updateProgress({ waits: end.note })
      await job.moveToDelayed(Date.now() + end.waitMs, token)
      throw new DelayedError()
    },
    {
      connection: asConnection(connection),
      prefix: bullPrefix(prefix),
      concurrency,
      // skipVersionCheck is for queues only: not knowing the version, a worker sleeps whole seconds.
      ...stalls,
      // For foreign jobs: ours say for themselves that they are removed.
      removeOnComplete: { age: 24 * 3600, count: 100 },
      removeOnFail: { age: 14 * 24 * 3600, count: 5_000 },
      maxStalledCount: 1_000,
      metrics: { maxDataPoints: 60 * 24 },
    },
  )
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const id of jobIds) worker.cancelJob(id, 'its lock was lost')
  })
  worker.on('failed', (job, err) =>
    log.error({ jobId: job?.id, err }, 'A job broke; the sweep gives it a successor'),
  )
  worker.on('error', (err) => log.warn({ err }, 'The worker of the queue promotions reports a fault'))
  return worker
}

/** The promotion of a job that we have put there; data that merely names one is a foreign client's. */
function ownPromotion(job: Job): string | undefined {
  const promotionId = (job.data as { promotionId?: unknown } | null)?.promotionId
  if (typeof promotionId !== 'string') return undefined
  return job.id?.startsWith(`${promotionId}-`) ? promotionId : undefined
}
