/** What the steps of the ledger are told, and what they answer. The scripts' own heads say the same in Lua's words. */
import type { Promotion, State, WaitCode } from './promotion-record.ts'

export interface Accepted {
  /** `key_reused`: the idempotency key belongs to another target or version. */
  status: 'accepted' | 'duplicate' | 'key_reused'
  id: string
  state: State
  /** Version live when it was accepted; '' if none was. */
  live: string
  /** Number for its first job. */
  job: number
}

export interface ClaimRequest {
  id: string
  /** One a claim: only its holder may tell the outcome. */
  token: string
  worker: string
  enabled: boolean
  /** owner/name */
  repository: string
  workflow: string
  /** Time between two dispatches to the repository, ms. */
  slotMs: number
  /** For how long after the intent an attempt that told nothing may still be under way, ms. */
  uncertainMs: number
  /** When to look again at the latest, where a wake is expected, ms. */
  recheckMs: number
  /** Attempts without any outcome after which it becomes a dead letter. */
  maxClaims: number
}

export type Claim =
  /** `test`: it was a smoke test, which ends here. */
  | { kind: 'done'; state: State | 'unknown'; test?: boolean }
  | { kind: 'wait'; waitMs: number; code: WaitCode; detail: string }
  | { kind: 'dead_letter'; deadLetter: number; wake?: Wake }
  | Go

/** The intent is recorded: send now, within the send deadline, or record that nothing was sent. */
export interface Go {
  kind: 'go'
  /** The claim's own: its holder alone may tell the outcome. */
  token: string
  /** Number of this attempt, from 1, over the promotion's whole life. */
  attempt: number
  /** Attempts that count towards the limit, since it was last accepted or redriven, this one left out. */
  spent: number
  promotion: Promotion
  /** False: the replicas that were asked for did not acknowledge the intent, and it must not be sent. */
  replicated: boolean
  /** What this workflow has refused before, comma-separated; see `AttemptEnd.adjust`. */
  refused: string
}

/** A circuit to open: what is at fault, and for how long to wait at first. */
export interface CircuitOpening {
  /** owner/name, or owner/name/workflow */
  scope: string
  reason: string
  waitMs: number
  /** GitHub named the time itself: it is not stretched. */
  untilReset: boolean
}

export type Next =
  | { kind: 'track'; runId?: string; runUrl?: string }
  | { kind: 'again'; delayMs: number; spend: boolean; circuit?: CircuitOpening }
  | { kind: 'dead_letter'; exhausted: boolean }
  | { kind: 'unknown' }

export interface AttemptEnd {
  id: string
  attempt: number
  token: string
  /** Name of the outcome. */
  outcome: string
  /** The outcome in words; free of secrets. */
  detail: string
  /** GitHub's HTTP status, 0 if there was no answer. */
  status: number
  next: Next
  /** The circuits that it passes, in GitHub's order: owner/name, owner/name/workflow. */
  scopes: readonly string[]
  /** Nobody answered, or a 5xx: several in a row open the repository's circuit. */
  fault: boolean
  faultPauseMs: number
  recheckMs: number
  /** What the workflow (owner/name/workflow) refuses and is not to be sent for a day. */
  adjust?: { scope: string; fields: readonly string[] }
}

/** A promotion that may go now, with the number for its job. */
export interface Wake {
  id: string
  job: number
}

/** One opening of a circuit. */
export interface Opening {
  scope: string
  number: number
}

/** Nothing was started, and it is not sent again: something newer goes in its place, or a person has discarded it. */
export type GaveWay = { kind: 'superseded'; by: string; wake?: Wake } | { kind: 'discarded'; wake?: Wake }

/** What an outcome did to circuits. */
export interface CircuitChange {
  /** It was closed before. */
  opened?: Opening
  /** They were open before. */
  closed?: Opening[]
}

export type Recorded = CircuitChange &
  (
    | { kind: 'track'; job: number; waitedMs: number }
    | { kind: 'again'; waitMs: number }
    | GaveWay
    | { kind: 'dead_letter'; deadLetter: number; wake?: Wake }
    | { kind: 'resolving'; waitMs: number }
    | { kind: 'stale'; state: State | 'unknown' }
  )

