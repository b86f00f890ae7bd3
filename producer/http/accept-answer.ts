/** What the ledger said of one promotion, as the API answers it. */
import type { AcceptResult } from '../../shared/accept.ts'
import type { Accepted } from '../../shared/ledger/steps.ts'
import type { Problem } from './problem.ts'

export type Taken = Accepted & { status: 'accepted' | 'duplicate' }

export const INVALID = { status: 400, title: 'Not a valid promotion' }

export function isTaken(result: AcceptResult): result is Taken {
  return result.status === 'accepted' || result.status === 'duplicate'
}

export function takenView({ id, status, state, live }: Taken) {
  return { id, status, state, live: live === '' ? null : live }
}

/** Of what was not taken. */
export function refusal(result: AcceptResult): Problem {
  if (result.status === 'invalid') return { ...INVALID, errors: result.problems }
  return {
    status: 422,
    title: 'The Idempotency-Key was used for another promotion',
    detail: `It belongs to promotion ${result.id}.`,
  }
}
