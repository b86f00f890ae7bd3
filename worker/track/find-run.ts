/**
 * Finds the run of a dispatch that was answered without its id (204). By the promotion's id in the run's title
 * where the workflow's `run-name` shows it; otherwise by time, and then only where nothing else is possible: no other
 * attempt's end is unknown, and as many runs could be meant as promotions look for one, sent one after another.
 */
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { Searching } from '../../shared/ledger/read.ts'
import type { Github, Repository, Run } from '../github/client.ts'

/** GitHub's clock and Redis's may differ by this much, and it tells whole seconds, ms. */
const CLOCK_MARGIN_MS = 60_000
/** By time alone, a run must have been created this close to its dispatch, ms. */
const NEAR_MS = 15_000
/** Others sent this long before or after are no matter, ms. */
const SEARCH_MS = 120_000

export interface FindRunDeps {
  github: Pick<Github, 'listRuns'>
  repository: Repository
  workflow: string
  ownerOf(runId: string): Promise<string>
  /** Promotions of the workflow whose run is looked for. */
  searching(): Promise<Searching[]>
  /** Promotions of the workflow that may have started a run, and nobody knows. */
  untold(): Promise<Searching[]>
}

/** @returns the run, or why it is not known yet. */
export async function findRun(deps: FindRunDeps, promotion: Promotion): Promise<Run | string> {
  const { id, dispatchedAt = promotion.acceptedAt } = promotion
  const besides = ({ id: other, from, until }: Searching) =>
    other !== id && from < dispatchedAt + SEARCH_MS && until > dispatchedAt - SEARCH_MS
  const known = (await deps.searching()).filter(besides)
  const earliest = Math.min(dispatchedAt, ...known.map(({ from }) => from))

  const list = await deps.github.listRuns(deps.repository, deps.workflow, earliest - CLOCK_MARGIN_MS)
  if (list.kind === 'unavailable') return list.message
  // The oldest of them (the list begins with the newest): CD itself ends a later one with the same id.
  const named = list.runs.findLast((run) => run.displayTitle.includes(id))
  if (named) return named

  // In this order, and after the listing: whoever has started a listed run and not told it is seen here or there.
  const untold = (await deps.untold()).filter(besides)
  if (untold.length > 0) return `its run may be that of ${untold[0]?.id}, whose end is not known yet`
  const searching = await deps.searching()
  const own = searching.find((one) => one.id === id) ?? { id, from: dispatchedAt, until: dispatchedAt }
  const looking = [own, ...searching.filter(besides)].sort((a, b) => a.from - b.from)

  const couldBe = (run: Run, { from }: Searching, { until }: Searching) =>
    run.createdAt >= from - NEAR_MS && run.createdAt <= until + NEAR_MS
  const [first = own, last = own] = [looking[0], looking.at(-1)]
  const candidates: Run[] = []
  for (const run of list.runs.toReversed()) {
    const foreign = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/.test(run.displayTitle)
    // A time that can't be read is NaN, and not near.
    if (!foreign && couldBe(run, first, last) && (await deps.ownerOf(run.id)) === '') candidates.push(run)
  }
  if (candidates.length < looking.length) return 'its run is not listed yet'
  const inTurn = looking.every((one, i) => one.until <= (looking[i + 1]?.from ?? Number.POSITIVE_INFINITY))
  const run = candidates[looking.indexOf(own)]
  if (inTurn && candidates.length === looking.length && run && couldBe(run, own, own)) return run
  return `${candidates.length} runs could be its own: a person must say which (promotion-relay resolve ${id} --run ID)`
}
