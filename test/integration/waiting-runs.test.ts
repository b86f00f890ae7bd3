// Runs that wait for an approval, and runs that were cancelled.
import { expect, test } from 'vitest'
import { type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const CANCELLED = 'The run was cancelled, and no newer version takes its place'

async function setup(options: RelayOptions = {}) {
  const relay = await startRelay({
    ...options,
    simulator: { workflows: [{ file: 'cd_pipeline.yml', needsApproval: true }] },
  })
  const waits = (id: string) =>
    until('its run waits for an approval', async () => {
      const one = await relay.reader.promotion(id)
      return one?.runStatus === 'waiting' ? one : undefined
    })
  const approve = (of: { runId?: string }) => relay.simulator.approve(Number(of.runId))
  return { relay, waits, approve }
}

test('a run that waits for an approval is shown as such, and goes on once it is approved', async () => {
  const { relay, waits, approve } = await setup({ env: { DEPLOY_TIMEOUT_MINUTES: '0.001' } })
  const id = await relay.promote('5')
  const waiting = await waits(id)
  await until('it waits for longer than a run may take', () => Date.now() - (waiting.dispatchedAt ?? 0) > 200)

  approve(waiting)

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
})

test('it is cancelled once a newer version waits for its place, and that one goes', async () => {
  const { relay, waits, approve } = await setup()
  const older = await relay.promote('5')
  await waits(older)

  const newer = await relay.promote('6')

  expect(await relay.ends(older)).toMatchObject({ state: 'cancelled' })
  approve(await waits(newer))
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  expect(relay.lines.filter(({ msg }) => msg === CANCELLED)).toEqual([])
})

test('a run that is under way is not cancelled for a newer version', async () => {
  const { relay, waits, approve } = await setup()
  relay.simulator.setLife({ runMs: 600_000 })
  const older = await relay.promote('5')
  approve(await waits(older))
  await until('it runs', async () => (await relay.reader.promotion(older))?.runStatus === 'in_progress')

  await relay.waitsFor(await relay.promote('6'), 'in_flight')
  const looks = relay.simulator.log.length
  await until('it is looked at again', () => relay.simulator.log.length > looks + 2)

  expect(await relay.reader.promotion(older)).toMatchObject({ state: 'dispatched' })
  expect(relay.simulator.log.filter(({ path }) => path.endsWith('/cancel'))).toEqual([])
})

test('with CANCEL_WAITING_RUNS off the newer version waits for it', async () => {
  const { relay, waits, approve } = await setup({ env: { CANCEL_WAITING_RUNS: 'false' } })
  const older = await relay.promote('5')
  const waiting = await waits(older)
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')
  const looks = relay.simulator.log.length
  await until('it is looked at again', () => relay.simulator.log.length > looks + 2)

  approve(waiting)

  expect(await relay.ends(older)).toMatchObject({ state: 'deployed' })
  approve(await waits(newer))
  await relay.ends(newer)
})

test('a run that somebody cancels without a newer version is an error in the log', async () => {
  const { relay, waits } = await setup()
  const id = await relay.promote('5')
  const { runId } = await waits(id)

  relay.simulator.complete(Number(runId), 'cancelled')

  expect(await relay.ends(id)).toMatchObject({ state: 'cancelled' })
  await until('it is told', () => relay.lines.some(({ msg }) => msg === CANCELLED))
  expect(relay.lines.find(({ msg }) => msg === CANCELLED)).toMatchObject({ level: 'error', promotionId: id })
})
