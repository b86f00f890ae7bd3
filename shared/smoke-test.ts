/**
 * A promotion that is a test of the relay itself. By itself it goes as far as the claim, which ends it: nothing else can
 * become of it, whoever takes it and whenever. With `dispatch` it goes all the way, as a model, version and environment
 * that are nobody's; after ten minutes no worker sends it any more. Either is in no figure, no list of targets and no
 * news.
 */
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Ledger } from './ledger/ledger.ts'
import type { Promotion } from './ledger/promotion-record.ts'
import { type ValidPromotion, validatePromotion } from './promotion.ts'

export const SMOKE_TEST = {
  model: 'promotion-relay-smoke-test',
  environment: 'smoke-test',
  source: 'smoke_test',
} as const

export const smokeTestSchema = z.strictObject({
  dispatch: z.boolean().default(false).describe('Send it, too: the CD workflow runs'),
})

export interface SmokeTestSent {
  id: string
  /** What the ledger and the queue took, ms. */
  acceptMs: number
  queueMs: number
}

export interface SmokeTestDeps {
  ledger: Pick<Ledger, 'accept' | 'rehearse'>
  enqueue(promotion: Pick<Promotion, 'id' | 'model' | 'version' | 'environment'>, job: number): Promise<void>
}

export type SendSmokeTest = (test: { dispatch: boolean; by?: string | undefined }) => Promise<SmokeTestSent>

/** @throws what Redis throws where it can't be reached. */
export function createSmokeTest({ ledger, enqueue }: SmokeTestDeps): SendSmokeTest {
  return async ({ dispatch, by }) => {
    const id = uuidv7()
    const startedAt = performance.now()
    const promotion = { ...valid(`smoke-test-${id}`), id }
    const { job } = dispatch
      ? await ledger.accept(id, promotion, undefined, false, { by, isTest: true })
      : await ledger.rehearse(promotion, by)
    const acceptedAt = performance.now()
    await enqueue(promotion, job)
    const queuedAt = performance.now()
    return { id, acceptMs: Math.round(acceptedAt - startedAt), queueMs: Math.round(queuedAt - acceptedAt) }
  }
}

function valid(version: string): ValidPromotion {
  const checked = validatePromotion({ ...SMOKE_TEST, version })
  if (!checked.ok) throw new Error('the smoke test is no promotion')
  return checked.value
}
