/**
 * The decision table of the registry: what an alias (stage, tag) points at, what was noted of it before, and what the
 * ledger has accepted last; out comes whether that is news. Pure. An unchanged alias is never news by itself: who
 * promotes by a call and moves the alias later must not be undone in between. A move back to an older version is news
 * only where it is known to be later than what the ledger has accepted: nothing older goes over something newer on
 * a guess.
 */
export interface Seen {
  /** The version that it points at. */
  points: string
  /** The version that was noted last; undefined where none was. */
  noted?: string | undefined
  /** Before the first complete look at this mapping: what is there is where we begin. */
  isBaseline: boolean
  /** With the baseline: deploy what is there. */
  deployExisting: boolean
  /** The target's newest promotion. */
  newest?: { version: string; acceptedAt: number } | undefined
  /** The version is held back: it was rolled back from. */
  isBlocked: boolean
  /** It was set to this version after this time at the earliest, ms since the epoch by the ledger's clock; 0: unknown. */
  setAfter: number
  /** The registry has told that it was set to this version, at `setAfter`. */
  wasTold: boolean
}

export type Verdict =
  | {
      kind: 'promote'
      /** To an older version. */
      rollback: boolean
      /** Set later than anything that the ledger has accepted: meant, also where the ledger has seen it before. */
      isLater: boolean
    }
  /** Nothing to do but to remember it. */
  | { kind: 'note' }
  /** Nothing has changed. */
  | { kind: 'same' }
  | { kind: 'blocked' }
  /** An older version than the ledger's newest, and nobody knows which of the two came later. */
  | { kind: 'unclear' }

export function decide(seen: Seen): Verdict {
  const { points, noted, newest, setAfter } = seen
  if (points === newest?.version) return noted === points ? { kind: 'same' } : { kind: 'note' }
  const isLater = newest !== undefined && setAfter > newest.acceptedAt
  if (noted === points && !(seen.wasTold && isLater)) return { kind: 'same' }
  if (seen.isBaseline && !seen.wasTold && !seen.deployExisting && noted === undefined) return { kind: 'note' }
  if (seen.isBlocked) return { kind: 'blocked' }
  if (newest === undefined || !isOlder(points, newest.version))
    return { kind: 'promote', rollback: false, isLater }
  return isLater ? { kind: 'promote', rollback: true, isLater } : { kind: 'unclear' }
}

/** Versions of a registry are numbers that only grow. */
export function isOlder(version: string, than: string): boolean {
  return /^\d+$/.test(version) && /^\d+$/.test(than) && Number(version) < Number(than)
}
