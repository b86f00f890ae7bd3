/**
 * Feedback put together: the outbox is drained into a queue of its own, and that is consumed. Without any sink nothing
 * is kept, and nothing connects.
 */
import type { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Settings } from '../../shared/config.ts'
import { createOutbox } from '../../shared/ledger/news.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import { createQueue, FEEDBACK, feedbackJobId, type Stalls } from '../../shared/queues.ts'
import { every } from '../../shared/recurring.ts'
import type { Redactor } from '../../shared/redact.ts'
import type { WorkerMetrics } from '../ops/worker-metrics.ts'
import type { FeedbackPauses } from '../pauses.ts'
import { chooseSinks } from './choose-sinks.ts'
import { consumeFeedback } from './consume.ts'
import { createDrain } from './drain.ts'
import type { News } from './news.ts'
import type { SinkName } from './sink.ts'
import { createSwitchedOff } from './switched-off.ts'

export interface FeedbackDeps {
  redis: Redis
  /** A connection of the consumer's own. */
  connect(): Redis
  settings: Settings
  reader: LedgerReader
  redact: Redactor
  metrics: Pick<WorkerMetrics, 'feedback' | 'feedbackOff'>
  log: Logger
  stalls: Stalls
  pauses: FeedbackPauses
  /** owner/name/workflow */
  scope: string | undefined
  /** One worker at a time drains. */
  lease(ms: number): Promise<boolean>
}

export interface RunningFeedback {
  /** To be closed by whoever asked for it; none without sinks. */
  consumers: readonly Worker[]
  /** Drains no more, and gives what is in the air a moment before it is cut short. Then `consumers` are closed. */
  stop(): Promise<void>
}

/** The last comes about a day after the first. */
export const FEEDBACK_ATTEMPTS = 12
/** Longer than an entry can lie in the outbox behind a crash: an id that still exists is not added again. */
const KEEP_TOLD_SECONDS = 24 * 3600
const KEEP_FAILED_SECONDS = 14 * 24 * 3600

const NEXT = 'Mend what its reason says, then press Retry: it is sent again as it is, with the same id.'

export function runFeedback(deps: FeedbackDeps): RunningFeedback {
  const { redis, settings, reader, redact, metrics, log, pauses, scope } = deps
  const outbox = createOutbox({ redis })
  const sinks = chooseSinks(settings, { redis, reader, outbox, callMs: pauses.callMs, now: Date.now })
  const off = createSwitchedOff({ redis })
  const queue = sinks.length > 0 ? createQueue(FEEDBACK, redis) : undefined
  queue?.on('error', (err) => log.debug({ err, queue: FEEDBACK }, 'A queue reports a fault'))
  const stopping = new AbortController()

  const drain = createDrain({ outbox, reader, sinks, add, scope, log })
  const turn = async () => {
    for (const sink of sinks) metrics.feedbackOff({ sink: sink.name, off: await off.is(sink) })
    if (await deps.lease(pauses.drainMs * LEASED)) await drain()
  }
  const stopDraining = every(pauses.drainMs, turn, (err) =>
    log.warn({ err }, 'The drain of the outbox broke off; it comes again'),
  )
  const consumers = queue ? [consumer()] : []
  return {
    consumers,
    async stop() {
      const cut = setTimeout(() => stopping.abort(), pauses.stopMs)
      cut.unref()
      await stopDraining()
      await queue?.close()
    },
  }

  function consumer() {
    const { stalls } = deps
    const connection = deps.connect()
    return consumeFeedback({
      connection,
      stalls,
      sinks,
      off,
      observe: metrics.feedback,
      redact,
      log,
      stopping: stopping.signal,
      busyPauseMs: pauses.busyMs,
    })
  }

  async function add(sink: SinkName, news: News): Promise<void> {
    await queue?.add(
      `${sink} ${news.state}`,
      { sink, next: NEXT, ...news },
      {
        jobId: feedbackJobId(sink, news.id),
        attempts: FEEDBACK_ATTEMPTS,
        backoff: { type: 'exponential', delay: pauses.retryMs, jitter: 0.5 },
        removeOnComplete: { age: KEEP_TOLD_SECONDS, count: 5_000 },
        removeOnFail: { age: KEEP_FAILED_SECONDS, count: 5_000 },
      },
    )
  }
}

const LEASED = 0.8
