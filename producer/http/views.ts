/** How promotions and targets look from outside: names of the API, times as ISO 8601, and a sentence for people. */

import type { z } from 'zod'
import { explain, sentenceOf } from '../../shared/explain.ts'
import type { Promotion, Target, TimelineEntry } from '../../shared/ledger/promotion-record.ts'
import { traceIdIn } from '../../shared/trace-context.ts'
import type { promotionSchema, targetSchema } from './openapi/answers.ts'

export function promotionView(
  promotion: Promotion,
  timeline?: readonly TimelineEntry[],
): z.input<typeof promotionSchema> {
  const { id, state, model, version, environment, accuracy, source, rollback, metrics, seq } = promotion
  const { runId, runUrl, runStatus, conclusion, attempts, supersededBy, liveBefore, parent, rolledBackBy } =
    promotion
  return {
    id,
    state,
    reason: explain(promotion),
    model,
    version,
    environment,
    accuracy,
    source,
    rollback: rollback || undefined,
    metrics,
    seq,
    attempts,
    liveBefore: liveBefore === '' ? null : liveBefore,
    supersededBy,
    parent,
    rolledBackBy,
    traceId: traceIdIn(promotion),
    run:
      runId === undefined
        ? null
        : { id: runId, url: runUrl, status: runStatus, conclusion: conclusion ?? null },
    acceptedAt: iso(promotion.acceptedAt),
    dispatchedAt: iso(promotion.dispatchedAt),
    endedAt: iso(promotion.endedAt),
    timeline: timeline?.map(({ at, what, ...detail }) => ({
      at: iso(at),
      what,
      text: sentenceOf({ at, what, ...detail }),
      ...detail,
    })),
  }
}

export function targetView(target: Target): z.input<typeof targetSchema> {
  const { model, environment, live, liveSince, previous, drift, inFlight, pending, hold } = target
  return {
    model,
    environment,
    live: live ?? null,
    liveSince: iso(liveSince),
    previous: previous ?? null,
    drift,
    inFlight: inFlight ?? null,
    pending: pending ?? null,
    hold: hold ? { ...hold, since: iso(hold.since) } : null,
  }
}

function iso(ms: number): string
function iso(ms: number | undefined): string | undefined
function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
