import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createLedgerMetrics } from '../../worker/ops/ledger-metrics.ts'
import { startRelay } from '../support/relay.ts'
import { setup } from './ledger-setup.ts'

test('of 19 good and 1 dead-lettered promotion the ratio reads 0.95, over two workers and a restart', async () => {
  const relay = await startRelay({ workers: 0 })
  const before = [await relay.startWorker(), await relay.startWorker()]
  const promote = (n: number) => relay.promote('1', { model: `model-${n}` })
  for (const id of await Promise.all(Array.from({ length: 10 }, (_, n) => promote(n)))) await relay.ends(id)
  relay.simulator.fault({ kind: 'status-before', status: 422, message: "Required input 'x' not provided" })
  await relay.reaches(await promote(10), 'dead_lettered')

  await Promise.all(before.map((worker) => worker.close()))
  await relay.startWorker()
  await relay.startWorker()
  for (const id of await Promise.all(Array.from({ length: 9 }, (_, n) => promote(11 + n))))
    await relay.ends(id)

  expect(await relay.reader.triggers(60)).toEqual({ good: 19, bad: 1 })
  expect(await relay.reader.triggers(24 * 60)).toEqual({ good: 19, bad: 1 })
  const registry = new Registry()
  await createLedgerMetrics({
    registry,
    reader: relay.reader,
    queues: Object.values(relay.queues),
    warnings: async () => [],
  })()
  const page = await registry.metrics()
  expect(page).toContain('promotion_relay_dispatch_success_ratio{window="1h"} 0.95\n')
  expect(page).toContain('promotion_relay_dispatch_success_ratio{window="24h"} 0.95\n')
  expect(page).toContain('promotion_relay_promotions_accepted_total 20\n')
  expect(page).toContain('promotion_relay_dead_letters 1\n')
})

test('triggers that ended before the window are not counted in it', async () => {
  const relay = await startRelay()
  const minute = Math.floor((await relay.reader.nowMs()) / 60_000)
  const count = (minutesAgo: number, field: string, n: number) => {
    const at = minute - minutesAgo
    return relay.redis.hset(`{relay:0}:triggers:${Math.floor(at / 60)}`, `${at}:${field}`, n)
  }
  await count(23 * 60, 'good', 5)
  await count(25 * 60, 'good', 100)
  await count(70, 'bad', 2)
  await count(30, 'good', 4)

  expect(await relay.reader.triggers(60)).toEqual({ good: 4, bad: 0 })
  expect(await relay.reader.triggers(24 * 60)).toEqual({ good: 9, bad: 2 })
})

test('a promotion that was with a person, and whose run is then found, counts as good alone', async () => {
  const { unresolved, ledger, reader } = await setup()
  const id = await unresolved('5')
  expect(await reader.triggers(60)).toEqual({ good: 0, bad: 1 })

  await ledger.settle(id, { runId: '77' }, 'eve')

  expect(await reader.triggers(60)).toEqual({ good: 1, bad: 0 })
})
