import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LogEntry, Simulator } from '../github-simulator/simulator.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

/** A probe is given up for lost soon, so that the others need not wait for it. */
const pauses = { dispatchTimeoutMs: 800, uncertainMs: 1_200, circuitPauseMs: 20 }
/** A fault of the repository must not spend attempts: with two of them it would be seen at once. */
const env = { DISPATCH_MAX_ATTEMPTS: '2' }
const REPOSITORY = '/repos/acme/models'

async function secretFile(text: string) {
  const dir = await mkdtemp(path.join(tmpdir(), 'relay-secret-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const file = path.join(dir, 'token')
  await writeFile(file, text)
  return { file, write: (changed: string) => writeFile(file, changed) }
}

function refusals(relay: Relay): LogEntry[] {
  return relay.simulator.dispatches().filter(({ status }) => status >= 400)
}

function probes(relay: Relay): object[] {
  return relay.lines.filter(({ msg }) => msg === 'A circuit was probed')
}

async function waitsBehindCircuit(relay: Relay, id: string, reason: string): Promise<void> {
  await until('the circuit has been probed more often than attempts are allowed', () => {
    return probes(relay).length >= 4
  })
  const waiting = await relay.waitsFor(id, 'circuit')
  expect(waiting).toMatchObject({ state: 'accepted', deadLetters: 0 })
  expect(await relay.redis.hget(`{relay:0}:promotion:${id}`, 'spent')).toBe('0')
  const [circuit, ...more] = await relay.reader.openCircuits()
  expect(circuit).toMatchObject({ reason, number: 1 })
  expect(more).toEqual([])
  const entry = await relay.circuitParked()
  expect(entry.failedReason).toContain(`${circuit?.scope}: ${reason.replaceAll('_', ' ')} (`)
  expect(await relay.queues.deadLetters.getJobCountByTypes('failed', 'waiting')).toBe(1)
}

async function flowsAgain(relay: Relay, ...ids: string[]): Promise<void> {
  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', deadLetters: 0 })
  expect(await relay.reader.openCircuits()).toEqual([])
  await until('its entry is gone', async () => (await relay.queues.deadLetters.getFailedCount()) === 0)
  await relay.idle()
  expect(relay.simulator.runs).toHaveLength(ids.length)
}

test('a wrong token makes promotions wait, and they flow by themselves once the token file is mended', async () => {
  const token = await secretFile('ghp_expired-token-1\n')
  const relay = await startRelay({
    simulator: { token: 'ghp_renewed-token-2' },
    env: { ...env, GITHUB_TOKEN: undefined, GITHUB_TOKEN_FILE: token.file },
    pauses,
  })
  const id = await relay.promote('5')
  await waitsBehindCircuit(relay, id, 'credentials')
  expect((await relay.waitsFor(id, 'circuit')).wait?.detail).toMatch(/Bad credentials/)
  const other = await relay.promote('1', { model: 'churn' })
  await relay.waitsFor(other, 'circuit')

  await token.write('ghp_renewed-token-2\n')

  await flowsAgain(relay, id, other)
})

test('it is probed by reading alone, with pauses that grow: nothing is sent meanwhile', async () => {
  const relay = await startRelay({
    pauses: { ...pauses, circuitPauseMs: 100 },
    env: { ...env, GITHUB_TOKEN: 'ghp_wrong-token-1' },
    simulator: { token: 'ghp_right-token-2' },
  })
  await relay.promote('5')
  const read = () => relay.simulator.log.filter(({ method, path }) => method === 'GET' && path === REPOSITORY)
  await until('it was probed four times', () => read().length >= 4)

  expect(refusals(relay)).toHaveLength(1)
  expect(relay.simulator.log.every(({ status }) => status === 401)).toBe(true)
  const at = [...refusals(relay), ...read()].map((entry) => entry.at)
  for (const [n, pauseMs] of [100, 200, 400, 800].entries())
    expect((at[n + 1] ?? 0) - (at[n] ?? 0)).toBeGreaterThanOrEqual(pauseMs - 5)
})

const CHANGES: [string, string, (simulator: Simulator) => void, (simulator: Simulator) => void][] = [
  [
    'a disabled workflow',
    'workflow_disabled',
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' }),
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { state: 'active' }),
  ],
  [
    'a ref that is not there',
    'bad_ref',
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { refs: ['trunk'] }),
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { refs: ['trunk', 'main'] }),
  ],
  [
    'a workflow without its trigger',
    'no_trigger',
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { trigger: false }),
    ({ setWorkflow }) => setWorkflow('cd_pipeline.yml', { trigger: true }),
  ],
  [
    'a missing permission',
    'permission',
    ({ fault }) => fault({ kind: 'status-before', status: 403, times: Number.POSITIVE_INFINITY }),
    ({ clearFaults }) => clearFaults(),
  ],
]

