import { expect, test } from 'vitest'
import { startSimulator } from '../github-simulator/simulator.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

/** TLS spoken to a plain server: each attempt is seen there as garbage, and nothing can have been sent. */
function overTls(relay: Relay) {
  return { env: { GITHUB_API_URL: relay.simulator.url.replace('http:', 'https:') } }
}

test('a network error is tried again, opens the circuit, and the promotion is deployed once the network is back', async () => {
  const relay = await startRelay({ env: { DISPATCH_MAX_ATTEMPTS: '100' } })
  const { url, close } = relay.simulator
  await close()
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'circuit')
  const refused = (await relay.reader.timeline(id)).filter(({ what }) => what === 'outcome')
  expect(refused).toHaveLength(3)
  for (const one of refused) {
    expect(one).toMatchObject({
      outcome: 'transient',
      status: 0,
      detail: expect.stringContaining('ECONNREFUSED'),
    })
  }
  expect(await relay.reader.openCircuits()).toMatchObject([{ scope: 'acme/models', reason: 'outage' }])
  await until('it was probed in vain', () =>
    relay.lines.some((line) => line.msg === 'A circuit was probed' && line.circuit === 'open'),
  )
  expect(await relay.reader.promotion(id)).toMatchObject({ attempts: 3 })

  const back = await startSimulator({ port: Number(new URL(url).port), queuedMs: 0, runMs: 0 })
  try {
    const end = await relay.ends(id)
    expect(end).toMatchObject({ state: 'deployed', attempts: 4, deadLetters: 0 })
    expect(back.runs).toHaveLength(1)
    expect(back.dispatches()).toHaveLength(1)
  } finally {
    await back.close()
  }
})

test('attempts have growing pauses at random within their bounds, and end in a dead letter that tells them all', async () => {
  const env = {
    DISPATCH_MAX_ATTEMPTS: '3',
    DISPATCH_BACKOFF_BASE_SECONDS: '0.6',
    DISPATCH_BACKOFF_MAX_SECONDS: '0.9',
  }
  const relay = await startRelay({ env, workers: 0, pauses: { probeMs: 60_000 } })
  await relay.startWorker(overTls(relay))
  const id = await relay.promote('5')

  const dead = await relay.reaches(id, 'dead_lettered')

  expect(dead.reason).toMatch(/nothing was sent/)
  const garbled = relay.simulator.log.filter(({ kind }) => kind === 'garbled')
  expect(garbled).toHaveLength(3)
  expect(relay.simulator.log).toHaveLength(3)
  const waits = relay.lines
    .filter(({ msg }) => msg === 'CD pipeline was not triggered yet: it is tried again')
    .map((line) => Number(line.waitMs))
  expect(waits).toHaveLength(2)
  for (const [n, waitMs] of waits.entries()) {
    expect(waitMs).toBeGreaterThanOrEqual(0)
    expect(waitMs).toBeLessThanOrEqual(Math.min(900, 600 * 2 ** n))
    const gapMs = (garbled[n + 1]?.at ?? 0) - (garbled[n]?.at ?? 0)
    // The clock of the log counts whole ms; afterwards it takes its way through queue and ledger.
    expect(gapMs).toBeGreaterThanOrEqual(waitMs - 2)
    expect(gapMs).toBeLessThan(waitMs + 1_500)
  }

  const job = await relay.parked(id)
  expect(job.failedReason).toBe(dead.reason)
  expect(job.data).toMatchObject({ promotionId: id, model: 'fraud-detector', version: '5' })
  expect(job.data.attempts.map((one: { attempt: number }) => one.attempt)).toEqual([1, 2, 3])
  for (const [n, one] of job.data.attempts.entries()) {
    expect(one).toMatchObject({ outcome: 'transient', status: 0 })
    expect(Math.abs(Date.parse(one.at) - (garbled[n]?.at ?? 0))).toBeLessThan(1_500)
  }
  expect(relay.lines).toContainEqual(
    expect.objectContaining({
      level: 'error',
      promotionId: id,
      attempt: 3,
      msg: 'CD pipeline was not triggered. Manual deployment may be required.',
    }),
  )
})

