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

test('a run that was seen running is counted by how long it took to start and to end; one deleted has no end', async () => {
  const { metrics, lines } = await setup()
  metrics.deployment({ conclusion: 'failure', sinceAcceptedMs: 70_000, toStartMs: 8_000, ranMs: 61_000 })
  metrics.deployment({ conclusion: 'deleted', sinceAcceptedMs: 900_000, toStartMs: 8_000, ranMs: 800_000 })
  metrics.deployment({ conclusion: 'success', sinceAcceptedMs: 3_000 })
  expect(await lines('dispatch_to_start_seconds_sum')).toEqual([
    'promotion_relay_dispatch_to_start_seconds_sum 16',
  ])
  expect(await lines('start_to_completed_seconds_count')).toEqual([
    'promotion_relay_start_to_completed_seconds_count 1',
  ])
  expect(await lines('start_to_completed_seconds_sum')).toEqual([
    'promotion_relay_start_to_completed_seconds_sum 61',
  ])
})

test('each outcome is counted from 0, so that an increase has the first one in it', async () => {
  const { metrics, lines } = await setup()
  expect(await lines('dispatch_attempts_total')).toContain(
    'promotion_relay_dispatch_attempts_total{outcome="rejected"} 0',
  )
  metrics.attempt({ outcome: 'rejected' })
  expect(await lines('dispatch_attempts_total')).toContain(
    'promotion_relay_dispatch_attempts_total{outcome="rejected"} 1',
  )
})
