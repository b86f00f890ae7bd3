/**
 * Many promotions in one request, each accepted or refused by itself, one after the other: two of one target come in
 * their order. Once the ledger can't be reached the rest is not tried, so that the answer comes in time.
 */
import { z } from 'zod'
import type { AcceptResult } from '../../shared/accept.ts'
import type { Logger } from '../../shared/logger.ts'
import { isTaken, refusal, takenView } from './accept-answer.ts'
import { type Problem, problemOf } from './problem.ts'
import { UNAVAILABLE } from './request-errors.ts'

export const MOST_IN_BATCH = 100
/** So many promotions, each as large as one may be. */
export const BATCH_LIMIT_BYTES = MOST_IN_BATCH * 64 * 1024

/** The promotions themselves are looked at one by one. */
export const batchSchema = z.strictObject({
  promotions: z
    .array(z.unknown())
    .min(1, 'must not be empty')
    .max(MOST_IN_BATCH, `must hold at most ${MOST_IN_BATCH} promotions`),
})

export type Each = ReturnType<typeof takenView> | { status: 'refused'; problem: ReturnType<typeof problemOf> }

export interface Accepted {
  /** In the order of what was given. */
  results: Each[]
  away?: 'from the start' | 'from some time on'
}

export async function acceptEach(
  items: readonly unknown[],
  accept: (input: unknown, idempotencyKey: string | undefined) => Promise<AcceptResult>,
  log: Logger,
): Promise<Accepted> {
  const results: Each[] = []
  for (const item of items) {
    try {
      results.push(eachOf(await acceptItem(item, accept)))
    } catch (err) {
      log.error({ err, done: results.length, of: items.length }, 'A batch was broken off')
      const away = results.length === 0 ? 'from the start' : 'from some time on'
      return { results: [...results, ...items.slice(results.length).map(() => refused(UNAVAILABLE))], away }
    }
  }
  return { results }
}

async function acceptItem(item: unknown, accept: Parameters<typeof acceptEach>[1]): Promise<AcceptResult> {
  if (typeof item !== 'object' || item === null || !('idempotencyKey' in item)) return accept(item, undefined)
  const { idempotencyKey, ...promotion } = item
  if (typeof idempotencyKey === 'string') return accept(promotion, idempotencyKey)
  return { status: 'invalid', problems: [{ field: 'idempotencyKey', problem: 'must be a string' }] }
}

function eachOf(result: AcceptResult): Each {
  if (isTaken(result)) return takenView(result)
  const problem = refusal(result)
  const errors = problem.errors?.map((one) =>
    one.field === 'Idempotency-Key' ? { ...one, field: 'idempotencyKey' } : one,
  )
  return refused(errors ? { ...problem, errors } : problem)
}

function refused(problem: Problem): Each {
  return { status: 'refused', problem: problemOf(problem) }
}
