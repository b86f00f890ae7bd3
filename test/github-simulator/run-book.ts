// Every run that the simulator started, in the order of their creation: the judge of "never twice" and "never stale".
// Ids ascend in that order, also across restarts and for runs that a fault creates late.
import { createHash } from 'node:crypto'
import { openJournal } from './journal.ts'
import type { RunRecord, RunStatus } from './run-life.ts'
import * as life from './run-life.ts'
import type { Settings, Workflow } from './settings.ts'
import { displayTitle, type SimulatedRun, seenAt } from './simulated-run.ts'

export interface Life {
  queuedMs: number
  runMs: number
  conclusion: string
  /** The status in which later runs stay until someone ends them; null lets them go on. */
  heldAs: RunStatus | null
}

export interface RunBook {
  /** Returns the new run's id. */
  create(workflow: Workflow, ref: string, inputs: Record<string, string>): number
  createLater(workflow: Workflow, ref: string, inputs: Record<string, string>, delayMs: number): void
  /** Runs that a fault will create later. */
  lateRuns(): number
  /** Oldest first. */
  all(): SimulatedRun[]
  find(runId: number): SimulatedRun | undefined
  hold(runId: number, status?: RunStatus): void
  release(runId?: number): void
  cancel(runId: number): void
  complete(runId: number, conclusion?: string): void
  rerun(runId: number): void
  life: Life
  close(): void
}

interface LateRun {
  dueAt: number
  make(): void
}

const FIRST_RUN_ID = 19_482_000_001

export function openRunBook(settings: Settings, now: () => number): RunBook {
  const journal = openJournal(settings.dataDir, 'runs.jsonl')
  const records = new Map<number, RunRecord>()
  const newestNumbers = new Map<string, number>()
  let newestId = FIRST_RUN_ID - 1
  let late: LateRun[] = []
  const book: Life = {
    queuedMs: settings.queuedMs,
    runMs: settings.runMs,
    conclusion: settings.conclusion,
    heldAs: null,
  }

  function remember(record: RunRecord): void {
    records.set(record.id, record)
    newestNumbers.set(record.workflow, Math.max(record.runNumber, newestNumbers.get(record.workflow) ?? 0))
    newestId = Math.max(record.id, newestId)
  }

  for (const record of journal.found as RunRecord[]) remember(record)

  function keep(record: RunRecord): void {
    remember(record)
    journal.append(record)
  }

  function newLife(at: number) {
    return {
      attemptStartedAt: at,
      lifeFrom: at,
      queuedMs: book.queuedMs,
      runMs: book.runMs,
      plannedConclusion: book.conclusion,
      held: book.heldAs && { status: book.heldAs, since: at },
      cancelAt: null,
      ended: null,
    }
  }

  function record(workflow: Workflow, ref: string, inputs: Record<string, string>, at: number): number {
    const id = newestId + 1
    keep({
      id,
      runNumber: (newestNumbers.get(workflow.file) ?? 0) + 1,
      createdAt: at,
      workflow: workflow.file,
      ref,
      headSha: createHash('sha1').update(`${settings.owner}/${settings.repo}@${ref}`).digest('hex'),
      inputs,
      displayTitle: displayTitle(workflow, inputs),
      runAttempt: 1,
      ...newLife(at),
    })
    return id
  }

  function createDue(): void {
    const at = now()
    const due = late.filter((run) => run.dueAt <= at).sort((a, b) => a.dueAt - b.dueAt)
    late = late.filter((run) => run.dueAt > at)
    for (const run of due) run.make()
  }

  function change(runId: number, to: (run: RunRecord) => RunRecord): void {
    createDue()
    const run = records.get(runId)
    if (!run) throw new Error(`no run ${runId}`)
    if (life.stateAt(run, now()).status !== 'completed') keep(to(run))
  }

  return {
    life: book,
    create: (workflow, ref, inputs) => {
      createDue()
      return record(workflow, ref, inputs, now())
    },
    createLater: (workflow, ref, inputs, delayMs) => {
      const dueAt = now() + delayMs
      late.push({ dueAt, make: () => record(workflow, ref, inputs, dueAt) })
    },
    lateRuns: () => {
      createDue()
      return late.length
    },
    all: () => {
      createDue()
      return [...records.values()].map((run) => seenAt(run, now()))
    },
    find: (runId) => {
      createDue()
      const run = records.get(runId)
      return run && seenAt(run, now())
    },
    hold: (runId, status) => {
      change(runId, (run) => life.held(run, status ?? life.stateAt(run, now()).status, now()))
    },
    release: (runId) => {
      if (runId === undefined) book.heldAs = null
      const ids = runId === undefined ? [...records.keys()] : [runId]
      for (const id of ids) change(id, (run) => (run.held ? life.released(run, now()) : run))
    },
    cancel: (runId) => change(runId, (run) => life.cancelled(run, now())),
    complete: (runId, conclusion) => change(runId, (run) => life.completed(run, conclusion, now())),
    rerun: (runId) => {
      const run = records.get(runId)
      if (!run) throw new Error(`no run ${runId}`)
      keep({ ...run, ...newLife(now()), runAttempt: run.runAttempt + 1 })
    },
    close: () => journal.close(),
  }
}
