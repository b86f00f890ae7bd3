// The reference: what the ledger should hold, told again in a few lines without Redis, scripts or time limits. It
// knows what was accepted, in which order, and which version is live; and who may follow whom, by which call.
import { ENDED, type State } from '../../shared/ledger/promotion-record.ts'

export interface Request {
  id: string
  model: string
  version: string
  rollback: boolean
  key?: string | undefined
}

interface Known {
  model: string
  version: string
  /** Asked for, or made as another one failed: an older version may go over a newer one. */
  isRollback: boolean
  /** Place in the order of its target's acceptances. */
  order: number
}

export interface Reference {
  promotions: Record<string, Known>
  /** Promotions by idempotency key. */
  keys: Record<string, string>
  targets: Record<string, ReferenceTarget>
  /** Forgotten by `trim`, as they may be. */
  trimmed: string[]
  accepted: number
}

export interface ReferenceTarget {
  newest?: string
  live?: string
  livePromotion?: string
  /** When what is live succeeded, by GitHub, ms of the world's clock. */
  liveAt?: number
  /** Live before. */
  previous?: string
  /** A person stops it. */
  isHeld: boolean
  /** Versions that were rolled back from. */
  blocked: string[]
  /** By version: who brought it last, and until when that is remembered. */
  seen: Record<string, { id: string; until: number }>
}

export const emptyReference = (): Reference => ({
  promotions: {},
  keys: {},
  targets: {},
  trimmed: [],
  accepted: 0,
})

export const SEEN_MS = 24 * 3_600_000
const OPEN_AGAIN: readonly (State | undefined)[] = [
  ...(['failed', 'cancelled', 'timed_out', 'dead_lettered', 'skipped'] as const),
  undefined,
]

export type StateOf = (id: string) => State | undefined

/** What accept is to answer, and what is known from then on. */
export function takeIn(
  reference: Reference,
  { id, model, version, rollback, key }: Request,
  stateOf: StateOf,
  now: number,
): { status: string; id: string } {
  if (stateOf(id)) return { status: 'accepted', id }
  reference.targets[model] ??= { seen: {}, isHeld: false, blocked: [] }
  const target = reference.targets[model]
  const isBlocked = target.blocked.includes(version)
  const isOpenAgain = (other: string) => {
    const isSkippedAgain = isBlocked && stateOf(other) === 'skipped'
    return OPEN_AGAIN.includes(stateOf(other)) && other !== target.livePromotion && !isSkippedAgain
  }
  const standing = (other?: string) =>
    other !== undefined && reference.promotions[other]?.version === version && !isOpenAgain(other)
  if (key !== undefined) {
    const first = reference.keys[key]
    const known = first === undefined || !stateOf(first) ? undefined : reference.promotions[first]
    if (first !== undefined && known) {
      const same = known.model === model && known.version === version
      return { status: same ? 'duplicate' : 'key_reused', id: first }
    }
    const { newest } = target
    if (newest !== undefined && standing(newest) && !ENDED.includes(stateOf(newest) ?? 'failed')) {
      reference.keys[key] = newest
      return { status: 'duplicate', id: newest }
    }
  } else {
    const seen = target.seen[version]
    const others = rollback ? [] : [target.livePromotion, seen && seen.until > now ? seen.id : undefined]
    const same = [target.newest, ...others].find(standing)
    if (same !== undefined) return { status: 'duplicate', id: same }
  }
  reference.promotions[id] = { model, version, order: ++reference.accepted, isRollback: rollback }
  if (key !== undefined) reference.keys[key] = id
  target.seen[version] = { id, until: now + SEEN_MS }
  // It is skipped: nothing gives way to it.
  if (!isBlocked) Object.assign(target, { newest: id, blocked: [] })
  return { status: 'accepted', id }
}

/**
 * A run has succeeded at GitHub, and the ledger has taken it in: live is the last one, whoever was told first.
 * @returns whether this one is
 */
export function takeSuccess(reference: Reference, id: string, at: number) {
  const known = reference.promotions[id]
  const target = known && reference.targets[known.model]
  if (!target || at < (target.liveAt ?? 0)) return false
  if (target.live !== known.version) target.previous = target.live ?? ''
  Object.assign(target, { live: known.version, livePromotion: id, liveAt: at })
  return true
}

export type Call =
  | 'accept'
  | 'claim'
  | 'outcome'
  | 'resolve'
  | 'adopt'
  | 'track'
  /** By a webhook. */
  | 'told'
  | 'rerun'
  | 'finish'
  | 'redrive'
  | 'discard'
  | 'hold'
  | 'release'
  | 'rollback'
  | 'settle'
  | 'nextJob'
  | 'circuit'
  | 'trim'

/** Every way from a state to another, with the calls that may take it. */
const MOVES: Partial<Record<State, Partial<Record<State, readonly Call[]>>>> = {
  accepted: {
    dispatching: ['claim'],
    superseded: ['accept', 'claim', 'resolve', 'rollback', 'rerun'],
    skipped: ['claim', 'resolve', 'outcome'],
    dead_lettered: ['claim'],
    dispatched: ['outcome', 'resolve', 'adopt'],
    unresolved: ['resolve'],
  },
  dispatching: {
    dispatched: ['outcome', 'resolve', 'adopt'],
    accepted: ['outcome', 'resolve'],
    superseded: ['outcome', 'resolve'],
    skipped: ['outcome', 'resolve'],
    dead_lettered: ['outcome', 'resolve'],
    unresolved: ['resolve'],
  },
  unresolved: {
    dispatching: ['redrive'],
    dispatched: ['outcome', 'settle'],
    accepted: ['outcome', 'settle'],
    superseded: ['outcome', 'settle'],
    skipped: ['outcome', 'settle'],
    dead_lettered: ['outcome'],
  },
  dispatched: { deployed: ['finish'], failed: ['finish'], cancelled: ['finish'], timed_out: ['finish'] },
  dead_lettered: { accepted: ['redrive', 'discard'], superseded: ['redrive'], skipped: ['discard'] },
}

export function mayMove(from: State, to: State, by: Call): boolean {
  return MOVES[from]?.[to]?.includes(by) ?? false
}