test.each(CHANGES)('%s makes promotions wait until it is mended', async (_, reason, spoil, mend) => {
  const relay = await startRelay({ env, pauses })
  spoil(relay.simulator)
  const id = await relay.promote('5')
  await waitsBehindCircuit(relay, id, reason)

  mend(relay.simulator)

  await flowsAgain(relay, id)
})

test.each([
  ['workflow', { CD_WORKFLOW_NAME: 'other.yml' }, 'workflow_missing'],
  ['repository', { GITHUB_REPO_NAME: 'other' }, 'repository_missing'],
] as const)('promotions wait for a %s that is not there', async (_, elsewhere, reason) => {
  const relay = await startRelay({ env: { ...env, ...elsewhere }, pauses })

  await waitsBehindCircuit(relay, await relay.promote('5'), reason)
})

test('a throttled relay sends nothing before retry-after is over', async () => {
  const relay = await startRelay({ env, pauses })
  const headers = { 'retry-after': '1' }
  relay.simulator.fault({ kind: 'status-before', status: 429, headers })
  const id = await relay.promote('5')
  await relay.waitsFor(id, 'circuit')
  expect(await relay.reader.openCircuits()).toMatchObject([{ reason: 'throttled' }])

  await flowsAgain(relay, id)

  const sent = relay.simulator.dispatches()
  expect(sent.map(({ status }) => status)).toEqual([429, 200])
  expect((sent[1]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeGreaterThanOrEqual(998)
})

test('a used-up rate limit is waited for until its reset', async () => {
  const limited = { rateLimit: 1, rateLimitWindowMs: 1_500 }
  const relay = await startRelay({
    env: { ...env, TRACK_INTERVAL_SECONDS: '10' },
    pauses,
    simulator: limited,
  })
  await relay.reaches(await relay.promote('1', { model: 'churn' }), 'dispatched')
  const id = await relay.promote('5')

  await relay.waitsFor(id, 'circuit')
  await relay.reaches(id, 'dispatched')

  const [, refused, taken, ...more] = relay.simulator.dispatches()
  expect(refused?.status).toBe(403)
  expect(taken?.status).toBe(200)
  expect(more).toEqual([])
})

test('a promotion that a circuit holds up gives way to a newer one of its target', async () => {
  const relay = await startRelay({ env, pauses })
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' })
  const older = await relay.promote('5')
  await relay.waitsFor(older, 'circuit')
  const newer = await relay.promote('6')
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'active' })

  await relay.ends(newer)
  await relay.idle()

  expect(await relay.ends(older)).toMatchObject({ state: 'superseded' })
  expect(relay.versionsRun()).toEqual(['6'])
})

test('the entry among the dead letters says what is wrong, how many wait, and goes when the circuit closes', async () => {
  const relay = await startRelay({ env, pauses, workers: 0, simulator: { token: 'ghp_right-token-2' } })
  const ids: string[] = []
  for (const model of ['a', 'b', 'c']) ids.push(await relay.promote('1', { model }))
  const worker = { ...env, GITHUB_TOKEN: 'ghp_wrong-token-1', WORKER_CONCURRENCY: '1' }
  const wrong = await relay.startWorker({ env: worker, pauses: { probeMs: 60_000 } })

  const entry = await relay.circuitParked()

  const reason = 'acme/models: credentials (GitHub answered 401: Bad credentials), 3 promotions wait'
  expect(entry).toMatchObject({
    name: 'circuit acme/models',
    failedReason: reason,
    attemptsMade: 1,
    data: { reason, circuit: 'acme/models', opening: 1, next: expect.stringContaining('by themselves') },
  })
  await wrong.close()
  await relay.startWorker({ env: { GITHUB_TOKEN: 'ghp_right-token-2' } })
  await flowsAgain(relay, ...ids)
})

