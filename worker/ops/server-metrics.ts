/** Figures that a server counts itself: what became of the webhooks that came to it, and what it found in the registry. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { PREFIX } from './worker-metrics.ts'

export interface ServerMetrics {
  delivery(result: string): void
}

export interface RegistryFigures {
  delivery(result: string): void
  /** A promotion that no call told of, by what it was found. */
  found(by: 'hint' | 'look'): void
  /** `atMs` since the epoch. */
  looked(atMs: number, tookMs: number): void
  reachable(isSo: boolean): void
}

/** Shown where the relay follows a registry. @param results of deliveries, each shown from the start */
export function createRegistryFigures(registry: Registry, results: readonly string[]): RegistryFigures {
  const registers = [registry]
  const deliveries = new Counter({
    name: `${PREFIX}mlflow_webhook_deliveries_total`,
    help: "MLflow's webhooks by what became of them, of this server.",
    labelNames: ['result'],
    registers,
  })
  const finds = new Counter({
    name: `${PREFIX}registry_finds_total`,
    help: 'Promotions found in the model registry that no call had told of, by a webhook or by a look, of this server.',
    labelNames: ['by'],
    registers,
  })
  const lastLook = new Gauge({
    name: `${PREFIX}registry_last_look_timestamp_seconds`,
    help: 'When this server last looked at all of the model registry; NaN before the first time.',
    registers,
  })
  const took = new Gauge({
    name: `${PREFIX}registry_look_seconds`,
    help: 'How long that look took.',
    registers,
  })
  const reachable = new Gauge({
    name: `${PREFIX}registry_reachable`,
    help: '1 where the model registry answered when it was last asked.',
    registers,
  })
  for (const result of results) deliveries.inc({ result }, 0)
  for (const by of ['hint', 'look']) finds.inc({ by }, 0)
  lastLook.set(Number.NaN)
  took.set(Number.NaN)
  reachable.set(Number.NaN)
  return {
    delivery: (result) => deliveries.inc({ result }),
    found: (by) => finds.inc({ by }),
    looked(atMs, tookMs) {
      lastLook.set(atMs / 1000)
      took.set(tookMs / 1000)
    },
    reachable: (isSo) => reachable.set(isSo ? 1 : 0),
  }
}

/** @param results every one there is, so that each is shown from the start */
export function createServerMetrics(registry: Registry, results: readonly string[]): ServerMetrics {
  const deliveries = new Counter({
    name: `${PREFIX}webhook_deliveries_total`,
    help: "GitHub's webhooks by what became of them, of this server.",
    labelNames: ['result'],
    registers: [registry],
  })
  for (const result of results) deliveries.inc({ result }, 0)
  return { delivery: (result) => deliveries.inc({ result }) }
}
