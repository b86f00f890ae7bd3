import { expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'

test('over many versions of several targets two workers keep the order, and double nothing', async () => {
  const relay = await startRelay({ workers: 2, simulator: { runMs: 20 } })
  const models = ['a', 'b', 'c']
  const last: string[] = []
  for (let version = 1; version <= 12; version++) {
    for (const [n, model] of models.entries()) last[n] = await relay.promote(String(version), { model })
  }

  for (const id of last) expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  await relay.idle()

  const { runs } = relay.simulator
  expect(new Set(runs.map(({ inputs }) => inputs.promotion_id)).size).toBe(runs.length)
  for (const model of models) {
    const versions = runs
      .filter(({ inputs }) => inputs.model_name === model)
      .map(({ inputs }) => Number(inputs.model_version))
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    expect(versions.at(-1)).toBe(12)
  }
  for (const [n, run] of runs.entries()) {
    const before = runs.slice(0, n).filter(({ inputs }) => inputs.model_name === run.inputs.model_name)
    for (const { updatedAt } of before) expect(run.createdAt).toBeGreaterThanOrEqual(updatedAt)
  }
})

test('two workers share the work, and each promotion is dispatched once', async () => {
  const relay = await startRelay({ workers: 2, env: { WORKER_CONCURRENCY: '1' } })
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, n) => relay.promote('1', { model: `model-${n}` })),
  )

  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()

  expect(relay.simulator.runs.map(({ inputs }) => inputs.promotion_id).toSorted()).toEqual(ids.toSorted())
  expect(relay.simulator.dispatches()).toHaveLength(20)
  const workers = new Set<unknown>()
  for (const id of ids)
    for (const entry of await relay.reader.timeline(id)) if (entry.worker) workers.add(entry.worker)
  expect([...workers].toSorted()).toEqual(['worker-1', 'worker-2'])
})

test('dispatches keep the distance that the rate asks for', async () => {
  const relay = await startRelay({ env: { DISPATCH_RATE_PER_SECOND: '5' } })
  const ids = await Promise.all([1, 2, 3, 4].map((n) => relay.promote('1', { model: `model-${n}` })))

  for (const id of ids) await relay.ends(id)

  expect(relay.simulator.dispatches()).toHaveLength(4)
  // By Redis's clock, at the intent: the way to the server is not always equally long.
  const timelines = await Promise.all(ids.map((id) => relay.reader.timeline(id)))
  const intents = timelines.flat().filter(({ what }) => what === 'dispatching')
  const at = intents.map((entry) => entry.at).toSorted((a, b) => a - b)
  expect((at[3] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(600)
})
