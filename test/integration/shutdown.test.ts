// Real worker processes, ended by signals in the middle of their work.
import { expect, test } from 'vitest'
import { type Relay, startRelay } from '../support/relay.ts'
import { startProcess, startWorkerProcess } from '../support/relay-process.ts'
import { until } from '../support/until.ts'

const CLI = new URL('../../cli.ts', import.meta.url).pathname

/** Quick to notice that a worker has died. */
const STALLS = {
  lockMs: 600,
  stalledCheckMs: 100,
  uncertainMs: 1_000,
  sweepMs: 100,
  settleMs: 0,
  resolveMs: 50,
  recheckMs: 1_000,
}

const work = (relay: Relay) => startProcess(relay, [CLI, 'work'])
function inTheAir(relay: Relay) {
  return until('the dispatch is in the air', () => relay.simulator.runs.length === 1)
}

test('an idle worker ends in order at SIGTERM', async () => {
  const relay = await startRelay({ workers: 0 })
  const { child, exit, output } = await work(relay)
  await until('it is at work', () => output().includes('The worker is at work'))

  child.kill('SIGTERM')

  expect(await exit).toEqual([0, null])
})

test('SIGTERM with a dispatch in the air: its answer is still recorded, and the worker ends in order', async () => {
  const relay = await startRelay({ workers: 0 })
  relay.simulator.hold()
  relay.simulator.fault({ kind: 'slow', delayMs: 1_000 })
  const { child, exit, output } = await work(relay)
  const id = await relay.promote('5')
  await inTheAir(relay)

  child.kill('SIGTERM')

  expect(await exit).toEqual([0, null])
  expect(await relay.reader.promotion(id)).toMatchObject({
    state: 'dispatched',
    runId: String(relay.simulator.runs[0]?.id),
  })
  expect(output()).toContain('Successfully triggered CD pipeline')
  relay.simulator.release()
  await relay.startWorker()
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  expect(relay.simulator.runs).toHaveLength(1)
  expect(relay.simulator.dispatches()).toHaveLength(1)
})

test('a second signal ends the worker at once', async () => {
  const relay = await startRelay({ workers: 0 })
  relay.simulator.fault({ kind: 'slow', delayMs: 25_000 })
  const { child, exit } = await work(relay)
  await relay.promote('5')
  await inTheAir(relay)

  // Within a second a further signal counts as the same one.
  await until('it has ended', () => !child.kill('SIGTERM'), 10_000)

  expect(await exit).toEqual([1, null])
})

test('kill -9 with a dispatch in the air: another worker finds its run, and never sends a second one', async () => {
  const relay = await startRelay({ workers: 0, pauses: STALLS })
  relay.simulator.fault({ kind: 'slow', delayMs: 20_000 })
  const { child, exit } = await startWorkerProcess(relay, STALLS)
  const id = await relay.promote('5')
  await inTheAir(relay)

  child.kill('SIGKILL')
  expect(await exit).toEqual([null, 'SIGKILL'])
  await relay.startWorker()

  const runId = String(relay.simulator.runs[0]?.id)
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1, deadLetters: 0, runId })
  const told = (await relay.reader.timeline(id)).map(({ what }) => what)
  expect(told).toEqual(expect.arrayContaining(['in_doubt', 'found']))
  await relay.idle()
  expect(relay.simulator.dispatches()).toHaveLength(1)
  expect(relay.simulator.runs).toHaveLength(1)
})

test('a worker stopped with a dispatch in the air wakes when another has taken over: there is one run', async () => {
  const relay = await startRelay({ workers: 0, pauses: STALLS })
  relay.simulator.hold()
  relay.simulator.fault({ kind: 'slow', delayMs: 300 })
  const { child } = await startWorkerProcess(relay, STALLS)
  const id = await relay.promote('5')
  await inTheAir(relay)
  child.kill('SIGSTOP')
  await relay.startWorker()
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')
  await until('its run has been found', async () =>
    (await relay.reader.timeline(id)).some(({ what }) => what === 'found'),
  )

  child.kill('SIGCONT')
  relay.simulator.release()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1, deadLetters: 0 })
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('of many promotions none is lost and none doubled while workers are killed one after another', async () => {
  // What was killed between its intent and its call is soon known to be absent.
  const QUICK = { ...STALLS, sendDeadlineMs: 1_000, dispatchTimeoutMs: 1_000, uncertainMs: 2_500 }
  const relay = await startRelay({ workers: 0, pauses: QUICK, simulator: { runMs: 100 } })
  const ids = await Promise.all(
    Array.from({ length: 12 }, (_, n) => relay.promote('1', { model: `model-${n}` })),
  )
  for (let killed = 1; killed <= 3; killed++) {
    const { child, exit } = await startWorkerProcess(relay, QUICK)
    await until('it has dispatched', () => relay.simulator.runs.length >= killed * 2)
    child.kill('SIGKILL')
    await exit
  }
  await relay.startWorker()

  for (const id of ids) expect(await relay.ends(id, 30_000)).toMatchObject({ state: 'deployed' })
  await relay.idle()

  const sent = relay.simulator.runs.map(({ inputs }) => inputs.promotion_id)
  expect(sent.toSorted()).toEqual(ids.toSorted())
}, 60_000)
