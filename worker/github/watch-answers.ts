/** What every answer of GitHub's tells besides: how much of the rate limit is left, when the token ends. */
import type { Logger } from '../../shared/logger.ts'
import type { WorkerMetrics } from '../ops/worker-metrics.ts'
import { rateLimitFrom } from './rate-limit.ts'
import { createTokenExpiry } from './token-expiry.ts'

export interface AnswerWatchDeps {
  metrics: Pick<WorkerMetrics, 'rateLimit' | 'tokenExpiry'>
  log: Pick<Logger, 'warn' | 'error'>
  /** Tokens of a GitHub App are renewed by themselves: their end is nobody's concern. */
  ofApp: boolean
  now(): number
}

/** A relay that has dispatched nothing for so long asks, so that an end of the token is not missed, ms. */
const QUIET_MS = 6 * 3_600_000

export function watchAnswers({ metrics, log, ofApp, now }: AnswerWatchDeps) {
  const expiry = createTokenExpiry({ show: metrics.tokenExpiry, log, now })
  let answeredAtMs = now()
  return {
    /** Never throws: a dispatch has been answered. */
    observe(answer: { status: number; headers: Readonly<Record<string, string>> }): void {
      answeredAtMs = now()
      const limit = rateLimitFrom(answer.headers)
      if (limit) metrics.rateLimit(limit)
      if (!ofApp) expiry.seen(answer)
    },

    /** Now and then. @param ask sends any request whose answer comes by here */
    async look(ask: () => Promise<unknown>): Promise<void> {
      if (ofApp) return
      expiry.look()
      if (now() - answeredAtMs >= QUIET_MS) await ask()
    },
  }
}
