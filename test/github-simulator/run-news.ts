// Tells of every run what GitHub tells of it: requested, in progress, completed, each once an attempt and in order,
// also where a run passed through two of them between two looks. A re-run is not requested anew.
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_run
// What came about before it was opened is not told: GitHub's own events are lost too while nobody sends them.
import type { RunBook } from './run-book.ts'
import { type RunRecord, type RunState, type RunStatus, statesOf } from './run-life.ts'
import { type SimulatedRun, seenIn } from './simulated-run.ts'

export type RunAction = 'requested' | 'in_progress' | 'completed'

export interface RunNews {
  action: RunAction
  /** As it was at that instant. */
  run: SimulatedRun
}

/** The longest wait until the next look, ms: a timer can't wait for ever. */
const LONGEST_WAIT_MS = 60_000

export function openRunNews(
  book: Pick<RunBook, 'settle' | 'nextLateAt' | 'record' | 'records' | 'watch'>,
  now: () => number,
  tell: (news: RunNews) => void,
): { close(): void } {
  /** What was told of a run's newest attempt. */
  const told = new Map<number, { attempt: number; actions: Set<RunAction> }>()
  /** Runs of which more is to be told. */
  const open = new Set<number>()
  let timer: NodeJS.Timeout | undefined

  const openedAt = now()
  for (const record of book.records()) {
    open.add(record.id)
    newsOf(record, openedAt)
  }
  schedule(openedAt)
  book.watch((runId) => {
    if (runId !== undefined && book.record(runId)) open.add(runId)
    look()
  })

  function look(): void {
    const at = now()
    const news = openRecords().flatMap((record) => newsOf(record, at))
    news.sort((a, b) => a.run.updatedAt - b.run.updatedAt)
    schedule(at)
    for (const one of news) tell(one)
  }

  /** What has come about of a run by then, and counts as told from here on. */
  function newsOf(record: RunRecord, at: number): RunNews[] {
    const actions = toldOf(record)
    const fresh: RunNews[] = []
    for (const state of statesFromRequest(record)) {
      const action = ACTIONS[state.status]
      if (state.since > at || actions.has(action)) continue
      actions.add(action)
      fresh.push({ action, run: seenIn(record, state) })
    }
    if (actions.has('completed')) open.delete(record.id)
    return fresh
  }

  function toldOf({ id, runAttempt }: RunRecord): Set<RunAction> {
    const known = told.get(id)
    if (known?.attempt === runAttempt) return known.actions
    const actions = new Set<RunAction>(runAttempt > 1 ? ['requested'] : [])
    told.set(id, { attempt: runAttempt, actions })
    return actions
  }

  function schedule(at: number): void {
    const coming = openRecords()
      .flatMap(statesOf)
      .filter(({ since }) => since > at)
    const nextAt = Math.min(book.nextLateAt(), ...coming.map(({ since }) => since))
    clearTimeout(timer)
    if (nextAt < Number.POSITIVE_INFINITY) {
      timer = setTimeout(lookAgain, Math.min(Math.max(nextAt - at, 1), LONGEST_WAIT_MS))
    }
  }

  function lookAgain(): void {
    book.settle()
    look()
  }

  function openRecords(): RunRecord[] {
    return [...open].flatMap((runId) => book.record(runId) ?? [])
  }

  return {
    close: () => {
      book.watch(() => {})
      clearTimeout(timer)
    },
  }
}

/** A run that a test holds from its beginning was requested all the same. */
function statesFromRequest(record: RunRecord): RunState[] {
  const states = statesOf(record)
  if (ACTIONS[states[0].status] === 'requested') return states
  return [{ status: 'queued', conclusion: null, since: record.attemptStartedAt }, ...states]
}

const ACTIONS: Record<RunStatus, RunAction> = {
  requested: 'requested',
  queued: 'requested',
  pending: 'requested',
  waiting: 'requested',
  in_progress: 'in_progress',
  completed: 'completed',
}
