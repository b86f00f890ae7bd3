/**
 * What the Bull dashboard shows of a job: an allow list per queue. Another BullMQ client may have put anything into a
 * job, a token among it; what is not on the list shows as its name alone.
 */
import type { Job } from 'bullmq'
import { DEAD_LETTERS, FEEDBACK, PROMOTIONS, TRACKING } from '../../shared/queues.ts'

export const NOT_SHOWN = '(not shown)'

/** `true`: text, a number or a list of them. `figures`: any names, numbers alone. Else field by field. */
type Allowed = true | 'figures' | { readonly [field: string]: Allowed }

interface ShownOfQueue {
  data: Allowed
  progress: Allowed
  /** Names of its jobs that say something by themselves. */
  names: RegExp
  /** Ours is a sentence for ops; elsewhere it is the message of whatever broke. */
  failedReason: boolean
  /** A line of its log that we have written. */
  logLine?: RegExp
}

/** What a promotion may be asked for with, see `promotionRequestSchema`. */
const PROMOTION: Allowed = {
  model: true,
  version: true,
  environment: true,
  accuracy: true,
  source: true,
  rollback: true,
  id: true,
  promotedAt: true,
  metrics: 'figures',
}
const TARGET = { promotionId: true, model: true, version: true, environment: true, accuracy: true } as const
const OTHER = { id: true, version: true } as const

const SHOWN: Readonly<Record<string, ShownOfQueue>> = {
  [PROMOTIONS]: {
    data: { ...PROMOTION, ...TARGET },
    progress: { waits: true },
    names: /^promoted$/,
    failedReason: false,
    logLine: /^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z /,
  },
  [TRACKING]: {
    data: {
      ...TARGET,
      polls: true,
      looks: true,
      event: {
        delivery: true,
        repository: true,
        workflows: true,
        runId: true,
        runAttempt: true,
        status: true,
        over: true,
        updatedAt: true,
        promotionIds: true,
      },
    },
    progress: { seen: true },
    names: /^(track|event)$/,
    failedReason: false,
  },
  [DEAD_LETTERS]: {
    data: {
      reason: true,
      next: true,
      ...TARGET,
      deadLetter: true,
      state: true,
      attempts: { attempt: true, at: true, outcome: true, detail: true, status: true, tookMs: true },
      circuit: true,
      opening: true,
      waiting: true,
      invalid: PROMOTION,
    },
    progress: {},
    names: /^(invalid job|circuit [\w./-]{1,400})$/,
    failedReason: true,
  },
  [FEEDBACK]: {
    data: {
      sink: true,
      next: true,
      ...TARGET,
      id: true,
      state: true,
      at: true,
      trigger: true,
      rollback: true,
      acceptedAt: true,
      dispatchedAt: true,
      reason: true,
      run: { id: true, url: true, conclusion: true },
      scope: true,
      replaced: true,
      supersededBy: OTHER,
      rolledBackBy: OTHER,
      parent: OTHER,
      simulated: true,
    },
    progress: {},
    names: /^[a-z][a-z_ -]{0,60}$/,
    failedReason: true,
  },
}

const NOTHING: ShownOfQueue = { data: {}, progress: {}, names: /^$/, failedReason: false }

const OPTIONS: Allowed = {
  attempts: true,
  delay: true,
  priority: true,
  backoff: { type: true, delay: true, jitter: true },
  keepLogs: true,
  removeOnComplete: { age: true, count: true },
  removeOnFail: { age: true, count: true },
}

/** Longer text is cut off. */
const LONGEST = 2_000
const LONGEST_NAME = 60
const MOST_FIELDS = 100

type JobJson = ReturnType<Job['toJSON']>

/** The fields that the dashboard reads, and no others: not the parent, the worker's name, keys of deduplication. */
export function shownJob(queue: string, job: JobJson): JobJson {
  const shown = SHOWN[queue] ?? NOTHING
  const { id, timestamp, processedOn, finishedOn, attemptsMade, attemptsStarted, stalledCounter } = job
  const { delay, priority, failedReason } = job
  const data = allowed(job.data, shown.data)
  const reason = shown.failedReason
    ? allowed(failedReason, true)
    : `${NOT_SHOWN}: the log of the worker has it`
  return {
    id,
    timestamp,
    processedOn,
    finishedOn,
    attemptsMade,
    attemptsStarted,
    stalledCounter,
    delay,
    priority,
    name: nameOf(job.name, data, shown.names),
    data,
    progress: typeof job.progress === 'number' ? job.progress : allowed(job.progress, shown.progress),
    returnvalue: allowed(job.returnvalue, true),
    opts: allowed(job.opts, OPTIONS),
    ...(failedReason ? { failedReason: reason, stacktrace: [whatToDo(String(reason), data)] } : {}),
  } as JobJson
}

export function shownLogs(queue: string, lines: readonly string[]): string[] {
  const { logLine } = SHOWN[queue] ?? NOTHING
  return lines.map((line) => (logLine?.test(line) ? line.slice(0, LONGEST) : NOT_SHOWN))
}

/** `fraud-detector 5 in staging`, `fraud-detector 5: chat` */
function nameOf(name: string, data: unknown, ours: RegExp): string {
  const { model, version, environment, sink } = (data ?? {}) as Record<string, unknown>
  const word = ours.test(name) ? name : NOT_SHOWN
  if (typeof model !== 'string' || model === NOT_SHOWN) return word
  const where = environment === 'production' ? '' : ` in ${environment}`
  return `${model} ${version}${where}${typeof sink === 'string' ? `: ${word}` : ''}`
}

/** In place of the stack of the code that parked it. */
function whatToDo(reason: string, data: unknown): string {
  const { next } = (data ?? {}) as Record<string, unknown>
  return typeof next === 'string' ? `${reason}\n\n${next}` : reason
}

function allowed(value: unknown, list: Allowed): unknown {
  if (value === undefined || value === null) return value
  if (Array.isArray(value)) return value.slice(0, MOST_FIELDS).map((one) => allowed(one, list))
  if (list === true) return scalar(value)
  if (typeof value !== 'object') return NOT_SHOWN
  const fields = Object.entries(value).slice(0, MOST_FIELDS)
  return Object.fromEntries(
    fields.map(([name, one]) => {
      if (list === 'figures') return [nameShown(name), typeof one === 'number' ? one : NOT_SHOWN]
      const inner = Object.hasOwn(list, name) ? list[name] : undefined
      return inner === undefined ? [nameShown(name), NOT_SHOWN] : [name, allowed(one, inner)]
    }),
  )
}

function scalar(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, LONGEST)
  return typeof value === 'object' ? NOT_SHOWN : value
}

function nameShown(name: string): string {
  return name.slice(0, LONGEST_NAME)
}
