/**
 * The ledger's record of one promotion, as readers see it: states, timeline, and the mapping from Redis's text
 * fields. The scripts write it; everything else reads it here.
 */

/** See `docs` and DESIGN: who moves a promotion is said beside each state. */
export const STATES = [
  'accepted', // waits for its turn; claim moves it
  'dispatching', // intent recorded, sent or about to be; its outcome moves it
  'dispatched', // GitHub took it; the tracker moves it
  'unresolved', // a run may exist; only a person settles it
  'dead_lettered', // nothing was started; a person redrives it
  'deployed',
  'failed',
  'cancelled',
  'timed_out',
  'superseded', // a newer one was accepted before it was sent
  'skipped', // trigger disabled, rolled back from and offered again, or discarded by a person
] as const
export type State = (typeof STATES)[number]

/** States in which nothing further happens by itself or by a redrive. */
export const ENDED: readonly State[] = [
  'deployed',
  'failed',
  'cancelled',
  'timed_out',
  'superseded',
  'skipped',
]

/** States in which only a person can move it on. */
export const STOPPED: readonly State[] = [...ENDED, 'dead_lettered', 'unresolved']

export type WaitCode =
  | 'held'
  | 'in_flight'
  | 'back_off'
  | 'circuit'
  | 'rate'
  | 'earlier_attempt'
  | 'resolving'
  | 'resolving_other'

export interface Wait {
  code: WaitCode
  /** What it waits for: a version in flight, a circuit's reason, who holds. */
  detail: string
  /** Until when at the latest, ms since the epoch, Redis's clock. */
  untilMs: number
}

export interface TimelineEntry {
  /** ms since the epoch, Redis's clock. */
  at: number
  /** A state it moved to, or `waiting`, `outcome`, `run`, `redriven`, `resolved`. */
  what: string
  [detail: string]: unknown
}

export interface Promotion {
  id: string
  state: State
  model: string
  version: string
  environment: string
  accuracy?: number
  source: string
  rollback: boolean
  metrics?: Record<string, number>
  /** Sent by `smoke-test`: as far as the claim and never further, or all the way. In no figure, list or news. */
  test?: 'claim' | 'dispatch'
  /** Place in its target's order, from 1. */
  seq: number
  /** Version that was live when it was accepted; '' for the first of its target. */
  liveBefore: string
  reason: string
  wait?: Wait
  attempts: number
  /** The workflow that it was sent to: owner/name/workflow. */
  scope?: string
  deadLetters: number
  supersededBy?: string
  /** Of an automated rollback: the promotion whose deployment failed. */
  parent?: string
  /** The promotion that put the version back that was live, since this one's deployment failed. */
  rolledBackBy?: string
  /** Of a deployed one: the version that was live until then. */
  replaced?: string
  runId?: string
  runUrl?: string
  runStatus?: string
  /** Newest attempt of the run that is known, 0 if none is. */
  runAttempt: number
  conclusion?: string
  /** Why a run may exist that the ledger does not know. */
  doubt?: string
  acceptedAt: number
  dispatchedAt?: number
  /** Time that its run has spent waiting for an approval, ms. */
  waitedMs: number
  /** The trace that it belongs to: see `TraceContext`. */
  traceparent?: string
  tracestate?: string
  endedAt?: number
  /** When it came to its state, ms since the epoch. */
  since?: number
  updatedAt: number
  /** Number of its newest job in the queue `promotions` and `tracking`. */
  job: number
  trackJob: number
}

type Fields = Readonly<Record<string, string>>

/**
 * undefined when there is no such promotion. After its end a record holds no more than is asked for: what its other
 * fields say is put in here.
 */
export function promotionFrom(record: Fields): Promotion | undefined {
  const { id, state } = record
  if (!id || !state) return undefined
  const fields = record.endedAt ? { ...toldByEnd(record), ...record } : record
  const text = (name: string) => fields[name] ?? ''
  const number = (name: string) => Number(text(name) || 0)
  const optional = <K extends string, V>(name: K, read: (value: string) => V) =>
    (text(name) === '' ? {} : { [name]: read(text(name)) }) as Partial<Record<K, V>>
  const asText = (value: string) => value
  return {
    id,
    state: state as State,
    model: text('model'),
    version: text('version'),
    environment: text('environment'),
    ...optional('accuracy', Number),
    source: text('source'),
    rollback: text('rollback') === '1',
    ...metricsIn(fields),
    ...optional('test', (value) => value as NonNullable<Promotion['test']>),
    seq: number('seq'),
    liveBefore: text('liveBefore'),
    reason: text('reason'),
    ...optional('wait', (value) => JSON.parse(value) as Wait),
    attempts: number('attempts'),
    ...optional('scope', asText),
    deadLetters: number('deadLetters'),
    ...optional('supersededBy', asText),
    ...optional('parent', asText),
    ...optional('rolledBackBy', asText),
    ...optional('replaced', asText),
    ...optional('runId', asText),
    ...optional('runUrl', asText),
    ...optional('runStatus', asText),
    runAttempt: number('runAttempt'),
    ...optional('conclusion', asText),
    ...optional('doubt', asText),
    acceptedAt: number('acceptedAt'),
    ...optional('dispatchedAt', Number),
    waitedMs: number('waitedMs'),
    ...optional('traceparent', asText),
    ...optional('tracestate', asText),
    ...optional('endedAt', Number),
    ...optional('since', Number),
    updatedAt: number('updatedAt'),
    job: number('job'),
    trackJob: number('trackJob'),
  }
}

/** An end is the last step; a run that is known has ended with it, at the usual address within its site. */
function toldByEnd({ endedAt = '', runId, runSite, scope = '' }: Fields): Fields {
  const [owner, name] = scope.split('/')
  return {
    since: endedAt,
    updatedAt: endedAt,
    ...(runId && { runStatus: 'completed' }),
    ...(runSite && { runUrl: `${runSite}/${owner}/${name}/actions/runs/${runId}` }),
  }
}

const METRIC = 'm:'

/** The fields in which a record holds metrics: a short value each, as text, since Lua would round figures. */
export function metricFields(metrics: Readonly<Record<string, number>>): Fields {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [METRIC + name, String(value)]))
}

function metricsIn(fields: Fields): Pick<Promotion, 'metrics'> {
  // All in one, by a former version.
  if (fields.metrics) return { metrics: JSON.parse(fields.metrics) as Record<string, number> }
  const names = Object.keys(fields).filter((name) => name.startsWith(METRIC))
  if (names.length === 0) return {}
  const metrics = names.sort().map((name) => [name.slice(METRIC.length), Number(fields[name])])
  return { metrics: Object.fromEntries(metrics) as Record<string, number> }
}

/** A target: a model in an environment. */
export interface Target {
  model: string
  environment: string
  seq: number
  live?: string
  liveSince?: number
  /** The version that was live before. */
  previous?: string
  /** A person started a former run again, and so put it live in place of a version. */
  drift?: { runId: string; attempt: number; instead: string }
  /** Promotion ids. */
  inFlight?: string
  pending?: string
  /** The last one that was meant to go live. */
  newest?: string
  hold?: Hold
}

/** A stop on a target. */
export interface Hold {
  /** A person's stops all promotions of the target; a rollback's only blocks versions. */
  kind: 'person' | 'rollback'
  /** Rolled back from: not taken in again until something newer is, or a person releases the target. */
  versions?: string[]
  /** Id of the rollback, which goes all the same. */
  passes?: string
  by: string
  why?: string
  /** ms since the epoch, Redis's clock. */
  since: number
}

export function targetName(of: { model: string; environment: string }): string {
  return `${of.environment}/${of.model}`
}
