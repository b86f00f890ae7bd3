/**
 * accept: the one way in, used by every producer. Validates, takes the promotion into the ledger, and adds its job
 * behind it, mostly in the same round trip. Once the ledger has it, it is accepted: a job that could not be added is put
 * there by the sweep.
 */
import { v7 as uuidv7 } from 'uuid'
import type { Ledger } from './ledger/ledger.ts'
import type { Accepted } from './ledger/steps.ts'
import type { Logger } from './logger.ts'
import {
  type FieldProblem,
  idempotencyKeySchema,
  type ValidPromotion,
  validate,
  validatePromotion,
} from './promotion.ts'
import type { TraceContext } from './trace-context.ts'
import type { Tracing } from './tracing.ts'

export interface AcceptDeps {
  ledger: Pick<Ledger, 'accept'>
  /** Waits until what is sent goes out in its order. @throws where it is too late by then */
  connected?(): Promise<void>
  /** Adds the promotion's job to the queue, on the ledger's own connection. */
  enqueue(promotion: ValidPromotion & { id: string }, job: number): Promise<void>
  /** Takes a job out again that nobody is to work on. */
  withdraw(id: string, job: number): Promise<void>
  tracing?: Pick<Tracing, 'accept'> | undefined
  log: Logger
}

export interface AcceptOptions {
  idempotencyKey?: string | undefined
  /** Given where the same news may come twice and must be known again; a fresh UUIDv7 otherwise. */
  id?: string
  /** Of the caller. */
  trace?: TraceContext | undefined
  /** Who brought it, for the timeline. */
  by?: string | undefined
}

export type AcceptResult = Accepted | { status: 'invalid'; problems: FieldProblem[] }

export type Accept = (input: unknown, options?: AcceptOptions) => Promise<AcceptResult>

const FIRST_JOB = 1

/** @throws what the ledger throws when Redis can't be reached; then it is not known to be accepted. */
export function createAccept({ ledger, connected, enqueue, withdraw, tracing, log }: AcceptDeps): Accept {
  return async (input, { idempotencyKey, id: keptId, trace: caller, by } = {}) => {
    const problems: FieldProblem[] = []
    const promotion = validatePromotion(input)
    if (!promotion.ok) problems.push(...promotion.problems)
    if (idempotencyKey !== undefined) {
      const key = validate(idempotencyKeySchema, idempotencyKey)
      if (!key.ok)
        problems.push(...key.problems.map(({ problem }) => ({ field: 'Idempotency-Key', problem })))
    }
    if (!promotion.ok || problems.length > 0) return { status: 'invalid', problems }

    const given = keptId ?? promotion.value.id
    const id = given ?? uuidv7()
    const add = (job: number) =>
      enqueue({ ...promotion.value, id }, job).catch((err: Error) => {
        log.warn({ promotionId: id, err }, 'The promotion is recorded; its job will be added by the sweep')
      })
    await connected?.()
    const span = tracing?.accept({ ...promotion.value, id }, caller)
    try {
      const about = { trace: span?.context ?? caller, by }
      const taking = ledger.accept(id, promotion.value, idempotencyKey, given !== undefined, about)
      // The job of an id that nobody knows is the first: it is sent right behind, instead of after the answer.
      const adding = given === undefined ? add(FIRST_JOB) : undefined
      const [accepted] = await Promise.all([taking, adding])
      const works = accepted.status === 'accepted' && accepted.state === 'accepted'
      if (works && !adding) await add(accepted.job)
      // A claim of it finds no promotion, or one at its end: it does no harm where it can't be taken out any more.
      if (!works && adding) await withdraw(id, FIRST_JOB).catch(() => {})
      span?.end(accepted)
      return accepted
    } catch (error) {
      span?.end(undefined, error)
      throw error
    }
  }
}
