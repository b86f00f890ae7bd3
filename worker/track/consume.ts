/** The consumer of the queue `tracking`: looks at a run, and again later with growing pauses until it has ended. */
import { DelayedError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, type Stalls, TRACKING, type TrackingJobData } from '../../shared/queues.ts'
import type { LookEnd } from './follow.ts'

export interface TrackingDeps {
  connection: Redis
  prefix?: string | undefined
  concurrency: number
  stalls: Stalls
  follow(promotionId: string): Promise<LookEnd>
  /** First pause between two looks, ms; it grows to twelve times as much. */
  intervalMs: number
  log: Logger
}

/** Pause after a number of looks, ms. */
export function pauseMs(intervalMs: number, looks: number): number {
  return Math.min(intervalMs * 1.3 ** looks, intervalMs * 12)
}

export function consumeTracking(deps: TrackingDeps): Worker {
  const { connection, prefix, concurrency, stalls, follow, intervalMs, log } = deps
  const worker = new Worker<TrackingJobData>(
    TRACKING,
    async (job, token) => {
      const end = await follow(job.data.promotionId)
      if (end.kind === 'complete') return end.note
      const polls = job.data.polls + 1
      await job.updateData({ ...job.data, polls })
      await job.updateProgress({ seen: end.note })
      await job.moveToDelayed(Date.now() + pauseMs(intervalMs, polls), token)
      throw new DelayedError()
    },
    {
      connection: asConnection(connection),
      prefix: bullPrefix(prefix),
      concurrency,
      ...stalls,
      maxStalledCount: 1_000,
      metrics: { maxDataPoints: 60 * 24 },
    },
  )
  worker.on('failed', (job, err) =>
    log.error({ jobId: job?.id, err }, 'A look at a run broke; the sweep goes on with it'),
  )
  worker.on('error', (err) => log.warn({ err }, 'The worker of the queue tracking reports a fault'))
  return worker
}
