/**
 * What a webhook tells of a run that goes on is noted at once, where it is certain whose run it is. All else, such as an
 * end, another attempt or a run that nobody knows, takes a look at GitHub: a job for a worker.
 */
import type { Ledger } from './ledger/ledger.ts'
import type { RunEvent } from './run-event.ts'

export interface TakeHintDeps {
  ledger: Pick<Ledger, 'trackTold'>
  /** Webhooks of the workflow arrive. */
  arrived(scope: string): Promise<void>
}

/** @returns whether nothing is left to do. @throws when Redis can't be reached */
export function createTakeHint({ ledger, arrived }: TakeHintDeps): (event: RunEvent) => Promise<boolean> {
  return async ({ runId, runAttempt, status, over, updatedAt }) => {
    if (over || status === '') return false
    const { isClear, scope } = await ledger.trackTold({ runId, runAttempt, status, updatedAt })
    if (isClear && scope) await arrived(scope)
    return isClear === true
  }
}
