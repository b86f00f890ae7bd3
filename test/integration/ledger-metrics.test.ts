// The figures that `serve` reads from Redis at each scrape: the ends of deployments, what needs a look, who works.
import type { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createPresence } from '../../shared/ledger/presence.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { createLedgerMetrics } from '../../worker/ops/ledger-metrics.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { setup } from './ledger-setup.ts'

/** A scrape's lines of one metric, names and labels to values. */
async function scrape(redis: Redis, name: string, targetLabels = false): Promise<Record<string, number>> {
  const registry = new Registry()
  const reader = createLedgerReader({ redis })
  await createLedgerMetrics({ registry, reader, queues: [], warnings: async () => [], targetLabels })()
  const lines = (await registry.metrics()).split('\n')
  const samples = lines.flatMap((line) => {
    const [, found, labels = '', value] = /^promotion_relay_([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    return found === name ? [[labels, Number(value)] as const] : []
  })
  return Object.fromEntries(samples)
}

test('of 3 versions that went live and 1 run that failed the ratio reads 0.75; a cancelled run is neither', async () => {
  const { redis, deployed, dispatched, finish } = await setup()
  for (const version of ['1', '2', '3']) await deployed(version)
  for (const state of ['failed', 'cancelled'] as const) {
    const { id, run } = await dispatched(`4-${state}`)
    await finish(id, run, state)
    // Told again, as after a crash, it is counted once.
    await finish(id, run, state)
  }

  expect(await scrape(redis, 'deployment_success_ratio')).toMatchObject({
    'window="5m"': 0.75,
    'window="24h"': 0.75,
  })
  expect(await scrape(redis, 'ended_deployments')).toMatchObject({
    'window="1h",result="succeeded"': 3,
    'window="1h",result="failed"': 1,
  })
})

test('conclusions are counted from 0, so that an increase has the first failure in it', async () => {
  const { redis, dispatched, finish } = await setup()
  expect(await scrape(redis, 'deployments_total')).toMatchObject({ 'conclusion="failure"': 0 })
  const { id, run } = await dispatched('1')
  await finish(id, run, 'timed_out')
  expect(await scrape(redis, 'deployments_total')).toMatchObject({
    'conclusion="timed_out"': 1,
    'conclusion="failure"': 0,
  })
})

test('before any deployment its ratio is NaN: no alert on it may fire', async () => {
  const { redis } = await setup()
  expect(Object.values(await scrape(redis, 'deployment_success_ratio'))).toEqual(Array(6).fill(Number.NaN))
})

test('each window holds what ended within it, and nothing older', async () => {
  const { redis, reader } = await setup()
  const minute = Math.floor((await reader.nowMs()) / 60_000)
  for (const [minutesAgo, count] of [
    [2, 1],
    [20, 10],
    [100, 100],
    [700, 1_000],
    [1_500, 10_000],
  ] as const) {
    const at = minute - minutesAgo
    await redis.hset(`{relay:0}:deployments:${Math.floor(at / 60)}`, `${at}:bad`, count)
  }
  const windows = [5, 30, 60, 120, 360, 1_440]
  const ends = await reader.endsWithin('deployments', windows)
  expect(ends.map(({ bad }) => bad)).toEqual([1, 11, 11, 111, 111, 1_111])
})

test('the times of a run are those at which it was seen running, and there are none where it never was', async () => {
  const { ledger, dispatched, finish } = await setup()
  const seen = await dispatched('1')
  const about = { id: seen.id, runId: seen.run, runUrl: '', runAttempt: 1 }
  await ledger.track({ ...about, status: 'in_progress' })
  const times = await finish(seen.id, seen.run, 'failed')
  expect(times.toStartMs).toBeGreaterThanOrEqual(0)
  expect(times.ranMs).toBeGreaterThanOrEqual(0)
  expect((times.toStartMs ?? 0) + (times.ranMs ?? 0)).toBeLessThanOrEqual(times.sinceAcceptedMs)

  const unseen = await dispatched('2')
  const none = await finish(unseen.id, unseen.run)
  expect([none.finished, none.toStartMs, none.ranMs]).toEqual([true, undefined, undefined])
})

test('a promotion that nobody can tell the run of counts among dead letters, and apart', async () => {
  const { redis, unresolved, deadLettered } = await setup()
  await unresolved('1')
  await deadLettered('1', { model: 'churn' })
  expect(await scrape(redis, 'dead_letters')).toEqual({ '': 2 })
  expect(await scrape(redis, 'unresolved')).toEqual({ '': 1 })
})

test('a target drifts when its newest promotion has ended and another version is live', async () => {
  const { redis, deployed, dispatched, finish } = await setup()
  const drifted = async () => (await scrape(redis, 'drifted_targets'))['']
  await deployed('1')
  expect(await drifted()).toBe(0)
  const { id, run } = await dispatched('2')
  expect(await drifted()).toBe(0)
  await finish(id, run, 'failed')
  expect(await drifted()).toBe(1)
  await deployed('3')
  expect(await drifted()).toBe(0)
})

test('what was skipped was not meant to go live: its target does not drift', async () => {
  const { redis, deployed, accept, claim } = await setup()
  await deployed('1')
  const { id } = await accept('2')
  await claim(id, { enabled: false })
  expect(await scrape(redis, 'drifted_targets')).toEqual({ '': 0 })
})

test('the last promotion is NaN before the first, then the time of the newest', async () => {
  const { redis, reader, accept } = await setup()
  expect(await scrape(redis, 'last_promotion_timestamp_seconds')).toEqual({ '': Number.NaN })
  await accept('1')
  const { id } = await accept('2')
  const acceptedAt = (await reader.promotion(id))?.acceptedAt ?? 0
  expect(await scrape(redis, 'last_promotion_timestamp_seconds')).toEqual({ '': acceptedAt / 1000 })
})

test('models and versions show only where they are asked for, one live version a target', async () => {
  const { redis, deployed } = await setup()
  await deployed('1')
  await deployed('2')
  await deployed('7', { model: 'churn', environment: 'staging' })
  expect(await scrape(redis, 'live_version_info')).toEqual({})
  expect(await scrape(redis, 'live_version_info', true)).toEqual({
    'model="fraud-detector",environment="production",version="2"': 1,
    'model="churn",environment="staging",version="7"': 1,
  })
})

test('of more than 500 targets the 500 promoted last have labels', async () => {
  const { redis } = await setup()
  const many = redis.pipeline()
  for (let n = 0; n < 501; n++) {
    many.hset(`{relay:0}:target:production/m${n}`, { model: `m${n}`, environment: 'production', live: '1' })
    many.zadd('{relay:0}:targets', n, `production/m${n}`)
  }
  await many.exec()
  const shown = Object.keys(await scrape(redis, 'live_version_info', true))
  expect(shown).toHaveLength(500)
  expect(shown).not.toContain('model="m0",environment="production",version="1"')
})

test('workers are counted while they run', async () => {
  const relay = await startRelay({ workers: 2 })
  const count = () => relay.reader.workers()
  await until('both say that they are there', async () => (await count()) === 2)
  const third = await relay.startWorker()
  await until('the third does', async () => (await count()) === 3)
  await third.close()
  expect(await count()).toBe(2)
})

test('a worker that was killed counts for a minute, and is forgotten then', async () => {
  const { redis, reader } = await setup()
  const nowMs = await reader.nowMs()
  await redis.zadd('{relay:0}:workers', nowMs - 50_000, 'killed just now', nowMs - 70_000, 'killed before')
  expect(await reader.workers()).toBe(1)
  await createPresence({ redis }).here('alive')
  expect(await redis.zrange('{relay:0}:workers', 0, '-1')).toEqual(['killed just now', 'alive'])
})
