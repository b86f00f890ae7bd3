// ROLLBACK_ON_FAILURE, end to end: a deployment that fails has what was live deployed again, and is held back.
import { expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const ON = { ROLLBACK_ON_FAILURE: 'true' }

/** Version 5 is live; what runs next ends as told. */
async function setup(conclusion = 'failure', env: object = ON) {
  const relay = await startRelay({ env: { ...env } })
  await relay.ends(await relay.promote('5', { accuracy: 0.93 }))
  relay.simulator.setLife({ conclusion })
  const target = async () => (await relay.reader.targets(10))[0]
  const rollbackOf = (id: string) =>
    until('it is rolled back', async () => (await relay.reader.promotion(id))?.rolledBackBy)
  return { relay, target, rollbackOf }
}

test('version 6 fails after live 5: 5 is deployed once more, 6 is held back until 7 comes', async () => {
  const { relay, target, rollbackOf } = await setup()
  relay.simulator.hold(undefined, 'in_progress')
  const six = await relay.promote('6')
  await until('it runs', () => relay.simulator.runs.length === 2)
  relay.simulator.setLife({ conclusion: 'success' })
  relay.simulator.release()
  expect(await relay.ends(six)).toMatchObject({ state: 'failed' })

  const back = await rollbackOf(six)
  expect(await relay.ends(back)).toMatchObject({ version: '5', parent: six, liveBefore: '5' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6', '5'])
  expect(relay.simulator.runs.at(-1)?.inputs).toMatchObject({
    model_version: '5',
    model_accuracy: '0.93',
    trigger_source: 'automated_rollback',
    promotion_id: back,
  })
  expect(await target()).toMatchObject({ live: '5', hold: { kind: 'rollback', versions: ['6'] } })
  expect(relay.lines.find(({ rollback }) => rollback === back)).toMatchObject({
    level: 'error',
    putBack: '5',
  })

  const again = await relay.producer.promote({ model: 'fraud-detector', version: '6' })
  expect(again).toMatchObject({ status: 'accepted', state: 'skipped' })
  expect(await relay.ends(await relay.promote('7'))).toMatchObject({ state: 'deployed' })
  expect(await target()).toMatchObject({ live: '7' })
  expect((await target())?.hold).toBeUndefined()
  expect(relay.versionsRun()).toEqual(['5', '6', '5', '7'])
})

test('with version 7 accepted meanwhile, 7 goes, and nothing is rolled back', async () => {
  const { relay, target } = await setup()
  relay.simulator.hold(undefined, 'in_progress')
  const six = await relay.promote('6')
  await until('it runs', () => relay.simulator.runs.length === 2)
  const seven = await relay.promote('7')
  relay.simulator.setLife({ conclusion: 'success' })
  relay.simulator.release()
  await relay.ends(six)

  await relay.ends(seven)
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6', '7'])
  expect((await target())?.hold).toBeUndefined()
})

test('a rollback that fails as well is not rolled back', async () => {
  const { relay, target, rollbackOf } = await setup()
  const six = await relay.promote('6')
  const back = await rollbackOf(six)

  expect(await relay.ends(back)).toMatchObject({ state: 'failed' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6', '5'])
  expect(await target()).toMatchObject({ live: '5', hold: { versions: ['6'] } })
})

test.each(['startup_failure', 'cancelled', 'action_required', 'stale'])(
  'a run that was not carried out (%s) is not rolled back',
  async (conclusion) => {
    const { relay, target } = await setup(conclusion)
    await relay.ends(await relay.promote('6'))
    await relay.idle()

    expect(relay.versionsRun()).toEqual(['5', '6'])
    expect((await target())?.hold).toBeUndefined()
  },
)

test('a run past its time limit is rolled back', async () => {
  const { relay, rollbackOf } = await setup('success', { ...ON, DEPLOY_TIMEOUT_MINUTES: '0.005' })
  relay.simulator.hold(undefined, 'in_progress')
  const six = await relay.promote('6')

  expect(await relay.ends(six)).toMatchObject({ state: 'timed_out' })
  relay.simulator.release()
  expect(await relay.reader.promotion(await rollbackOf(six))).toMatchObject({ version: '5' })
})

test('off, as it is by default, a failed deployment is left to people', async () => {
  const { relay, target } = await setup('failure', {})
  await relay.ends(await relay.promote('6'))
  await relay.idle()

  expect(relay.versionsRun()).toEqual(['5', '6'])
  expect(await target()).toMatchObject({ live: '5' })
})
