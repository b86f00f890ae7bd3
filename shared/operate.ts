/**
 * What people do to a target: hold it, release it, roll it back. Validates their word and carries it out; who said so,
 * and why, goes into the timeline. Once the ledger has it, it is done: a job that could not be added is put there by
 * the sweep.
 */
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Held, Ledger, Released, RolledBack, Wake } from './ledger/ledger.ts'
import type { Logger } from './logger.ts'
import {
  environmentSchema,
  type FieldProblem,
  modelSchema,
  personSchema,
  reasonSchema,
  type Validation,
  validate,
  versionSchema,
} from './promotion.ts'

export const orderSchema = z.strictObject({
  model: modelSchema,
  environment: environmentSchema.default('production'),
  by: personSchema.default('a person').describe('Who says so; the name of the token where it has one'),
  why: reasonSchema.optional(),
})
export const rollbackSchema = orderSchema.extend({
  to: versionSchema.optional().describe('The version that is to go live; else the one that was live before'),
})

export type OrderRequest = z.input<typeof orderSchema>
export type RollbackRequest = z.input<typeof rollbackSchema>

export interface Invalid {
  kind: 'invalid'
  problems: FieldProblem[]
}

export type RollbackResult = { kind: 'rollback'; result: RolledBack } | Invalid

export interface Operate {
  hold(request: unknown): Promise<Held | Invalid>
  release(request: unknown): Promise<Released | Invalid>
  rollback(request: unknown): Promise<RollbackResult>
}

export interface OperateDeps {
  ledger: Pick<Ledger, 'hold' | 'release' | 'rollback'>
  wake(next: Wake): Promise<void>
  log: Logger
}

/** @throws what the ledger throws when Redis can't be reached; to say it again is safe. */
export function createOperate({ ledger, wake, log }: OperateDeps): Operate {
  async function tryToWake(next: Wake) {
    await wake(next).catch((err: Error) =>
      log.warn({ promotionId: next.id, err }, 'The promotion may go; its job will be added by the sweep'),
    )
  }

  return {
    async hold(request) {
      const order = validate(orderSchema, request)
      return order.ok ? ledger.hold(order.value) : invalid(order)
    },

    async release(request) {
      const order = validate(orderSchema, request)
      if (!order.ok) return invalid(order)
      const released = await ledger.release(order.value)
      if (released.kind === 'released' && released.wake) await tryToWake(released.wake)
      return released
    },

    async rollback(request) {
      const order = validate(rollbackSchema, request)
      if (!order.ok) return invalid(order)
      const result = await ledger.rollback(uuidv7(), order.value)
      if (result.status === 'accepted') await tryToWake({ id: result.id, job: result.job })
      return { kind: 'rollback', result }
    },
  }
}

function invalid({ problems }: Extract<Validation<never>, { ok: false }>): Invalid {
  return { kind: 'invalid', problems }
}
