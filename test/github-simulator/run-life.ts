// The life of one run, computed from timestamps and never driven by a timer: nothing can leak, and a run that was
// in progress when the simulator ended goes on where the clock says. All times are ms since the epoch.

export type RunStatus = 'requested' | 'queued' | 'pending' | 'waiting' | 'in_progress' | 'completed'

export interface RunRecord {
  id: number
  runNumber: number
  createdAt: number
  workflow: string
  ref: string
  headSha: string
  inputs: Record<string, string>
  displayTitle: string
  runAttempt: number
  attemptStartedAt: number
  /** Where `queuedMs` and `runMs` are counted from: the attempt's start, or the end of a hold. */
  lifeFrom: number
  queuedMs: number
  runMs: number
  plannedConclusion: string
  held: { status: RunStatus; since: number } | null
  cancelAt: number | null
  /** Ended by hand. */
  ended: { at: number; conclusion: string } | null
}

export interface RunState {
  status: RunStatus
  conclusion: string | null
  /** When the run came into this state. */
  since: number
}

/** How long a run still needs to stop once its cancellation was asked for. */
export const CANCELLING_MS = 100

export function stateAt(run: RunRecord, now: number): RunState {
  if (run.ended) return { status: 'completed', conclusion: run.ended.conclusion, since: run.ended.at }
  const startsAt = run.lifeFrom + run.queuedMs
  const endsAt = run.held ? Number.POSITIVE_INFINITY : startsAt + run.runMs
  if (run.cancelAt !== null && run.cancelAt <= now && run.cancelAt < endsAt) {
    return { status: 'completed', conclusion: 'cancelled', since: run.cancelAt }
  }
  if (endsAt <= now) return { status: 'completed', conclusion: run.plannedConclusion, since: endsAt }
  if (run.held) return { status: run.held.status, conclusion: null, since: run.held.since }
  if (startsAt <= now) return { status: 'in_progress', conclusion: null, since: startsAt }
  return { status: 'queued', conclusion: null, since: run.lifeFrom }
}

export function held(run: RunRecord, status: RunStatus, now: number): RunRecord {
  return { ...run, held: { status, since: now } }
}

/** Goes on with what was left to do: a run held in progress needs no queueing again. */
export function released(run: RunRecord, now: number): RunRecord {
  const queuedMs = run.held?.status === 'in_progress' ? 0 : run.queuedMs
  return { ...run, held: null, lifeFrom: now, queuedMs }
}

export function cancelled(run: RunRecord, now: number): RunRecord {
  return { ...run, cancelAt: run.cancelAt ?? now + CANCELLING_MS }
}

export function completed(run: RunRecord, conclusion: string | undefined, now: number): RunRecord {
  return { ...run, ended: { at: now, conclusion: conclusion ?? run.plannedConclusion } }
}
