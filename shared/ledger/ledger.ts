/**
 * The ledger: the record in Redis of every promotion's state, and the truth. One method a step, each one Lua
 * script, atomic, checked against the table of transitions, harmless when replayed. Holds no policy: what
 * follows an outcome is decided by its caller. Keys are described in `keys.md` beside this file.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { ValidPromotion } from '../promotion.ts'
import { KEY_PREFIX } from '../redis/connect.ts'
import type { TraceContext } from '../trace-context.ts'
import { type Promotion, promotionFrom, type State, targetName, type WaitCode } from './promotion-record.ts'
import { createScriptRunner, type ReadScript } from './scripts.ts'

export interface LedgerOptions {
  redis: Redis
  /** Of all keys; must hold a hash tag. */
  prefix?: string
  /** Replicas that must have an acceptance and an intent before anybody relies on it; 0 by default. */
  replicas?: number
  /** Where the scripts come from; the files beside this one by default. */
  read?: ReadScript
}

/** Window in which a version seen before counts as a duplicate, without an idempotency key. */
const SEEN_MS = 24 * 3_600_000
/** The longest pause of a circuit between two probes. */
export const CIRCUIT_MAX_MS = 10 * 60_000
/** So many faults in a row over a repository open its circuit. */
const FAULTS_TO_OPEN = 3
/** How long a smoke test that is not sent is remembered. */
const REHEARSED_MS = 3_600_000
/** How long an idempotency key is remembered. */
const KEY_MS = 90 * 24 * 3_600_000

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

export type Ledger = ReturnType<typeof createLedger>

/** Replicas answer within a round trip; a slower one is as good as none. */
const REPLICATED_WITHIN_MS = 1_000

/** Recorded, but not on enough replicas to be relied on. Sending the same promotion again is safe. */
export class NotReplicated extends Error {
  readonly code = 'NOT_REPLICATED'
  constructor() {
    super('not enough replicas of Redis have acknowledged it')
  }
}

