import { expect, test } from 'vitest'
import type { SimulatorOptions } from '../github-simulator/simulator.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const onServer = (options: SimulatorOptions = {}) =>
  startRelay({ simulator: { mode: 'ghes', ...options }, pauses: { settleMs: 0, sweepMs: 100 } })

test('an Enterprise Server that names no run: the run is found by its title', async () => {
  const relay = await onServer()
  const id = await relay.promote('5')

  const end = await relay.ends(id)

  expect(end).toMatchObject({ state: 'deployed', runId: String(relay.simulator.runs[0]?.id) })
  expect(relay.simulator.runs).toHaveLength(1)
  // `return_run_details` is not known there: refused once, left out from then on.
  expect(relay.simulator.dispatches().map(({ status }) => status)).toEqual([422, 204])
  await relay.ends(await relay.promote('6'))
  expect(relay.simulator.dispatches().map(({ status }) => status)).toEqual([422, 204, 204])
})

test('an API version that the server refuses is left out, and the promotion goes its way', async () => {
  const relay = await startRelay({
    simulator: { mode: 'ghes' },
    env: { GITHUB_API_VERSION: '2026-03-10' },
  })

  expect(await relay.ends(await relay.promote('5'))).toMatchObject({ state: 'deployed' })
  expect(relay.simulator.runs).toHaveLength(1)
})

test('the newer API version on github.com is understood', async () => {
  const relay = await startRelay({ env: { GITHUB_API_VERSION: '2026-03-10' } })

  expect(await relay.ends(await relay.promote('5'))).toMatchObject({ state: 'deployed' })
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a run that is listed late is waited for, and nothing is sent a second time', async () => {
  const relay = await onServer({ listDelayMs: 800, getDelayMs: 400 })
  const id = await relay.promote('5')

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })

  expect(relay.simulator.dispatches().filter(({ status }) => status === 204)).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('without run names the run is found by time where it is the only one', async () => {
  const workflows = [{ file: 'cd_pipeline.yml', runName: false }]
  const relay = await onServer({ workflows })

  const end = await relay.ends(await relay.promote('5'))

  expect(end).toMatchObject({ state: 'deployed', runId: String(relay.simulator.runs[0]?.id) })
})

test('without run names the runs of several are told apart by their order', async () => {
  const workflows = [{ file: 'cd_pipeline.yml', runName: false }]
  const relay = await onServer({ workflows })
  relay.simulator.fault({ kind: 'status-before', on: 'list-runs', times: Number.POSITIVE_INFINITY })
  const one = await relay.promote('5')
  await relay.reaches(one, 'dispatched')
  const two = await relay.promote('5', { model: 'churn' })
  await relay.reaches(two, 'dispatched')
  relay.simulator.clearFaults()

  const ends = [await relay.ends(one), await relay.ends(two)]
  for (const [n, end] of ends.entries())
    expect(end).toMatchObject({ state: 'deployed', runId: String(relay.simulator.runs[n]?.id) })
})

test('where two runs could be its own none is taken, until a person says which', async () => {
  const workflows = [{ file: 'cd_pipeline.yml', runName: false }]
  const relay = await onServer({ workflows })
  relay.simulator.fault({ kind: 'status-before', on: 'list-runs', times: Number.POSITIVE_INFINITY })
  const one = await relay.promote('5')
  await relay.reaches(one, 'dispatched')
  const byHand = await fetch(
    `${relay.simulator.url}/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches`,
    {
      method: 'POST',
      headers: { authorization: 'Bearer ghp_by-hand' },
      body: JSON.stringify({ ref: 'main', inputs: {} }),
    },
  )
  expect(byHand.status).toBe(204)
  relay.simulator.clearFaults()
  await until('both runs are seen', async () =>
    (await relay.queues.tracking.getJobs(['delayed', 'active'])).some((job) =>
      JSON.stringify(job?.progress).includes('2 runs could be'),
    ),
  )
  const promotion = await relay.reaches(one, 'dispatched')
  expect(promotion.runId).toBeUndefined()

  const runId = String(relay.simulator.runs.find(({ inputs }) => inputs.promotion_id === one)?.id)
  expect(await relay.ledger.settle(one, { runId }, 'eve')).toMatchObject({ kind: 'track' })

  expect(await relay.ends(one)).toMatchObject({ state: 'deployed', runId })
  expect(relay.simulator.runs).toHaveLength(2)
})
