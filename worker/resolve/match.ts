/**
 * Whose run is it? Pure. By the promotion's id in a run's title where the workflow is proven to show it; otherwise
 * by the window of time in which the run would have been created, where any run that we can't explain goes to a
 * person. An id in a title is certain also where nothing is proven: ids are not guessed.
 */
import type { Look } from '../../shared/ledger/steps.ts'
import type { Run } from '../github/client.ts'

export interface InDoubt {
  id: string
  /** The run would have been created within this time, ms since the epoch. */
  from: number
  until: number
}

export interface Listing {
  runs: readonly Run[]
  /** Runs of the workflow show the promotion's id in their title. */
  proven: boolean
  /** Ids of promotions by run id, for runs that are somebody's already. */
  owners: ReadonlyMap<string, string>
}

/** GitHub's clock and ours may differ by this much, and it tells whole seconds, ms. */
export const CLOCK_MARGIN_MS = 15_000

export function lookFor({ id, from, until }: InDoubt, { runs, proven, owners }: Listing): Look {
  // The oldest of them (the list begins with the newest): CD itself ends a later one with the same id.
  const named = runs.findLast((run) => run.displayTitle.includes(id))
  if (named) return { kind: 'found', runId: named.id, runUrl: named.htmlUrl }
  if (proven) return { kind: 'not_listed' }
  // A time that can't be read is NaN: neither before nor after.
  const outside = ({ createdAt }: Run) =>
    createdAt < from - CLOCK_MARGIN_MS || createdAt > until + CLOCK_MARGIN_MS
  const unexplained = runs.filter((run) => !outside(run) && !owners.has(run.id))
  if (unexplained.length === 0) return { kind: 'not_listed' }
  const ids = unexplained.map((run) => run.id).slice(0, 5)
  return {
    kind: 'unexplained',
    detail: `its outcome is unknown, and run ${ids.join(', ')} may be its own: the workflow's run-name does not show promotion ids`,
  }
}
