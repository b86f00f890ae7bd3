/**
 * The consumer of the queue `feedback`: tells one sink one piece of news. A failure is tried again with growing pauses
 * for about a day; what no retry mends, or a day did not, stays under Failed in the Bull dashboard, and Retry there
 * sends it once more. Not on the way of any dispatch: a queue, connections and a pace of its own.
 */
import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, FEEDBACK, type Stalls } from '../../shared/queues.ts'
import type { Redact } from '../../shared/redact.ts'
import type { News } from './news.ts'
import type { Result, Sink, SinkName, Told } from './sink.ts'
import type { SwitchedOff } from './switched-off.ts'

/** What a job carries; names are at the top, for whoever reads the dashboard. */
export interface FeedbackJobData extends News {
  sink: SinkName
  /** What ops can do once it has failed. */
  next: string
}

export interface FeedbackConsumerDeps {
  connection: Redis
  prefix?: string | undefined
  stalls: Stalls
  sinks: readonly Sink[]
  off: SwitchedOff
  observe(seen: { sink: SinkName; result: Result }): void
  redact: Redact
  log: Logger
  /** Cuts short what is in the air when the worker is stopped. */
  stopping: AbortSignal
  /** Until the next look whether a place is free, ms. */
  busyPauseMs: number
}

/** Of one sink at a time, so that one that hangs leaves room for the others. */
const MOST_EACH = 8
const CONCURRENCY = 32

export function consumeFeedback(deps: FeedbackConsumerDeps): Worker<FeedbackJobData> {
  const { connection, prefix, stalls, sinks, off, observe, redact, log, stopping, busyPauseMs } = deps
  const inTheAir = new Map<SinkName, number>()

  const worker = new Worker<FeedbackJobData>(FEEDBACK, tell, {
    connection: asConnection(connection),
    prefix: bullPrefix(prefix),
    concurrency: CONCURRENCY,
    ...stalls,
    maxStalledCount: 1_000,
    metrics: { maxDataPoints: 60 * 24 },
  })
  worker.on('error', (err) => log.warn({ err }, 'The worker of the queue feedback reports a fault'))
  return worker

  async function tell(job: Job<FeedbackJobData>, token?: string): Promise<string> {
    const sink = sinks.find(({ name }) => name === job.data.sink)
    if (!sink) throw new UnrecoverableError(`${job.data.sink} is not set up any more`)
    if (await off.is(sink)) return end(job, 'off', 'not sent: its address has answered 410')
    const busy = inTheAir.get(sink.name) ?? 0
    if (busy >= MOST_EACH) return later(job, token)
    inTheAir.set(sink.name, busy + 1)
    try {
      return await follow(job, sink, await sink.tell(job.data, stopping), token)
    } finally {
      inTheAir.set(sink.name, (inTheAir.get(sink.name) ?? 1) - 1)
    }
  }

  async function follow(job: Job<FeedbackJobData>, sink: Sink, told: Told, token?: string): Promise<string> {
    switch (told.kind) {
      case 'told':
      case 'outdated':
        return end(job, told.kind, told.note)
      case 'busy':
        return later(job, token)
      case 'gone':
        await off.set(sink)
        log.error(
          { sink: sink.name },
          'The receiver of feedback answered 410: nothing is sent there any more',
        )
        return fail(job, told.why, false)
      case 'failed':
        // Nobody's fault: no attempt is spent.
        if (stopping.aborted) return later(job, token)
        return fail(job, told.why, told.again)
      default:
        return told satisfies never
    }
  }

  function end(job: Job<FeedbackJobData>, result: Result, note: string): string {
    observe({ sink: job.data.sink, result })
    log.info({ ...about(job), result }, `Feedback: ${note}`)
    return note
  }

  function fail(job: Job<FeedbackJobData>, words: string, again: boolean): never {
    const why = redact(words)
    const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1)
    const result = again && !isLast ? 'again' : 'failed'
    observe({ sink: job.data.sink, result })
    if (result === 'again') {
      log.warn({ ...about(job), why }, 'Feedback could not be told; it is tried again')
      throw new Error(why)
    }
    log.error({ ...about(job), why }, 'Feedback could not be told: see /queues, feedback, Failed')
    throw new UnrecoverableError(why)
  }

  /** Without spending an attempt. */
  async function later(job: Job, token?: string): Promise<never> {
    await job.moveToDelayed(Date.now() + busyPauseMs, token)
    throw new DelayedError()
  }
}

function about({ data, attemptsMade }: Job<FeedbackJobData>) {
  const { sink, promotionId, state, model, version, environment } = data
  return { sink, promotionId, state, model, version, environment, attempt: attemptsMade + 1 }
}
