/**
 * One piece of news as all sinks are told it: a full snapshot, made once, so that what is sent stays the same over all
 * retries. The promotion may have gone on since: state, time and reason are those of then.
 */
import { explain } from '../../shared/explain.ts'
import type { NewsEntry } from '../../shared/ledger/news.ts'
import type { Promotion, State, TimelineEntry } from '../../shared/ledger/promotion-record.ts'

export interface News {
  /** One of its kind, and the same over all retries: `<promotion>-<state>-<number>`. */
  id: string
  promotionId: string
  state: State
  /** When it came to this state, ms since the epoch. */
  at: number
  model: string
  version: string
  environment: string
  accuracy?: number
  /** Who asked for it: `trigger_source`. */
  trigger: string
  rollback: boolean
  /** ms since the epoch. */
  acceptedAt: number
  dispatchedAt?: number
  /** In a sentence. */
  reason: string
  run?: { id: string; url?: string; conclusion?: string }
  /** owner/name/workflow */
  scope?: string
  /** Of a deployed one: the version that was live until then. */
  replaced?: string
  supersededBy?: Other
  /** What puts the version back that was live before this one failed. */
  rolledBackBy?: Other
  /** Of an automated rollback: what failed. */
  parent?: Other
  simulated?: true
}

/** Another promotion of the same target. */
export interface Other {
  id: string
  version: string
}

export interface Context {
  /** What the timeline tells of this step. */
  step: TimelineEntry | undefined
  /** The promotions that this one names. */
  others: readonly Promotion[]
  /** Where the relay dispatches to, owner/name/workflow; for those that were never sent. */
  scope: string | undefined
  simulated: boolean
}

/** Longer reasons are cut: GitHub's own words may be anything, and a body is to stay under 20 kB. */
const LONGEST_REASON = 1_000

export function newsFrom(entry: NewsEntry, promotion: Promotion, context: Context): News {
  const { state, at, number } = entry
  const { model, version, environment, runId, runUrl, conclusion, replaced } = promotion
  const { accuracy, source, rollback, acceptedAt, dispatchedAt } = promotion
  const scope = promotion.scope ?? context.scope
  const named = { supersededBy: promotion.supersededBy, rolledBackBy: promotion.rolledBackBy }
  const hasRun = runId !== undefined && state !== 'dead_lettered' && state !== 'unresolved'
  const hasEnded = state !== 'dispatched' && conclusion !== undefined
  return {
    id: `${promotion.id}-${state}-${number}`,
    promotionId: promotion.id,
    state,
    at,
    model,
    version,
    environment,
    ...(accuracy !== undefined && { accuracy }),
    trigger: source,
    rollback,
    acceptedAt,
    ...(dispatchedAt !== undefined && { dispatchedAt }),
    reason: reasonOf(promotion, entry, context.step),
    ...(hasRun && {
      run: { id: runId, ...(runUrl && { url: runUrl }), ...(hasEnded && { conclusion }) },
    }),
    ...(scope && { scope }),
    ...(state === 'deployed' && replaced && { replaced }),
    ...(state === 'superseded' && other('supersededBy', named.supersededBy)),
    ...(state !== 'dispatched' && other('rolledBackBy', named.rolledBackBy)),
    ...other('parent', promotion.parent),
    ...(context.simulated && { simulated: true as const }),
  }

  function other(name: 'supersededBy' | 'rolledBackBy' | 'parent', id: string | undefined) {
    const one = context.others.find((promotion) => promotion.id === id)
    return one && { [name]: { id: one.id, version: one.version } }
  }
}

/** Ids of the promotions that it names. */
export function namedBy({ supersededBy, rolledBackBy, parent }: Promotion): string[] {
  return [supersededBy, rolledBackBy, parent].filter((id) => id !== undefined)
}

function reasonOf(promotion: Promotion, { state }: NewsEntry, step: TimelineEntry | undefined): string {
  // How its run is by now belongs to what comes next.
  if (state === 'dispatched') return 'GitHub took it'
  const then = { ...promotion, state, reason: String(step?.reason ?? promotion.reason) }
  return explain(then).slice(0, LONGEST_REASON).toWellFormed()
}
