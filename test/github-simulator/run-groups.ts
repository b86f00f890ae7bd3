// Concurrency groups of the repository: one run of a group is under way and one waits for its turn. A newer run takes
// the place of the waiting one, which is cancelled, also without cancel-in-progress. Nothing here follows a timer: turns
// are given when somebody looks, as of the instant at which they came.
// https://docs.github.com/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
import type { RunRecord } from './run-life.ts'
import * as life from './run-life.ts'

export interface RunGroups {
  /** Takes a new run, or a new attempt of one, into its group. @returns it, waiting if another is under way */
  enter(run: RunRecord, cancelInProgress: boolean, at: number): RunRecord
  /** Gives every turn that has come. */
  advance(now: number): void
  /** Takes over what an earlier start has kept, oldest first. */
  restore(run: RunRecord): void
}

export interface RunGroupsDeps {
  find(runId: number): RunRecord | undefined
  keep(run: RunRecord): void
}

interface Group {
  underWay: number
  waiting?: number
}

export function createRunGroups({ find, keep }: RunGroupsDeps): RunGroups {
  const groups = new Map<string, Group>()

  /** The run, unless it has completed. */
  function unfinished(runId: number | undefined, at: number): RunRecord | undefined {
    const run = runId === undefined ? undefined : find(runId)
    return run && life.stateAt(run, at).status !== 'completed' ? run : undefined
  }

  function giveTurn(group: Group, now: number): void {
    const before = find(group.underWay)
    if (group.waiting === undefined || !before) return
    const { status, since } = life.stateAt(before, now)
    if (status !== 'completed') return
    const next = unfinished(group.waiting, since)
    delete group.waiting
    if (!next) return
    group.underWay = next.id
    keep(life.inTurn(next, since))
  }

  return {
    enter: (run, cancelInProgress, at) => {
      if (!run.group) return run
      const group = groups.get(run.group)
      if (group) giveTurn(group, at)
      const underWay = group && unfinished(group.underWay, at)
      if (!group || !underWay) {
        groups.set(run.group, { underWay: run.id })
        return run
      }
      const replaced = unfinished(group.waiting, at)
      if (replaced) keep(life.completed(replaced, 'cancelled', at))
      if (cancelInProgress) keep(life.cancelled(underWay, at))
      group.waiting = run.id
      return { ...run, pendingSince: at }
    },
    advance: (now) => {
      for (const group of groups.values()) giveTurn(group, now)
    },
    restore: (run) => {
      if (!run.group) return
      const group = groups.get(run.group)
      if (group && run.pendingSince != null) group.waiting = run.id
      else groups.set(run.group, { underWay: run.id })
    },
  }
}