/** What a look at the workflow's runs says of one promotion in doubt. */
export type Look =
  | { kind: 'found'; runId: string; runUrl: string }
  /** The listing was complete, and its run is not in it. */
  | { kind: 'not_listed' }
  /** A run that could be its own, and nobody can tell. */
  | { kind: 'unexplained'; detail: string }

export interface LookedAt {
  id: string
  attempt: number
  look: Look
  /** Looks that the ledger had counted when the listing began: each listing counts once. */
  looks: number
  /** After the intent (or the restart): a run that was started would be listed by then, ms. */
  certainAfterMs: number
  /** Complete listings after that time without the run, until it counts as absent. */
  looksNeeded: number
  /** Backoff before the next attempt, ms. */
  delayMs: number
  maxAttempts: number
}

export type Resolved =
  | { kind: 'track'; job: number; waitedMs: number }
  | { kind: 'patience' }
  | { kind: 'again'; job: number }
  | GaveWay
  | { kind: 'dead_letter'; deadLetter: number; wake?: Wake }
  | { kind: 'unresolved'; deadLetter: number }
  | { kind: 'stale'; state: State | 'unknown' }

/** A run as it is, or was when a webhook was sent. Whatever is older than what is known changes nothing. */
export interface RunSeen {
  id: string
  runId: string
  runUrl: string
  status: string
  runAttempt: number
  /** When GitHub last changed the run, ms since the epoch, whole seconds; 0 or nothing if it did not tell. */
  updatedAt?: number
  /** By a webhook, which may come late; a read is the newer one where both are of the same second. */
  told?: boolean
}

export interface RunEnd {
  id: string
  runId: string
  runUrl: string
  runAttempt: number
  state: 'deployed' | 'failed' | 'cancelled' | 'timed_out'
  /** GitHub's word. */
  conclusion: string
  /** When GitHub last changed the run, ms since the epoch, whole seconds; 0 or nothing if it did not tell. */
  updatedAt?: number
  /** Of a promotion that is to put back what is live, if that can be: the same for the same end. */
  rollbackId?: string
}

/** How a run ended that a person has started again. */
export interface RunAgain {
  id: string
  runId: string
  runAttempt: number
  success: boolean
  /** GitHub's word. */
  conclusion: string
  updatedAt: number
}

/** `live`: the version in whose place another one is live now. */
export type Rerun = { kind: 'noted'; live?: string } | { kind: 'stale'; state: State | 'unknown' }

export type Redriven =
  | { kind: 'accepted'; job: number }
  | { kind: 'superseded'; by: string; version: string }
  /** Nothing is sent: its run is looked for again. */
  | { kind: 'resolving' }
  | { kind: 'settled'; state: State | 'unknown' }

/** What a redrive would do. `unsure`: Redis was restarted since, and its run is looked for first. */
export type RedrivePreview = Exclude<Redriven, { kind: 'accepted' }> | { kind: 'accepted'; unsure?: true }

export type Discarded =
  | { kind: 'discarded' }
  /** Redis was restarted since it was buried: it ends so once it is sure that no run of it exists. */
  | { kind: 'looked_for'; job: number }
  /** A run of it may exist: first it is to be said what became of it. */
  | { kind: 'unresolved' }
  | { kind: 'settled'; state: State | 'unknown' }

export type DiscardPreview = Exclude<Discarded, { kind: 'looked_for' }> | { kind: 'looked_for' }

/** `early`: its own attempt's answer may still come, and goes first. */
export type Adopted =
  | { kind: 'track'; job: number; waitedMs: number }
  | { kind: 'early' }
  | { kind: 'stale'; state: State | 'unknown' }

export type Settled =
  | { kind: 'track'; job: number; waitedMs?: number }
  | { kind: 'accepted'; job: number }
  | GaveWay
  | { kind: 'refused'; state: State | 'unknown'; why: string }

/** A person's word on a target. */
export interface Order {
  model: string
  environment: string
  by: string
  why?: string | undefined
}

export type Held = { kind: 'held' } | { kind: 'unknown' }

export type Released = { kind: 'released'; wake?: Wake } | { kind: 'not_held' } | { kind: 'unknown' }

export type RolledBack =
  | (Omit<Accepted, 'status'> & { status: 'accepted' | 'duplicate'; version: string })
  /** `blocked`: the version before was itself rolled back from, and is to be asked for by name. */
  | { status: 'refused'; why: 'unknown' | 'nothing_before' | 'blocked'; version?: string }
