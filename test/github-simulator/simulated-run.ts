// A run as it is seen from outside at one moment.
import { type RunRecord, type RunState, type RunStatus, stateAt } from './run-life.ts'
import type { Workflow } from './settings.ts'

export interface SimulatedRun {
  readonly id: number
  readonly runNumber: number
  /** ms since the epoch, as are the other times here. */
  readonly createdAt: number
  readonly startedAt: number
  readonly updatedAt: number
  readonly ref: string
  readonly headSha: string
  /** The workflow's file. */
  readonly workflow: string
  readonly inputs: Readonly<Record<string, string>>
  readonly status: RunStatus
  readonly conclusion: string | null
  readonly runAttempt: number
  readonly displayTitle: string
}

export function seenAt(run: RunRecord, now: number): SimulatedRun {
  return seenIn(run, stateAt(run, now))
}

export function seenIn(run: RunRecord, state: RunState): SimulatedRun {
  return {
    id: run.id,
    runNumber: run.runNumber,
    createdAt: run.createdAt,
    startedAt: run.attemptStartedAt,
    updatedAt: state.since,
    ref: run.ref,
    headSha: run.headSha,
    workflow: run.workflow,
    inputs: run.inputs,
    status: state.status,
    conclusion: state.conclusion,
    runAttempt: run.runAttempt,
    displayTitle: run.displayTitle,
  }
}

/** What `run-name` makes of the inputs; without it, the workflow's name. */
export function displayTitle(workflow: Workflow, inputs: Record<string, string>): string {
  if (!workflow.runName) return workflow.name
  const parts = ['Deploy', inputs.model_name, inputs.model_version, inputs.promotion_id]
  return parts.filter((part) => part).join(' ')
}