test.each([1, 3])('with %i attempts allowed there are so many and no more', async (attempts) => {
  const env = { DISPATCH_MAX_ATTEMPTS: String(attempts) }
  const relay = await startRelay({ env, workers: 0, pauses: { probeMs: 60_000 } })
  await relay.startWorker(overTls(relay))

  const dead = await relay.reaches(await relay.promote('5'), 'dead_lettered')

  expect(dead.attempts).toBe(attempts)
  await relay.idle()
  expect(relay.simulator.log.filter(({ kind }) => kind === 'garbled')).toHaveLength(attempts)
})

test("a promotion that GitHub refuses for its own fault is dead-lettered at once, with GitHub's answer", async () => {
  const inputs = {
    model_version: {},
    model_accuracy: {},
    trigger_source: {},
    promotion_id: {},
    model_name: {},
    environment: {},
    region: { required: true },
  }
  const relay = await startRelay({ simulator: { workflows: [{ file: 'cd_pipeline.yml', inputs }] } })
  const id = await relay.promote('5')

  const dead = await relay.reaches(id, 'dead_lettered')

  expect(dead).toMatchObject({
    attempts: 1,
    reason: "GitHub answered 422: Required input 'region' not provided",
  })
  const job = await relay.parked(id)
  expect(job).toMatchObject({
    id: `dl-${id}-1`,
    name: 'fraud-detector 5',
    failedReason: dead.reason,
    data: { attempts: [{ attempt: 1, outcome: 'rejected', status: 422, detail: dead.reason }] },
  })
  await relay.idle()
  expect(relay.simulator.dispatches()).toHaveLength(1)
  expect(relay.simulator.runs).toEqual([])
  // The target is free: the next version is tried.
  relay.simulator.setWorkflow('cd_pipeline.yml', { inputs: 'any' })
  expect(await relay.ends(await relay.promote('6'))).toMatchObject({ state: 'deployed' })
})

test('optional inputs that the workflow does not declare are left out, remembered, and make no second run', async () => {
  const inputs = { model_version: {}, model_accuracy: {}, trigger_source: {}, model_name: {} }
  const relay = await startRelay({ simulator: { workflows: [{ file: 'cd_pipeline.yml', inputs }] } })
  const sent = () => relay.simulator.dispatches().map(({ status }) => status)

  const first = await relay.ends(await relay.promote('5'))
  expect(first).toMatchObject({ state: 'deployed', attempts: 2, deadLetters: 0 })
  expect(sent()).toEqual([422, 200])
  expect(relay.simulator.runs).toHaveLength(1)
  expect(Object.keys(relay.simulator.runs[0]?.inputs ?? {}).toSorted()).toEqual([
    'model_accuracy',
    'model_name',
    'model_version',
    'trigger_source',
  ])

  await relay.ends(await relay.promote('6'))
  expect(sent()).toEqual([422, 200, 200])
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('ten promotions of one model during an outage leave one dispatch, of the newest', async () => {
  const relay = await startRelay({ env: { DISPATCH_MAX_ATTEMPTS: '100' }, workers: 0 })
  const outage = await relay.startWorker(overTls(relay))
  const ids: string[] = []
  for (let version = 1; version <= 10; version++) {
    const id = await relay.promote(String(version))
    ids.push(id)
    await until('it was tried, or waits for the outage to end', async () => {
      const { attempts = 0, wait } = (await relay.reader.promotion(id)) ?? {}
      return attempts > 0 || wait !== undefined
    })
  }
  await outage.close()
  await relay.startWorker()

  expect(await relay.ends(ids.at(-1) ?? '')).toMatchObject({ state: 'deployed' })

  await relay.idle()
  expect(relay.versionsRun()).toEqual(['10'])
  for (const id of ids.slice(0, -1)) expect(await relay.ends(id)).toMatchObject({ state: 'superseded' })
})