test('Retry on the entry of a circuit probes at once: mended, everything flows', async () => {
  const relay = await startRelay({ env, pauses: { ...pauses, circuitPauseMs: 600_000, recheckMs: 600_000 } })
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' })
  const id = await relay.promote('5')
  const entry = await relay.circuitParked()
  await relay.waitsFor(id, 'circuit')
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'active' })

  await entry.retry('failed')

  await flowsAgain(relay, id)
  expect(probes(relay)).toHaveLength(1)
  expect(relay.simulator.dispatches().map(({ status }) => status)).toEqual([422, 200])
})

test('Retry on the entry of a circuit that is not mended puts it back under Failed and says why', async () => {
  const relay = await startRelay({ env, pauses: { ...pauses, circuitPauseMs: 600_000, recheckMs: 600_000 } })
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' })
  const id = await relay.promote('5')
  const entry = await relay.circuitParked()

  await entry.retry('failed')

  const again = await until('it is back under Failed', async () => {
    const job = await relay.queues.deadLetters.getJob(entry.id ?? '')
    return job?.attemptsMade === 2 && (await job.isFailed()) && job
  })
  expect(again.failedReason).toMatch(/probed again: the workflow is disabled_manually$/)
  expect(await relay.waitsFor(id, 'circuit')).toMatchObject({ state: 'accepted' })
  expect(relay.simulator.dispatches()).toHaveLength(1)
})

test('a circuit that opens again has a second entry of its own', async () => {
  const relay = await startRelay({ env, pauses })
  const disabled = (state: 'disabled_manually' | 'active') =>
    relay.simulator.setWorkflow('cd_pipeline.yml', { state })
  disabled('disabled_manually')
  const first = await relay.promote('5')
  expect((await relay.circuitParked()).data).toMatchObject({ opening: 1 })
  disabled('active')
  await flowsAgain(relay, first)

  disabled('disabled_manually')
  const second = await relay.promote('6')
  expect((await relay.circuitParked()).data).toMatchObject({ opening: 2 })
  disabled('active')

  await flowsAgain(relay, first, second)
})

test('three faults in a row open the circuit of the repository; what waits behind it spends no attempt', async () => {
  const relay = await startRelay({ env: { DISPATCH_MAX_ATTEMPTS: '3' }, workers: 0 })
  const quick = { sendDeadlineMs: 500, dispatchTimeoutMs: 500 }
  const faults = 3
  // Proven: unknown outcomes of several at once can be told apart.
  const first = await relay.startWorker()
  const proof = await relay.promote('1', { model: 'proof' })
  await relay.ends(proof)
  await first.close()
  relay.simulator.fault({ kind: 'status-before', status: 500, times: faults })
  relay.simulator.fault({ kind: 'status-before', status: 500, on: 'repository', times: 1_000 })
  const ids: string[] = []
  for (const model of ['a', 'b', 'c', 'd', 'e', 'f']) ids.push(await relay.promote('1', { model }))
  await relay.startWorker({ env: { WORKER_CONCURRENCY: '1' }, pauses: quick })

  const entry = await relay.circuitParked()
  expect(entry.failedReason).toMatch(/^acme\/models: outage \(GitHub answered 500/)
  for (const id of ids.slice(faults)) await relay.waitsFor(id, 'circuit')
  await until('it was probed three times', () => probes(relay).length >= 3)
  expect(refusals(relay)).toHaveLength(faults)
  const attempts = await Promise.all(ids.map(async (id) => (await relay.reader.promotion(id))?.attempts))
  expect(attempts).toEqual([1, 1, 1, 0, 0, 0])

  relay.simulator.clearFaults()

  await flowsAgain(relay, proof, ...ids)
  const spent = await Promise.all(
    ids.slice(faults).map(async (id) => (await relay.reader.promotion(id))?.attempts),
  )
  expect(spent).toEqual([1, 1, 1])
})

test('when a circuit closes, those that wait behind it go at once, and not when they would have looked again', async () => {
  const relay = await startRelay({ env, pauses: { ...pauses, recheckMs: 600_000 } })
  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' })
  const ids: string[] = []
  for (const model of ['a', 'b', 'c', 'd']) ids.push(await relay.promote('1', { model }))
  for (const id of ids) await relay.waitsFor(id, 'circuit')

  relay.simulator.setWorkflow('cd_pipeline.yml', { state: 'active' })

  await flowsAgain(relay, ...ids)
})
