/**
 * Figures of all processes together, read from Redis at each scrape; shown by `serve` alone. They hold across
 * workers and restarts, since the ledger's scripts count them.
 */
import type { Queue } from 'bullmq'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { EndCount } from '../../shared/ledger/ends.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import { PREFIX } from './worker-metrics.ts'

/** Windows of the success ratios: label and minutes. The short ones are for alerts on how fast it gets worse. */
export const WINDOWS = { '5m': 5, '30m': 30, '1h': 60, '2h': 120, '6h': 6 * 60, '24h': 24 * 60 } as const

/** So many targets, those promoted last, are looked at in a scrape, and have labels where those are asked for. */
const MOST_TARGETS = 500

/** Conclusions that are shown before the first: a counter that begins at 1 hides its first event from `increase`. */
const OFTEN = ['success', 'failure', 'cancelled', 'timed_out'] as const

export interface LedgerMetricsDeps {
  registry: Registry
  reader: LedgerReader
  queues: readonly Queue[]
  /** What about Redis does not keep the promises. */
  warnings(): Promise<string[]>
  /** `METRICS_TARGET_LABELS`: models and versions show as labels. */
  targetLabels?: boolean
}

/** @returns reads everything anew; call it before each scrape. Throws when Redis can't be reached. */
export function createLedgerMetrics(deps: LedgerMetricsDeps) {
  const { registry, reader, queues, warnings, targetLabels = false } = deps
  const registers = [registry]
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: PREFIX + name, help, labelNames, registers })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: PREFIX + name, help, labelNames, registers })

  const accepted = counter('promotions_accepted_total', 'Promotions accepted, ever.')
  const superseded = counter(
    'promotions_superseded_total',
    'Promotions that a newer one replaced before they were sent, ever.',
  )
  const deployments = counter('deployments_total', "Runs that have ended, by GitHub's conclusion.", [
    'conclusion',
  ])
  const drifts = counter(
    'drifts_total',
    'Runs started again by a person that put another version live, ever.',
  )
  const rollbacks = counter('rollbacks_total', 'Rollbacks, by who asked for them, ever.', ['kind'])
  const held = gauge(
    'held_targets',
    'Targets that are held: all of it by a person, one version by a rollback.',
    ['kind'],
  )
  const promotions = gauge('promotions', 'Promotions that are not at their end, by state.', ['state'])
  const ratio = gauge('dispatch_success_ratio', 'Share of triggers that GitHub took; NaN without any.', [
    'window',
  ])
  const triggers = gauge('dispatch_triggers', 'Triggers that ended within the window, by result.', [
    'window',
    'result',
  ])
  const deploymentRatio = gauge(
    'deployment_success_ratio',
    'Share of ended runs that succeeded, cancelled ones left out; NaN without any.',
    ['window'],
  )
  const ended = gauge('ended_deployments', 'Runs that ended within the window, cancelled ones left out.', [
    'window',
    'result',
  ])
  const deadLetters = gauge('dead_letters', 'Promotions that wait for a person: dead-lettered or unresolved.')
  const unresolved = gauge(
    'unresolved',
    'Of the dead letters those of which nobody knows whether a run exists.',
  )
  const drifted = gauge(
    'drifted_targets',
    'Targets whose newest promotion has ended and whose live version is another.',
  )
  const lastPromotion = gauge(
    'last_promotion_timestamp_seconds',
    'When the newest promotion was accepted; NaN before the first.',
  )
  const workers = gauge('workers', 'Workers that were able to work within the last minute.')
  const reachable = gauge(
    'redis_reachable',
    '1 where the figures of this scrape came from Redis; 0: they are old.',
  )
  const live = targetLabels
    ? gauge('live_version_info', 'The live version of each target, of those promoted last.', [
        'model',
        'environment',
        'version',
      ])
    : undefined
  const circuits = gauge('circuit_open', 'Open circuits by reason.', ['reason'])
  const oldest = gauge('oldest_waiting_seconds', 'Age of the longest waiting promotion, 0 if none waits.')
  const unsafe = gauge(
    'redis_warnings',
    'Settings of Redis that do not keep the promises; /readyz names them.',
  )
  const jobs = gauge('queue_jobs', 'Jobs by queue and BullMQ state.', ['queue', 'state'])

  return async function refresh(): Promise<void> {
    try {
      await read()
      reachable.set(1)
    } catch (error) {
      reachable.set(0)
      throw error
    }
  }

  async function read(): Promise<void> {
    const windows = Object.values(WINDOWS)
    const [
      counters,
      states,
      since,
      now,
      open,
      warned,
      newestAt,
      present,
      drift,
      holds,
      triggered,
      deployed,
      ...counts
    ] = await Promise.all([
      reader.counters(),
      reader.countByState(),
      reader.oldestWaitingSince(),
      reader.nowMs(),
      reader.openCircuits(),
      warnings(),
      reader.lastAcceptedAt(),
      reader.workers(),
      reader.drifted(MOST_TARGETS),
      reader.holds(),
      reader.endsWithin('triggers', windows),
      reader.endsWithin('deployments', windows),
      ...queues.map((queue) => queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed')),
    ])
    const targets = live ? await reader.targets(MOST_TARGETS) : []
    accepted.reset()
    accepted.inc(counters.accepted ?? 0)
    superseded.reset()
    superseded.inc(counters.superseded ?? 0)
    drifts.reset()
    drifts.inc(counters.drifts ?? 0)
    rollbacks.reset()
    for (const kind of ['automated', 'manual']) rollbacks.inc({ kind }, counters[`rollbacks:${kind}`] ?? 0)
    for (const [kind, count] of Object.entries(holds)) held.set({ kind }, count)
    deployments.reset()
    for (const conclusion of OFTEN) deployments.inc({ conclusion }, 0)
    for (const [name, value] of Object.entries(counters)) {
      const conclusion = /^deployments:(.+)$/.exec(name)?.[1]
      if (conclusion) deployments.inc({ conclusion }, value)
    }
    for (const [state, count] of Object.entries(states)) promotions.set({ state }, count)
    deadLetters.set(states.dead_lettered + states.unresolved)
    unresolved.set(states.unresolved)
    drifted.set(drift)
    oldest.set(since === undefined ? 0 : Math.max(0, now - since) / 1000)
    lastPromotion.set(newestAt === undefined ? Number.NaN : newestAt / 1000)
    workers.set(present)
    unsafe.set(warned.length)
    circuits.reset()
    for (const { reason } of open) circuits.inc({ reason })
    for (const [i, queue] of queues.entries()) {
      for (const [state, count] of Object.entries(counts[i] ?? {}))
        jobs.set({ queue: queue.name, state }, count)
    }
    for (const [i, window] of Object.keys(WINDOWS).entries()) {
      const trigger = triggered[i] ?? NONE
      ratio.set({ window }, share(trigger))
      triggers.set({ window, result: 'dispatched' }, trigger.good)
      triggers.set({ window, result: 'not_dispatched' }, trigger.bad)
      const deployment = deployed[i] ?? NONE
      deploymentRatio.set({ window }, share(deployment))
      ended.set({ window, result: 'succeeded' }, deployment.good)
      ended.set({ window, result: 'failed' }, deployment.bad)
    }
    live?.reset()
    for (const { model, environment, live: version } of targets)
      if (version) live?.set({ model, environment, version }, 1)
  }
}

const NONE: EndCount = { good: 0, bad: 0 }

function share({ good, bad }: EndCount): number {
  return good + bad === 0 ? Number.NaN : good / (good + bad)
}