export function createLedger({ redis, prefix = KEY_PREFIX, replicas = 0, read }: LedgerOptions) {
  const run = createScriptRunner(redis, prefix, read)
  const replicated = async () =>
    replicas === 0 || (await redis.wait(replicas, REPLICATED_WITHIN_MS)) >= replicas

  return {
    /** Takes a valid promotion in. `id` is the caller's: the same id again gives the same answer. */
    async accept(
      id: string,
      promotion: ValidPromotion,
      idempotencyKey?: string,
      /** The same id may have been accepted before, and Redis have lost that with its last second. */
      isKeptId = false,
      /**
       * `trace` is kept with it, so that its whole way is told as one; `by` brought it, for the timeline; `isTest`: a
       * smoke test, in no figure, list or news.
       */
      {
        trace,
        by,
        isTest = false,
      }: { trace?: TraceContext | undefined; by?: string | undefined; isTest?: boolean } = {},
    ): Promise<Accepted> {
      const { metrics, accuracy, promotedAt, ...rest } = promotion
      const kept = promotedAt === undefined ? {} : { promotedAt: Date.parse(promotedAt) }
      const record = { ...rest, ...kept, id, target: targetName(promotion) }
      // As text: Lua would round them.
      const figures = {
        ...(accuracy === undefined ? {} : { accuracy: String(accuracy) }),
        ...(metrics ? { metrics: JSON.stringify(metrics) } : {}),
      }
      const accepted = (await run('accept', {
        promotion: { ...record, ...figures, ...trace, ...(isTest && { test: 'dispatch' }) },
        idempotencyKey,
        isKeptId,
        by,
        seenMs: SEEN_MS,
        keyMs: KEY_MS,
        touch: replicas > 0,
      })) as Accepted
      if (!(await replicated())) throw new NotReplicated()
      return accepted
    },

    /** Takes in a smoke test that a claim ends: it is never sent. */
    async rehearse(
      promotion: Pick<Promotion, 'id' | 'model' | 'version' | 'environment' | 'source'>,
      by?: string,
    ): Promise<Wake> {
      const about = { promotion: { ...promotion, target: targetName(promotion) }, by }
      const taken = (await run('rehearse', { ...about, keepMs: REHEARSED_MS, touch: replicas > 0 })) as Wake
      if (!(await replicated())) throw new NotReplicated()
      return taken
    },

    /** May it be sent now? Records the intent before it says `go`. */
    async claim(request: ClaimRequest): Promise<Claim> {
      type Reply =
        | Exclude<Claim, { kind: 'go' }>
        | (Omit<Go, 'promotion' | 'token' | 'replicated'> & { promotion: Record<string, string> })
      const claim = (await run('claim', { ...request, touch: replicas > 0 })) as Reply
      if (claim.kind !== 'go') return claim
      const promotion = promotionFrom(claim.promotion)
      if (!promotion) throw new Error(`the claim of ${request.id} came without its promotion`)
      return { ...claim, promotion, token: request.token, replicated: await replicated() }
    },

    /** Records how an attempt ended and moves the promotion on. */
    async recordOutcome(end: AttemptEnd): Promise<Recorded> {
      return (await run('outcome', {
        ...end,
        circuitMaxMs: CIRCUIT_MAX_MS,
        faultsToOpen: FAULTS_TO_OPEN,
      })) as Recorded
    },

    /** Moves a promotion in doubt on by what a look at the runs has shown. */
    async resolve(looked: LookedAt): Promise<Resolved> {
      return (await run('resolve', looked)) as Resolved
    },

    /** Takes a run up that GitHub shows to be this promotion's, whatever its attempt has told. */
    async adopt(seen: { id: string; runId: string; runUrl: string }): Promise<Adopted> {
      return (await run('adopt', seen)) as Adopted
    },

    async track(seen: RunSeen) {
      return (await run('track', seen)) as { state: State; changed: boolean }
    },

    /** The run has completed: writes the end, moves `live`, frees the target. */
    async finish(end: RunEnd) {
      return (await run('finish', { ...end, seenMs: SEEN_MS })) as {
        finished: boolean
        state: State
        wake?: Wake
        /** The promotion that puts back what was live. */
        rollback?: { id: string; version: string }
        sinceAcceptedMs: number
        /** From the dispatch until it was first seen running, and from then until now; not where it never was. */
        toStartMs?: number
        ranMs?: number
        /** Of it, spent waiting for an approval. */
        waitedMs?: number
      }
    },

    /** After the promotion's end: that stands, and `live` follows a success. */
    async rerun(end: RunAgain): Promise<Rerun> {
      return (await run('rerun', end)) as Rerun
    },

    async redrive(id: string, deadLetter: number, by: string, why?: string): Promise<Redriven> {
      return (await run('redrive', { id, deadLetter, by, why })) as Redriven
    },

    /** What a redrive would do now. Changes nothing. */
    async previewRedrive(id: string, deadLetter: number): Promise<RedrivePreview> {
      return (await run('redrive', { id, deadLetter, dryRun: true })) as RedrivePreview
    },

    /** A dead letter is not to be sent any more. */
    async discard(id: string, deadLetter: number, by: string, why?: string): Promise<Discarded> {
      return (await run('discard', { id, deadLetter, by, why })) as Discarded
    },

    /** What a discard would do now. Changes nothing. */
    async previewDiscard(id: string, deadLetter: number): Promise<DiscardPreview> {
      return (await run('discard', { id, deadLetter, dryRun: true })) as DiscardPreview
    },

    /** A person's word on an unresolved promotion. */
    async settle(
      id: string,
      word: { runId: string; runUrl?: string } | { absent: true },
      by: string,
      why?: string,
    ): Promise<Settled> {
      return (await run('settle', { id, ...word, by, why })) as Settled
    },

    /** Nothing more of the target is sent until it is released; what is in flight goes on. */
    async hold({ by, why, ...of }: Order): Promise<Held> {
      return (await run('hold', { target: targetName(of), by, why })) as Held
    },

    async release({ by, why, ...of }: Order): Promise<Released> {
      return (await run('release', { target: targetName(of), by, why, token: randomUUID() })) as Released
    },

    /** Takes in the version that was live before, or the one that is asked for, and blocks the one that it replaces. */
    async rollback(
      id: string,
      { by, why, to, ...of }: Order & { to?: string | undefined },
    ): Promise<RolledBack> {
      const order = { id, target: targetName(of), to, by, why, source: 'manual_rollback', seenMs: SEEN_MS }
      const rolledBack = (await run('rollback', { ...order, touch: replicas > 0 })) as RolledBack
      if (!(await replicated())) throw new NotReplicated()
      return rolledBack
    },

    /** Forgets promotions that ended longer ago, a batch at a time; never a live one. */
    async trim(keepMs: number) {
      return (await run('trim', { keepMs, most: 500 })) as { trimmed: number; kept: number }
    },

    /** A fresh number for a successor of its job; undefined if it needs none. */
    async nextJob(id: string, field: 'job' | 'trackJob', states: readonly State[]) {
      return ((await run('next-job', { id, field, states })) as { job?: number }).job
    },
  }
}
