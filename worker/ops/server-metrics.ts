/** Figures that a server counts itself: what became of the webhooks that came to it. */
import { Counter, type Registry } from 'prom-client'
import { PREFIX } from './worker-metrics.ts'

export interface ServerMetrics {
  delivery(result: string): void
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
