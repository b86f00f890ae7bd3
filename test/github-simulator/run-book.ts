// Every run that the simulator started, in the order of their creation: the judge of "never twice" and "never stale".
// Ids ascend in that order, also across restarts and for runs that a fault creates late.
import { createHash } from 'node:crypto'
import { openJournal } from './journal.ts'
import { createRunGroups } from './run-groups.ts'
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
  /** Starts a run that waits for a reviewer. */
  approve(runId: number): void
  cancel(runId: number): void
  complete(runId: number, conclusion?: string): void
  /** @param workflow the run's, whose settings may have changed */
  rerun(runId: number, workflow: Workflow): void
  life: Life
  /** What has come about since somebody last looked: late runs, turns in groups. */
  settle(): void
  /** When the next late run is due, ms since the epoch; infinite where none is. */
  nextLateAt(): number
  record(runId: number): RunRecord | undefined
  /** Oldest first. */
  records(): IterableIterator<RunRecord>
  /** Calls back before a run is changed and after it, with its id; without one when a late run was ordered. */
  watch(changing: (runId?: number) => void): void
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
  let watcher: (runId?: number) => void = () => {}
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

  function keep(record: RunRecord): void {
    watcher(record.id)
    remember(record)
    journal.append(record)
    watcher(record.id)
  }

  const groups = createRunGroups({ find: (runId) => records.get(runId), keep })
  for (const record of journal.found as RunRecord[]) remember(record)
  for (const record of records.values()) groups.restore(record)

  function newLife(workflow: Workflow, inputs: Record<string, string>, at: number) {
    return {
      group: workflow.concurrency?.group(inputs).toLowerCase() ?? null,
      pendingSince: null,
      needsApproval: workflow.needsApproval,
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
    begin(workflow, at, {
      id,
      runNumber: (newestNumbers.get(workflow.file) ?? 0) + 1,
      createdAt: at,
      workflow: workflow.file,
      ref,
      headSha: createHash('sha1').update(`${settings.owner}/${settings.repo}@${ref}`).digest('hex'),
      inputs,
      displayTitle: displayTitle(workflow, inputs),
      runAttempt: 1,
      ...newLife(workflow, inputs, at),
    })
    return id
  }

  function begin(workflow: Workflow, at: number, run: RunRecord): void {
    keep(groups.enter(run, workflow.concurrency?.cancelInProgress ?? false, at))
  }

  function settle(): void {
    const at = now()
    const due = late.filter((run) => run.dueAt <= at).sort((a, b) => a.dueAt - b.dueAt)
    late = late.filter((run) => run.dueAt > at)
    for (const run of due) run.make()
    groups.advance(at)
  }

  function change(runId: number, to: (run: RunRecord) => RunRecord): void {
    settle()
    const run = records.get(runId)
    if (!run) throw new Error(`no run ${runId}`)
    if (life.stateAt(run, now()).status === 'completed') return
    keep(to(run))
    // Whoever waited for its place in a group goes on.
    groups.advance(now())
  }

  return {
    life: book,
    create: (workflow, ref, inputs) => {
      settle()
      return record(workflow, ref, inputs, now())
    },
    createLater: (workflow, ref, inputs, delayMs) => {
      const dueAt = now() + delayMs
      late.push({ dueAt, make: () => record(workflow, ref, inputs, dueAt) })
      watcher()
    },
    lateRuns: () => {
      settle()
      return late.length
    },
    all: () => {
      settle()
      return [...records.values()].map((run) => seenAt(run, now()))
    },
    find: (runId) => {
      settle()
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
    approve: (runId) => {
      settle()
      const run = records.get(runId)
      if (!run || life.stateAt(run, now()).status !== 'waiting') {
        throw new Error(`no run ${runId} waits for a reviewer`)
      }
      keep(life.approved(run, now()))
    },
    cancel: (runId) => change(runId, (run) => life.cancelled(run, now())),
    complete: (runId, conclusion) => change(runId, (run) => life.completed(run, conclusion, now())),
    rerun: (runId, workflow) => {
      settle()
      const run = records.get(runId)
      if (!run) throw new Error(`no run ${runId}`)
      const attempt = { ...newLife(workflow, run.inputs, now()), runAttempt: run.runAttempt + 1 }
      begin(workflow, now(), { ...run, ...attempt })
    },
    settle,
    nextLateAt: () => Math.min(...late.map(({ dueAt }) => dueAt)),
    record: (runId) => records.get(runId),
    records: () => records.values(),
    watch: (changing) => {
      watcher = changing
    },
    close: () => journal.close(),
  }
}
