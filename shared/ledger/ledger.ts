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
import { metricFields, type Promotion, promotionFrom, type State, targetName } from './promotion-record.ts'
import { createScriptRunner, type ReadScript } from './scripts.ts'
import type {
  Accepted,
  Adopted,
  AttemptEnd,
  Claim,
  ClaimRequest,
  Discarded,
  DiscardPreview,
  Go,
  Held,
  LookedAt,
  Order,
  Recorded,
  Redriven,
  RedrivePreview,
  Released,
  Rerun,
  Resolved,
  RolledBack,
  RunAgain,
  RunEnd,
  RunSeen,
  Settled,
  Wake,
} from './steps.ts'

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
/** What is forgotten by one script, for so long nobody else is served, and how many times in a row. */
const TRIM = { most: 100, batches: 5 }
/** How long an idempotency key is remembered. */
const KEY_MS = 90 * 24 * 3_600_000

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
    /**
     * Has Redis know the script of `accept`, for whoever sends something right behind it: else its first call would be
     * sent a second time, and come after that. To be called as soon as the connection is ready; never rejects.
     */
    prepare: () => run.load('accept').catch(() => {}),

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
        ...(metrics ? { metrics: metricFields(metrics) } : {}),
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

    /**
     * What a webhook has told of a run that goes on, by the run alone. `isClear`: nothing is left to do; else only a look
     * at the run tells what it means. `scope` is the workflow's, owner/name/workflow.
     */
    async trackTold(seen: Omit<RunSeen, 'id' | 'runUrl' | 'told'>) {
      return (await run('track', { ...seen, told: true })) as {
        state: State
        changed: boolean
        isClear?: boolean
        scope?: string
      }
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

    /** Forgets promotions that ended longer ago, some batches of them; never a live one. */
    async trim(keepMs: number): Promise<{ trimmed: number; kept: number }> {
      const all = { trimmed: 0, kept: 0 }
      for (let batch = 0; batch < TRIM.batches; batch++) {
        const { trimmed, kept } = (await run('trim', { keepMs, most: TRIM.most })) as typeof all
        all.trimmed += trimmed
        all.kept += kept
        if (trimmed + kept < TRIM.most) break
      }
      return all
    },

    /** A fresh number for a successor of its job; undefined if it needs none. */
    async nextJob(id: string, field: 'job' | 'trackJob', states: readonly State[]) {
      return ((await run('next-job', { id, field, states })) as { job?: number }).job
    },
  }
}
