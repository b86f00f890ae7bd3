/**
 * Figures of all processes together, read from Redis at each scrape; shown by `serve` alone. They hold across
 * workers and restarts, since the ledger's scripts count them.
 */
import type { Queue } from 'bullmq'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import { PREFIX } from './worker-metrics.ts'

/** Windows of the success ratio: label and minutes. */
export const WINDOWS = { '1h': 60, '24h': 24 * 60 } as const

export interface LedgerMetricsDeps {
  registry: Registry
  reader: LedgerReader
  queues: readonly Queue[]
  /** What about Redis does not keep the promises. */
  warnings(): Promise<string[]>
}

/** @returns reads everything anew; call it before each scrape. Throws when Redis can't be reached. */
export function createLedgerMetrics({ registry, reader, queues, warnings }: LedgerMetricsDeps) {
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
  const promotions = gauge('promotions', 'Promotions that are not at their end, by state.', ['state'])
  const ratio = gauge('dispatch_success_ratio', 'Share of triggers that GitHub took; NaN without any.', [
    'window',
  ])
  const triggers = gauge('dispatch_triggers', 'Triggers that ended within the window, by result.', [
    'window',
    'result',
  ])
  const deadLetters = gauge('dead_letters', 'Promotions that wait for a person: dead-lettered or unresolved.')
  const circuits = gauge('circuit_open', 'Open circuits by reason.', ['reason'])
  const oldest = gauge('oldest_waiting_seconds', 'Age of the longest waiting promotion, 0 if none waits.')
  const unsafe = gauge(
    'redis_warnings',
    'Settings of Redis that do not keep the promises; /readyz names them.',
  )
  const jobs = gauge('queue_jobs', 'Jobs by queue and BullMQ state.', ['queue', 'state'])

  return async function refresh(): Promise<void> {
    const [counters, states, since, now, open, warned, ...counts] = await Promise.all([
      reader.counters(),
      reader.countByState(),
      reader.oldestWaitingSince(),
      reader.nowMs(),
      reader.openCircuits(),
      warnings(),
      ...queues.map((queue) => queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed')),
    ])
    accepted.reset()
    accepted.inc(counters.accepted ?? 0)
    superseded.reset()
    superseded.inc(counters.superseded ?? 0)
    deployments.reset()
    for (const [name, value] of Object.entries(counters)) {
      const conclusion = /^deployments:(.+)$/.exec(name)?.[1]
      if (conclusion) deployments.inc({ conclusion }, value)
    }
    for (const [state, count] of Object.entries(states)) promotions.set({ state }, count)
    deadLetters.set(states.dead_lettered + states.unresolved)
    oldest.set(since === undefined ? 0 : Math.max(0, now - since) / 1000)
    unsafe.set(warned.length)
    circuits.reset()
    for (const { reason } of open) circuits.inc({ reason })
    for (const [i, queue] of queues.entries()) {
      for (const [state, count] of Object.entries(counts[i] ?? {}))
        jobs.set({ queue: queue.name, state }, count)
    }
    for (const [window, minutes] of Object.entries(WINDOWS)) {
      const { good, bad } = await reader.triggers(minutes)
      ratio.set({ window }, good + bad === 0 ? Number.NaN : good / (good + bad))
      triggers.set({ window, result: 'dispatched' }, good)
      triggers.set({ window, result: 'not_dispatched' }, bad)
    }
  }
}
