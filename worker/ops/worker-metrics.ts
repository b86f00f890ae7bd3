/**
 * Figures that a worker counts itself, Prometheus' way: attempts by outcome and how long a promotion took. What
 * all workers share is counted in Redis and shown by `serve` (ledger-metrics.ts), so that nothing is summed twice.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { OutcomeKind } from '../dispatch/outcome.ts'
import { RESULTS, type Result, SINK_NAMES, type SinkName } from '../feedback/sink.ts'

export const PREFIX = 'promotion_relay_'

/** Seconds: from an idle relay's tenth of a second to a day of waiting. */
const TO_DISPATCH_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400]
/** Queued, waiting for a runner or an approval. */
const TO_START_BUCKETS = [1, 5, 10, 30, 60, 120, 300, 900, 3600, 21_600, 86_400]
const TO_LIVE_BUCKETS = [5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400]

const OUTCOMES: Readonly<Record<OutcomeKind, true>> = {
  dispatched: true,
  adjusted: true,
  rejected: true,
  workflow_fault: true,
  repository_fault: true,
  throttled: true,
  transient: true,
  unknown: true,
}

export interface WorkerMetrics {
  attempt(seen: { outcome: string; waitedMs?: number }): void
  /** `toStartMs` from dispatch until the run was first seen running, `ranMs` from then to its end. */
  deployment(ended: { conclusion: string; sinceAcceptedMs: number; toStartMs?: number; ranMs?: number }): void
  /** What GitHub last said of a limit; `resetAtMs` since the epoch. */
  rateLimit(seen: { resource: string; limit: number; remaining: number; resetAtMs: number }): void
  /** Since the epoch, ms; undefined where the token has no end that GitHub tells of. */
  tokenExpiry(atMs: number | undefined): void
  feedback(seen: { sink: SinkName; result: Result }): void
  /** Its address has answered 410. */
  feedbackOff(seen: { sink: SinkName; off: boolean }): void
}

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry]
  // Every 10 ms, as by default, it takes more than all else that an idle worker does. A lag below this is not told.
  collectDefaultMetrics({ register: registry, prefix: PREFIX, eventLoopMonitoringPrecision: 50 })
  const attempts = new Counter({
    name: `${PREFIX}dispatch_attempts_total`,
    help: 'Attempts at a dispatch by outcome, of this worker.',
    labelNames: ['outcome'],
    registers,
  })
  // A counter that begins at 1 hides its first event from `increase`.
  for (const outcome of Object.keys(OUTCOMES)) attempts.inc({ outcome }, 0)
  const toDispatch = new Histogram({
    name: `${PREFIX}promotion_to_dispatch_seconds`,
    help: 'From acceptance until GitHub took the dispatch.',
    buckets: TO_DISPATCH_BUCKETS,
    registers,
  })
  const toLive = new Histogram({
    name: `${PREFIX}promotion_to_live_seconds`,
    help: 'From acceptance until the run succeeded.',
    buckets: TO_LIVE_BUCKETS,
    registers,
  })
  const toStart = new Histogram({
    name: `${PREFIX}dispatch_to_start_seconds`,
    help: 'From the dispatch until the run was first seen in progress, told at its end.',
    buckets: TO_START_BUCKETS,
    registers,
  })
  const toCompleted = new Histogram({
    name: `${PREFIX}start_to_completed_seconds`,
    help: 'From when the run was first seen in progress until it was seen completed, whatever its conclusion.',
    buckets: TO_LIVE_BUCKETS,
    registers,
  })
  const rateLimit = new Gauge({
    name: `${PREFIX}github_rate_limit`,
    help: "Requests in a window of GitHub's primary rate limit, as this worker was last told.",
    labelNames: ['resource'],
    registers,
  })
  const remaining = new Gauge({
    name: `${PREFIX}github_rate_limit_remaining`,
    help: 'Requests that are left in the window, as this worker was last told.',
    labelNames: ['resource'],
    registers,
  })
  const reset = new Gauge({
    name: `${PREFIX}github_rate_limit_reset_timestamp_seconds`,
    help: 'When the window ends.',
    labelNames: ['resource'],
    registers,
  })
  const tokenExpiry = new Gauge({
    name: `${PREFIX}github_token_expiry_timestamp_seconds`,
    help: 'When GITHUB_TOKEN expires; NaN where GitHub tells no end of it.',
    registers,
  })
  tokenExpiry.set(Number.NaN)
  const feedback = new Counter({
    name: `${PREFIX}feedback_total`,
    help: 'Tellings of news by sink and result, of this worker.',
    labelNames: ['sink', 'result'],
    registers,
  })
  const feedbackOff = new Gauge({
    name: `${PREFIX}feedback_off`,
    help: '1 where the address of a sink has answered 410: nothing is sent there any more.',
    labelNames: ['sink'],
    registers,
  })
  for (const sink of SINK_NAMES) {
    for (const result of RESULTS) feedback.inc({ sink, result }, 0)
    feedbackOff.set({ sink }, 0)
  }
  return {
    attempt({ outcome, waitedMs }) {
      attempts.inc({ outcome })
      if (waitedMs !== undefined) toDispatch.observe(waitedMs / 1000)
    },
    deployment({ conclusion, sinceAcceptedMs, toStartMs, ranMs }) {
      if (conclusion === 'success') toLive.observe(sinceAcceptedMs / 1000)
      if (toStartMs !== undefined) toStart.observe(toStartMs / 1000)
      // Nobody saw when a run that was deleted came to its end.
      if (ranMs !== undefined && conclusion !== 'deleted') toCompleted.observe(ranMs / 1000)
    },
    rateLimit(seen) {
      const { resource } = seen
      rateLimit.set({ resource }, seen.limit)
      remaining.set({ resource }, seen.remaining)
      reset.set({ resource }, seen.resetAtMs / 1000)
    },
    tokenExpiry(atMs = Number.NaN) {
      tokenExpiry.set(atMs / 1000)
    },
    feedback: (seen) => feedback.inc(seen),
    feedbackOff: ({ sink, off }) => feedbackOff.set({ sink }, off ? 1 : 0),
  }
}
