/**
 * The consumer of the queue `tracking`: looks at a run, and again later with growing pauses until it has ended; and
 * takes in what webhooks have told of runs.
 */
import { DelayedError, type Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'
import {
  asConnection,
  bullPrefix,
  RUN_EVENT,
  type RunEventJobData,
  type Stalls,
  TRACKING,
  type TrackingJobData,
} from '../../shared/queues.ts'
import type { RunEvent } from '../../shared/run-event.ts'
import type { LookEnd } from './follow.ts'
import type { Heard } from './hear.ts'

export interface TrackingDeps {
  connection: Redis
  prefix?: string | undefined
  concurrency: number
  stalls: Stalls
  follow(promotionId: string): Promise<LookEnd>
  hear(event: RunEvent): Promise<Heard>
  /** First pause between two looks, ms; it grows to twelve times as much. */
  intervalMs: number
  /** Webhooks tell of this run: looking at it is the backstop only. */
  isTold(promotionId: string): Promise<boolean>
  /** Pause between two looks at a run that webhooks tell of, ms. */
  toldPauseMs: number
  /** First pause until a webhook that can't be told yet is looked into again, ms; it doubles. */
  hearAgainMs: number
  log: Logger
}

/** Pause after a number of looks, ms. */
export function pauseMs(intervalMs: number, looks: number): number {
  return Math.min(intervalMs * 1.3 ** looks, intervalMs * 12)
}

/** In all some two and a half minutes: longer than a dispatch may be without an answer. */
const MOST_HEARINGS = 10
const LONGEST_PAUSE = 60

export function consumeTracking(deps: TrackingDeps): Worker {
  const { connection, prefix, concurrency, stalls, follow, hear, isTold, log } = deps
  const { intervalMs, toldPauseMs, hearAgainMs } = deps

  async function lookAtRun(job: Job<TrackingJobData>, token?: string): Promise<string> {
    const { promotionId } = job.data
    const polls = job.data.polls + 1
    if (polls === 1 && (await isTold(promotionId))) {
      await job.updateData({ ...job.data, polls })
      return later(job, toldPauseMs, token)
    }
    const end = await follow(promotionId)
    if (end.kind === 'complete') return end.note
    await job.updateData({ ...job.data, polls })
    await job.updateProgress({ seen: end.note })
    const pause = (await isTold(promotionId)) ? toldPauseMs : pauseMs(intervalMs, polls)
    return later(job, pause, token)
  }

  async function lookIntoEvent(job: Job<RunEventJobData>, token?: string): Promise<string> {
    const heard = await hear(job.data.event)
    const looks = job.data.looks + 1
    if (heard.kind === 'done' || looks > MOST_HEARINGS) return heard.note
    await job.updateData({ ...job.data, looks })
    await job.updateProgress({ seen: heard.note })
    return later(job, hearAgainMs * Math.min(2 ** (looks - 1), LONGEST_PAUSE), token)
  }

  const worker = new Worker<TrackingJobData | RunEventJobData>(
    TRACKING,
    async (job, token) =>
      job.name === RUN_EVENT
        ? lookIntoEvent(job as Job<RunEventJobData>, token)
        : lookAtRun(job as Job<TrackingJobData>, token),
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

async function later(job: Job, ms: number, token?: string): Promise<never> {
  await job.moveToDelayed(Date.now() + ms, token)
  throw new DelayedError()
}
