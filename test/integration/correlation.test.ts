// Whether the runs of a workflow show promotion ids: proven by runs that are known by their id, and disproved by them.
import { expect, test } from 'vitest'
import { createCorrelation } from '../../shared/ledger/correlation.ts'
import { CD, setup as ledgerSetup } from './ledger-setup.ts'

const DAY = 24 * 3_600_000

async function setup() {
  const ledger = await ledgerSetup()
  return { ...ledger, correlation: createCorrelation({ redis: ledger.redis }) }
}

test('nothing is proven until a run has shown it', async () => {
  const { correlation } = await setup()
  expect(await correlation.proven(CD)).toBe(false)

  await correlation.learn(CD, { runId: '15', shows: true })

  expect(await correlation.proven(CD)).toBe(true)
})

test('each workflow is proven by itself', async () => {
  const { correlation } = await setup()
  await correlation.learn(CD, { runId: '15', shows: true })

  expect(await correlation.proven('acme/models/other.yml')).toBe(false)
})

test('a later run that does not show it takes it back: run-name was taken out of the workflow', async () => {
  const { correlation } = await setup()
  await correlation.learn(CD, { runId: '15', shows: true })

  await correlation.learn(CD, { runId: '16', shows: false })

  expect(await correlation.proven(CD)).toBe(false)
})

test('an older run that is looked at once more proves nothing that a newer one has disproved', async () => {
  const { correlation } = await setup()
  await correlation.learn(CD, { runId: '15', shows: true })
  await correlation.learn(CD, { runId: '16', shows: false })

  await correlation.learn(CD, { runId: '15', shows: true })
  expect(await correlation.proven(CD)).toBe(false)

  await correlation.learn(CD, { runId: '17', shows: true })
  expect(await correlation.proven(CD)).toBe(true)
  await correlation.learn(CD, { runId: '16', shows: false })
  expect(await correlation.proven(CD)).toBe(true)
})

test('run ids are compared as numbers, also those that GitHub gives by now', async () => {
  const { correlation } = await setup()
  await correlation.learn(CD, { runId: '9', shows: false })
  await correlation.learn(CD, { runId: '19482000001', shows: true })
  expect(await correlation.proven(CD)).toBe(true)
  await correlation.learn(CD, { runId: '19482000000', shows: false })
  expect(await correlation.proven(CD)).toBe(true)
})

test('the proof lasts for thirty days, and each run renews it', async () => {
  const { correlation, redis, key } = await setup()
  await correlation.learn(CD, { runId: '15', shows: true })
  await redis.pexpire(key('proven', CD), DAY)

  await correlation.learn(CD, { runId: '15', shows: true })

  expect(await redis.pttl(key('proven', CD))).toBeGreaterThan(29 * DAY)
})

test('a workflow that refuses the input promotion_id shows none any more', async () => {
  const { correlation, going, end } = await setup()
  await correlation.learn(CD, { runId: '15', shows: true })

  const adjust = { scope: CD, fields: ['input:promotion_id'] }
  await end(await going('5'), { kind: 'again', delayMs: 0, spend: false }, { adjust, status: 422 })

  expect(await correlation.proven(CD)).toBe(false)
})
