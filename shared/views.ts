/** How promotions, targets, circuits and figures look from outside: times as ISO 8601, and a sentence for people. */
import type { z } from 'zod'
import type { Latency, Stats, Window } from './desk.ts'
import { explain, sentenceOf } from './explain.ts'
import type { InvalidJob } from './invalid-jobs.ts'
import type { EndCount } from './ledger/ends.ts'
import type { Promotion, Target, TimelineEntry } from './ledger/promotion-record.ts'
import type { OpenCircuit } from './ledger/read.ts'
import { traceIdIn } from './trace-context.ts'
import type * as schemas from './view-schemas.ts'

export type PromotionView = z.input<typeof schemas.promotionSchema>
export type PromotionsView = z.input<typeof schemas.promotionsSchema>
export type TargetView = z.input<typeof schemas.targetSchema>
export type TargetsView = z.input<typeof schemas.targetsSchema>
export type LetterView = z.input<typeof schemas.letterSchema>
export type LettersView = z.input<typeof schemas.lettersSchema>
export type CircuitView = z.input<typeof schemas.circuitSchema>
export type CircuitsView = z.input<typeof schemas.circuitsSchema>
export type StatsView = z.input<typeof schemas.statsSchema>
export type SearchView = z.input<typeof schemas.searchSchema>

export function promotionView(promotion: Promotion, timeline?: readonly TimelineEntry[]): PromotionView {
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

export function targetView(target: Target): TargetView {
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

export function letterView(promotion: Promotion): LetterView {
  const { deadLetters: deadLetter, since } = promotion
  return { ...promotionView(promotion), deadLetter, buriedAt: iso(since) }
}

export function invalidJobView({ id, reason, at }: InvalidJob) {
  return { id, reason, at: iso(at) }
}

export function circuitView(circuit: OpenCircuit): CircuitView {
  const { scope, number: opening, reason, detail, sinceMs, untilMs, halfOpen = false } = circuit
  return { scope, reason, detail, halfOpen, opening, since: iso(sinceMs), nextProbe: iso(untilMs) }
}

export function statsView(stats: Stats): StatsView {
  const { at, states, oldestWaitingSince, lastAcceptedAt, triggers, deployments, latency, counters } = stats
  const { deadLetters, openCircuits, holds, workers } = stats
  return {
    at: iso(at),
    promotions: states,
    oldestWaiting: iso(oldestWaitingSince),
    lastAccepted: iso(lastAcceptedAt),
    triggers: byWindow(triggers, ({ good, bad }) => ({ dispatched: good, notDispatched: bad })),
    deployments: byWindow(deployments, ({ good, bad }) => ({ succeeded: good, failed: bad })),
    latency: { toDispatch: inSeconds(latency.toDispatch), toLive: inSeconds(latency.toLive) },
    deadLetters,
    openCircuits,
    holds,
    workers,
    ever: counters,
  }
}

function byWindow<T>(counts: Record<Window, EndCount>, view: (count: EndCount) => T): Record<Window, T> {
  return { '1h': view(counts['1h']), '24h': view(counts['24h']) }
}

function inSeconds({ of, p50, p99 }: Latency): StatsView['latency']['toLive'] {
  return { of, ...(p50 === undefined || p99 === undefined ? {} : { p50: p50 / 1000, p99: p99 / 1000 }) }
}

function iso(ms: number): string
function iso(ms: number | undefined): string | undefined
function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
