/** The reconciler at work: looks at the registry every so often, one server at a time, and at hints at once. */
import type { Redis } from 'ioredis'
import type { Accept } from '../../shared/accept.ts'
import type { Settings } from '../../shared/config.ts'
import { createLease } from '../../shared/ledger/lease.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import { createMlflow, MlflowFault } from '../../shared/mlflow.ts'
import { every } from '../../shared/recurring.ts'
import type { Mapping } from './mapping.ts'
import { createMlflowRegistry } from './mlflow-registry.ts'
import { createNotes } from './notes.ts'
import { createReconcile } from './reconcile.ts'

export interface RegistryMetrics {
  /** Something was promoted that no call told of. */
  found(by: 'hint' | 'look'): void
  /** Every mapping was looked at; `atMs` since the epoch. */
  looked(atMs: number, tookMs: number): void
  reachable(isSo: boolean): void
}

export interface RegistryDeps {
  redis: Redis
  reader: LedgerReader
  accept: Accept
  settings: Settings
  mappings: readonly Mapping[]
  deployExisting: boolean
  metrics: RegistryMetrics
  log: Logger
}

export interface RunningRegistry {
  /** A webhook was kept: it is looked into at once. */
  hinted(): void
  /** @returns once a look under way has ended */
  close(): Promise<void>
}

/** Hints of another server, or that could not be looked into, ms. */
const HINTS_EVERY_MS = 2_000
/** Of the pause between two looks, for how long one server keeps the others from it. */
const LEASED = 0.8

/** What in the registry stands for which environment, by the settings. */
export function mappingsOf(settings: Settings): Mapping[] {
  const { MLFLOW_ALIASES: aliases, MLFLOW_STAGES: stages, MLFLOW_TAGS: tags } = settings
  return [
    ...aliases.map((one) => ({ kind: 'alias', ...one }) as const),
    ...stages.map((one) => ({ kind: 'stage', ...one }) as const),
    ...tags.map((one) => ({ kind: 'tag', ...one, value: one.environment }) as const),
  ]
}

export function runRegistry(deps: RegistryDeps): RunningRegistry {
  const { redis, settings, metrics, log } = deps
  const lease = createLease({ redis })
  const notes = createNotes({ redis })
  const call = createMlflow({
    uri: settings.MLFLOW_TRACKING_URI ?? '',
    token: settings.MLFLOW_TRACKING_TOKEN,
    username: settings.MLFLOW_TRACKING_USERNAME,
    password: settings.MLFLOW_TRACKING_PASSWORD,
  })
  const registry = createMlflowRegistry(call, { metric: settings.MLFLOW_ACCURACY_METRIC })
  const reconcile = createReconcile({ ...deps, registry, notes, observe: metrics.found })
  const pauseMs = settings.REGISTRY_INTERVAL_SECONDS * 1000
  let isAway = false

  const brokeOff = (what: string) => (err: unknown) => {
    const ofRegistry = err instanceof MlflowFault
    if (ofRegistry) metrics.reachable(false)
    // Said when it begins: it may last.
    if (!ofRegistry || !isAway) log.warn({ err }, what)
    isAway = ofRegistry
  }
  async function look() {
    if (!(await lease('registry', Math.ceil(pauseMs * LEASED)))) return
    const beganAt = Date.now()
    await reconcile.look()
    isAway = false
    metrics.reachable(true)
    metrics.looked(Date.now(), Date.now() - beganAt)
  }
  let hearing: Promise<unknown> = Promise.resolve()
  const hear = () => {
    hearing = hearing.then(reconcile.hear)
    return hearing
  }
  const failed = brokeOff('Looking into what the registry has told broke off; it comes again')
  const stopLooks = every(pauseMs, look, brokeOff('A look at the model registry broke off; it comes again'))
  const stopHearing = every(HINTS_EVERY_MS, hear, (err) => {
    hearing = Promise.resolve()
    failed(err)
  })
  return {
    hinted() {
      hear().catch((err: unknown) => {
        hearing = Promise.resolve()
        failed(err)
      })
    },
    async close() {
      await Promise.all([stopLooks(), stopHearing()])
      await hearing.catch(() => {})
    },
  }
}
