/**
 * The library face: what a training pipeline imports. `promote` answers within its deadline whatever is down and
 * says what happened; for a broken Redis it returns a value and never throws.
 */
import type { Redis } from 'ioredis'
import { createAccept } from '../shared/accept.ts'
import { createLedger, NotReplicated } from '../shared/ledger/ledger.ts'
import type { Promotion, TimelineEntry } from '../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../shared/ledger/read.ts'
import type { Accepted } from '../shared/ledger/steps.ts'
import { type Logger, silentLogger } from '../shared/logger.ts'
import type { FieldProblem, PromotionRequest } from '../shared/promotion.ts'
import { addPromotedJob, createQueue, PROMOTIONS, removePromotedJob } from '../shared/queues.ts'
import { connectForProducer } from '../shared/redis/connect.ts'
import { traceContextFrom } from '../shared/trace-context.ts'
import { withSpool } from './with-spool.ts'

export type { Promotion, State, TimelineEntry } from '../shared/ledger/promotion-record.ts'
export type { FieldProblem, PromotionRequest } from '../shared/promotion.ts'

export interface ProducerOptions {
  /** redis:// or rediss:// */
  redisUrl: string
  /** Within this time `promote` answers, ms; 2,000 by default. */
  deadlineMs?: number
  /** Where a promotion is kept that could not be handed over; without it such a one is `unavailable`. */
  spoolDir?: string
  /** Replicas that must have it before it counts as accepted; 0 by default. */
  replicas?: number
  log?: Logger
}

export interface PromoteOptions {
  /** The same key never makes a second promotion; kept for 90 days. */
  idempotencyKey?: string
  /** For this call, in place of the producer's own, ms. */
  deadlineMs?: number
  /** W3C trace context of the caller: its trace goes on to the end of the deployment. Invalid, it is ignored. */
  traceparent?: string
  tracestate?: string
}

/** What the ledger said, without its bookkeeping. */
export type Answered = Omit<Accepted, 'job'>

/**
 * `unavailable`: Redis did not answer in time. The promotion may have been taken all the same if the answer was
 * lost: sending it again is safe, with or without an idempotency key.
 */
export type PromoteResult =
  | Answered
  | { status: 'invalid'; problems: FieldProblem[] }
  | { status: 'unavailable'; reason: string }
  /** Kept in `spoolDir`, and delivered later by the next call or `flush`. */
  | { status: 'spooled'; id: string; reason: string }

export interface PromotionView {
  promotion: Promotion
  timeline: TimelineEntry[]
}

export interface Producer {
  promote(request: PromotionRequest, options?: PromoteOptions): Promise<PromoteResult>
  /** undefined if there is none. @throws when Redis can't be reached. */
  get(id: string): Promise<PromotionView | undefined>
  close(): Promise<void>
}

const DEADLINE_MS = 2_000

export function createProducer(options: ProducerOptions): Producer {
  const { spoolDir, deadlineMs = DEADLINE_MS } = options
  const producer = createRedisProducer(options)
  return spoolDir === undefined ? producer : withSpool(producer, { directory: spoolDir, deadlineMs })
}

function createRedisProducer(options: ProducerOptions): Producer {
  const { redisUrl, deadlineMs = DEADLINE_MS, replicas = 0, log = silentLogger } = options
  const redis = connectForProducer(redisUrl, log)
  letProcessEnd(redis)
  const reader = createLedgerReader({ redis })
  const ledger = createLedger({ redis, replicas })
  redis.on('ready', ledger.prepare)
  const queue = createQueue(PROMOTIONS, redis)
  queue.on('error', (err) => log.debug({ err }, 'The queue reports a fault'))
  let fault = ''
  redis.on('error', (error) => {
    fault = nameOf(error)
  })
  redis.on('ready', () => {
    fault = ''
  })

  let ready: Promise<void> | undefined
  async function connected(): Promise<void> {
    if (redis.status === 'ready') return
    ready ??= new Promise<void>((resolve) => redis.once('ready', resolve)).finally(() => {
      ready = undefined
    })
    await ready
  }

  return {
    async promote(request, { idempotencyKey, deadlineMs: ownMs = deadlineMs, traceparent, tracestate } = {}) {
      const trace = traceContextFrom(traceparent, tracestate)
      let over = false
      let recorded: Accepted | undefined
      const accept = createAccept({
        ledger: {
          async accept(...given) {
            recorded = await ledger.accept(...given)
            return recorded
          },
        },
        async connected() {
          await connected()
          // The caller was told that it is not accepted: it must not be, minutes later.
          if (over) throw new Error('too late')
        },
        enqueue: (promotion, job) => addPromotedJob(queue, promotion, job),
        withdraw: (id, job) => removePromotedJob(queue, id, job),
        log,
      })
      try {
        const result = await within(ownMs, accept(request, { idempotencyKey, trace }))
        return result.status === 'invalid' ? result : answered(result)
      } catch (error) {
        // Only its job was not added in time: the sweep does that.
        if (recorded) return answered(recorded)
        return { status: 'unavailable', reason: reasonOf(error, fault) }
      } finally {
        over = true
      }
    },

    async get(id) {
      const read = async () => {
        await connected()
        const promotion = await reader.promotion(id)
        return promotion && { promotion, timeline: await reader.timeline(id) }
      }
      return within(deadlineMs, read())
    },

    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}

/** Only a call under way, by its deadline, keeps the process alive: a script that forgets `close` comes to its end. */
function letProcessEnd(redis: Redis): void {
  redis.on('connect', () => redis.stream.unref())
  redis.on('reconnecting', () => {
    // Private to ioredis, which has no other way to let go of it.
    const { reconnectTimeout } = redis as unknown as { reconnectTimeout?: NodeJS.Timeout | null }
    reconnectTimeout?.unref()
  })
}

/** Rejects after a time; what was begun goes on, and its late failure is nobody's unhandled rejection. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`Redis did not answer within ${ms} ms`)), ms)
  })
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

class Late extends Error {
  readonly code = 'LATE'
}

function answered({ status, id, state, live }: Accepted): Answered {
  return { status, id, state, live }
}

/** Never the address: it may hold a password. */
function reasonOf(error: unknown, fault: string): string {
  if (error instanceof NotReplicated) return error.message
  if (error instanceof Late) return fault === '' ? error.message : `${error.message} (${fault})`
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return `Redis can't be reached (${code})`
  return `Redis can't be used: ${String(message ?? error).slice(0, 200)}`
}

/** The code of a fault of the network, or the first word of what Redis says (WRONGPASS, NOAUTH, LOADING). */
function nameOf(error: Error & { code?: unknown }): string {
  return typeof error.code === 'string' ? error.code : (/^[A-Z]+\b/.exec(error.message)?.[0] ?? '')
}
