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
  /** Its concurrency group, see run-groups.ts. A record of an older start may lack this and the next two. */
  group?: string | null
  /** Since when it waits for its turn in the group. */
  pendingSince?: number | null
  /** A reviewer must approve before it starts. */
  needsApproval?: boolean
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
  const [first, ...later] = statesOf(run)
  return (run.ended ? later.at(-1) : later.findLast(({ since }) => since <= now)) ?? first
}

/** The states that it comes into, in order, as far as they are known now. */
export function statesOf(run: RunRecord): [RunState, ...RunState[]] {
  const [first, ...later] = undisturbed(run)
  const ending = endOf(run, later.find(({ status }) => status === 'completed')?.since)
  if (!ending) return [first, ...later]
  return [
    first,
    ...later.filter(({ status, since }) => status !== 'completed' && since <= ending.since),
    ending,
  ]
}

function undisturbed(run: RunRecord): [RunState, ...RunState[]] {
  const coming = (status: RunStatus, since: number): RunState => ({ status, conclusion: null, since })
  if (run.pendingSince != null) return [coming('pending', run.pendingSince)]
  if (run.held) return [coming(run.held.status, run.held.since)]
  const startsAt = run.lifeFrom + run.queuedMs
  const queued = coming('queued', run.lifeFrom)
  if (run.needsApproval) return [queued, coming('waiting', startsAt)]
  const completed = { ...coming('completed', startsAt + run.runMs), conclusion: run.plannedConclusion }
  return [queued, coming('in_progress', startsAt), completed]
}

/** How someone ends it. A cancellation that comes too late changes nothing. */
function endOf(run: RunRecord, endsAt = Number.POSITIVE_INFINITY): RunState | undefined {
  if (run.ended) return { status: 'completed', conclusion: run.ended.conclusion, since: run.ended.at }
  if (run.cancelAt === null || run.cancelAt >= endsAt) return undefined
  return { status: 'completed', conclusion: 'cancelled', since: run.cancelAt }
}

export function held(run: RunRecord, status: RunStatus, now: number): RunRecord {
  return { ...run, held: { status, since: now } }
}

/** Goes on with what was left to do: a run held in progress needs no queueing again. */
export function released(run: RunRecord, now: number): RunRecord {
  const queuedMs = run.held?.status === 'in_progress' ? 0 : run.queuedMs
  return { ...run, held: null, lifeFrom: now, queuedMs }
}

/** Starts at once what waited for a reviewer. */
export function approved(run: RunRecord, now: number): RunRecord {
  return { ...run, held: null, needsApproval: false, lifeFrom: now, queuedMs: 0 }
}

/** Its turn in its group has come. */
export function inTurn(run: RunRecord, now: number): RunRecord {
  return { ...run, pendingSince: null, lifeFrom: now, held: run.held && { ...run.held, since: now } }
}

export function cancelled(run: RunRecord, now: number): RunRecord {
  return { ...run, cancelAt: run.cancelAt ?? now + CANCELLING_MS }
}

export function completed(run: RunRecord, conclusion: string | undefined, now: number): RunRecord {
  return { ...run, ended: { at: now, conclusion: conclusion ?? run.plannedConclusion } }
}
