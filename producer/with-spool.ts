/**
 * A producer that keeps what it could not hand over: whichever way it reaches the relay, promotions that were not
 * taken are spooled, and delivered by the next call or by `flush`. Each carries an id of its own from the first try
 * on, so that one whose answer was lost is the same promotion when it is delivered.
 */
import { v7 as uuidv7 } from 'uuid'
import { validatePromotion } from '../shared/promotion.ts'
import type { Producer, PromoteOptions, PromoteResult, PromotionRequest } from './index.ts'
import { type Delivered, deliverSpooled, type Handed, hasSpooled, type Spooled, spool } from './spool.ts'

export interface SpoolingProducer extends Producer {
  /** Hands over what is spooled. @throws what the file system says */
  flush(): Promise<Delivered>
}

export interface SpoolOptions {
  directory: string
  /** Within this time `promote` answers, older promotions and the disk included, ms. */
  deadlineMs: number
}

/** Of the deadline, for writing to the disk, ms. */
const DISK_MS = 200

export function withSpool(producer: Producer, { directory, deadlineMs }: SpoolOptions): SpoolingProducer {
  async function hand({ request, idempotencyKey }: Spooled, withinMs = deadlineMs): Promise<Handed> {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey }
    // What is not valid is answered as such.
    const given = request as unknown as PromotionRequest
    const result = await producer.promote(given, { ...key, deadlineMs: withinMs })
    switch (result.status) {
      case 'accepted':
      case 'duplicate':
        return { kind: 'taken' }
      case 'invalid':
        return {
          kind: 'refused',
          reason: result.problems.map(({ field, problem }) => `${field} ${problem}`).join('; '),
        }
      case 'key_reused':
        return { kind: 'refused', reason: 'its idempotency key or id was used for another promotion' }
      case 'spooled':
      case 'unavailable':
        return { kind: 'away', reason: result.reason }
      default:
        return result satisfies never
    }
  }

  async function keep(
    request: PromotionRequest,
    { id, createdAt }: { id: string; createdAt: Date },
    reason: string,
    { idempotencyKey }: PromoteOptions,
  ) {
    try {
      const { id: _own, promotedAt: _at, ...rest } = request
      await spool(directory, { id, createdAt, idempotencyKey, request: rest })
      return { status: 'spooled', id, reason } as const
    } catch (error) {
      const { code } = error as { code?: unknown }
      return {
        status: 'unavailable',
        reason: `${reason}; nor can it be spooled (${String(code ?? 'unknown fault')})`,
      } as const
    }
  }

  return {
    ...producer,

    async promote(request, options = {}): Promise<PromoteResult> {
      const checked = validatePromotion(request)
      if (!checked.ok) return { status: 'invalid', problems: checked.problems }
      const { model, environment, id = uuidv7(), promotedAt } = checked.value
      const of = { model, environment }
      // As of now: what others promote while this one is tried is newer.
      const own = { id, createdAt: promotedAt === undefined ? new Date() : new Date(promotedAt) }
      const until = Date.now() + (options.deadlineMs ?? deadlineMs) - DISK_MS
      const leftMs = () => Math.max(1, until - Date.now())
      try {
        // Nothing overtakes what is older.
        if (await hasSpooled(directory, of)) {
          const { left, reason } = await deliverSpooled(directory, (one) => hand(one, leftMs()), of)
          if (left > 0) return keep(request, own, reason, options)
        }
      } catch (error) {
        // A spool that can't be read holds nothing back.
        const { code } = error as { code?: unknown }
        if (code === undefined) throw error
      }
      const result = await producer.promote({ ...request, id }, { ...options, deadlineMs: leftMs() })
      return result.status === 'unavailable' ? keep(request, own, result.reason, options) : result
    },

    flush: () => deliverSpooled(directory, (one) => hand(one)),
  }
}

export function isFlushing(producer: Producer): producer is SpoolingProducer {
  return 'flush' in producer
}
