// What the simulator's log and the tally tell of the course of a run: what happened when, and what was seen late.
import type { SimulatedRun } from '../github-simulator/simulator.ts'
import type { Tally } from './faults.ts'
import { madeAt } from './verdict.ts'
import type { World } from './world.ts'

/** Started since then, of a promotion made before: its id tells when. */
export function isSentSince({ createdAt, inputs }: SimulatedRun, since: number): boolean {
  return createdAt > since && madeAt(inputs.promotion_id ?? '') < since
}

/** How often runs were listed while one was missing that had been created. */
export function timesListedLate({ simulator }: World, listDelayMs: number): number {
  const created = simulator.runs.map(({ createdAt }) => createdAt)
  const listings = simulator.log.filter(({ method, path }) => method === 'GET' && path.includes('/runs?'))
  return listings.filter(({ at }) => created.some((one) => one <= at && at < one + listDelayMs)).length
}

/** Calls of GitHub's API by the workers; people have their own. */
export function callsOf({ simulator }: World): number {
  const own = new URL(simulator.url).host
  return simulator.log.filter(({ headers }) => headers.host !== own).length
}

export function courseOf({ simulator }: World, { strikes }: Tally, begin: number): string[] {
  const runs = simulator.runs.map(({ createdAt, inputs }) => ({
    at: createdAt,
    what: `run of ${inputs.model_name} ${inputs.model_version}`,
  }))
  const struck = strikes.map(({ at, kind }) => ({ at, what: kind }))
  return [...runs, ...struck]
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => `${((at - begin) / 1000).toFixed(1)} ${what}`)
}
