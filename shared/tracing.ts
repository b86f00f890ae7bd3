/**
 * What is told of a promotion's way to those who look at traces: three kinds of spans, each told once its end is
 * known, since a promotion may live for hours and over several processes. The trace that they belong to is kept with
 * the promotion. No library in here: the one behind it is in `standalone/opentelemetry/`. Never throws, never waits.
 */

import type { Promotion } from './ledger/promotion-record.ts'
import type { Accepted, AttemptEnd, Recorded, RunEnd } from './ledger/steps.ts'
import type { ValidPromotion } from './promotion.ts'
import type { TraceContext } from './trace-context.ts'

export interface Tracing {
  accept(promotion: ValidPromotion & { id: string }, caller: TraceContext | undefined): AcceptSpan
  dispatch(attempt: TracedAttempt): void
  deployment(ended: TracedDeployment): void
}

export interface AcceptSpan {
  /** To be kept with the promotion: what follows hangs on it. */
  context: TraceContext
  /** `undefined`: the ledger did not answer, for this reason. */
  end(accepted: Accepted | undefined, error?: unknown): void
}

/** One attempt to dispatch. Times are ms since the epoch, by the worker's clock. */
export interface TracedAttempt {
  promotion: Promotion
  /** As the ledger was told of it. */
  end: AttemptEnd
  /** What the ledger made of it. */
  followedBy: Recorded['kind']
  /** `repository`: owner/name */
  route: { repository: string; workflow: string; ref: string }
  worker: string
  /** GitHub's. */
  requestId: string | undefined
  startedAt: number
  endedAt: number
}

/** From the dispatch to the run's end. Times are ms since the epoch, by Redis's clock. */
export interface TracedDeployment {
  promotion: Promotion
  /** As the ledger was told of it. */
  end: RunEnd
  dispatchedAt: number
  /** When it was first seen running; undefined where it never was. */
  startedAt?: number | undefined
  endedAt: number
  /** Of it, spent waiting for an approval, ms. */
  waitedMs: number
}
