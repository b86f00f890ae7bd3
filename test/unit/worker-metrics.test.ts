// The figures that a worker has from GitHub's answers, as Prometheus reads them.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createWorkerMetrics } from '../../worker/ops/worker-metrics.ts'

async function setup() {
  const registry = new Registry()
  const metrics = createWorkerMetrics(registry)
  const lines = async (name: string) =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(`promotion_relay_${name}`))
  return { metrics, lines }
}

test('the rate limit is told by resource, as it was last seen, and not before it was', async () => {
  const { metrics, lines } = await setup()
  expect(await lines('github_rate_limit')).toEqual([])
  const resetAtMs = 1_795_420_800_000
  metrics.rateLimit({ resource: 'core', limit: 5000, remaining: 4_990, resetAtMs })
  metrics.rateLimit({ resource: 'core', limit: 5000, remaining: 4_989, resetAtMs })
  expect(await lines('github_rate_limit')).toEqual([
    'promotion_relay_github_rate_limit{resource="core"} 5000',
    'promotion_relay_github_rate_limit_remaining{resource="core"} 4989',
    'promotion_relay_github_rate_limit_reset_timestamp_seconds{resource="core"} 1795420800',
  ])
})

test('the end of the token is NaN where there is none: no alert on it may fire', async () => {
  const { metrics, lines } = await setup()
  const name = 'promotion_relay_github_token_expiry_timestamp_seconds'
  expect((await lines('github_token')).map((line) => line.toLowerCase())).toEqual([`${name} nan`])
  metrics.tokenExpiry(1_795_420_800_000)
  expect(await lines('github_token')).toEqual([`${name} 1795420800`])
  metrics.tokenExpiry(undefined)
  expect((await lines('github_token')).map((line) => line.toLowerCase())).toEqual([`${name} nan`])
})
