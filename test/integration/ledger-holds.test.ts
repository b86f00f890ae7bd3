// Holds on a target and rollbacks, in the ledger alone.
import { v7 as uuidv7 } from 'uuid'
import { expect, test } from 'vitest'
import { rollbackIdOf } from '../../shared/ledger/rollback-id.ts'
import { setup as startLedger } from './ledger-setup.ts'

const TARGET = { model: 'fraud-detector', environment: 'production' }
const ALICE = { ...TARGET, by: 'alice' }
/** Of now, as producers make them: it is the promotion's own that its rollback's id is made of. */
const FAILED = uuidv7()
const BACK = rollbackIdOf(FAILED)

async function setup() {
  const it = await startLedger()
  const hold = async () => (await it.reader.target(TARGET))?.hold
  const fails = (id: string, run: string, more: { runAttempt?: number; rollbackId?: string } = {}) =>
    it.ledger.finish({
      ...{
        id,
        runId: run,
        runUrl: '',
        runAttempt: 1,
        state: 'failed',
        conclusion: 'failure',
        rollbackId: BACK,
      },
      ...more,
    })
  return { ...it, hold, fails }
}

/** Version 5 is live, version 6 has failed and is rolled back. */
async function rolledBack() {
  const it = await setup()
  const five = await it.deployed('5', { accuracy: 0.93, metrics: { auc: 0.97 } })
  const { run } = await it.dispatched('6', { id: FAILED })
  const finished = await it.fails(FAILED, run)
  return { ...it, five, run, finished }
}

test('a failed deployment has the live version accepted again, and is itself held back, in one step', async () => {
  const { finished, promotion, hold, target, told, reader, state } = await rolledBack()

  expect(finished).toMatchObject({ finished: true, state: 'failed', rollback: { id: BACK, version: '5' } })
  expect(finished.wake?.id).toBe(BACK)
  expect(await promotion(BACK)).toMatchObject({
    state: 'accepted',
    version: '5',
    accuracy: 0.93,
    metrics: { auc: 0.97 },
    source: 'automated_rollback',
    rollback: true,
    parent: FAILED,
    liveBefore: '5',
  })
  expect(await promotion(FAILED)).toMatchObject({ rolledBackBy: BACK })
  expect(await told(FAILED)).toContain('rolled_back')
  expect(await hold()).toMatchObject({
    kind: 'rollback',
    versions: ['6'],
    passes: BACK,
    by: 'automated rollback',
  })
  expect(await target()).toMatchObject({ live: '5', pending: BACK, newest: BACK, inFlight: '' })
  expect(await reader.counters()).toMatchObject({ 'rollbacks:automated': 1 })
  expect(await reader.holds()).toEqual({ person: 0, rollback: 1 })
  expect(await state(BACK)).toBe('accepted')
})

test('its end told twice makes one rollback, and names whom to wake again', async () => {
  const { fails, run, reader } = await rolledBack()

  expect(await fails(FAILED, run)).toMatchObject({ finished: false, wake: { id: BACK } })
  expect(await reader.newest(10)).toHaveLength(3)
})

test('the rollback goes although the target is held', async () => {
  const { claim, end, finish, hold, target } = await rolledBack()

  expect(await claim(BACK)).toMatchObject({ kind: 'go' })
  await end(BACK, { kind: 'track', runId: '77', runUrl: '' })
  await finish(BACK, '77')

  expect(await target()).toMatchObject({ live: '5', livePromotion: BACK, pending: '' })
  expect(await hold()).toMatchObject({ versions: ['6'] })
})

test('never a rollback of a rollback', async () => {
  const { claim, end, fails, target, reader } = await rolledBack()
  await claim(BACK)
  await end(BACK, { kind: 'track', runId: '77', runUrl: '' })

  const finished = await fails(BACK, '77', { rollbackId: rollbackIdOf(BACK) })

  expect(finished).toMatchObject({ finished: true, state: 'failed' })
  expect(finished.rollback).toBeUndefined()
  expect(await target()).toMatchObject({ live: '5', pending: '' })
  expect(await reader.newest(10)).toHaveLength(3)
})

test('the version that was rolled back from is skipped when it is offered again, once', async () => {
  const { accept, promotion, target, hold } = await rolledBack()

  const again = await accept('6')
  expect(again).toMatchObject({ status: 'accepted', state: 'skipped' })
  expect((await promotion(again.id)).reason).toContain('rolled back from')
  expect(await accept('6')).toMatchObject({ status: 'duplicate', id: again.id, state: 'skipped' })
  expect(await accept('6', { rollback: true })).toMatchObject({ state: 'skipped' })
  expect(await target()).toMatchObject({ pending: BACK, newest: BACK })
  expect(await hold()).toMatchObject({ versions: ['6'] })
})

test('a newer version ends the hold and takes the place of the rollback', async () => {
  const { accept, claim, hold, state } = await rolledBack()

  const newer = await accept('7')

  expect(newer).toMatchObject({ status: 'accepted', state: 'accepted' })
  expect(await hold()).toBeUndefined()
  expect(await state(BACK)).toBe('superseded')
  expect(await claim(newer.id)).toMatchObject({ kind: 'go' })
})

test('a person releases the target: the version may be offered again', async () => {
  const { accept, ledger, hold, told, claim, end, finish } = await rolledBack()
  await claim(BACK)
  await end(BACK, { kind: 'track', runId: '77', runUrl: '' })
  await finish(BACK, '77')

  expect(await ledger.release({ ...ALICE, why: 'mended' })).toEqual({ kind: 'released' })

  expect(await hold()).toBeUndefined()
  expect(await told(BACK)).toContain('released')
  expect(await accept('6')).toMatchObject({ status: 'accepted', state: 'accepted' })
  expect(await ledger.release(ALICE)).toEqual({ kind: 'not_held' })
})

test('no rollback where a newer one is pending: that one goes', async () => {
  const { deployed, dispatched, accept, fails, hold } = await setup()
  await deployed('5')
  const { run } = await dispatched('6', { id: FAILED })
  const newer = await accept('7')

  const finished = await fails(FAILED, run)

  expect(finished).toMatchObject({ finished: true, wake: { id: newer.id } })
  expect(finished.rollback).toBeUndefined()
  expect(await hold()).toBeUndefined()
})

test('no rollback where nothing was live, where the live version itself failed, or where a person holds the target', async () => {
  const first = await setup()
  const { run } = await first.dispatched('6', { id: FAILED })
  expect((await first.fails(FAILED, run)).rollback).toBeUndefined()

  const same = await setup()
  await same.deployed('5')
  const redeployed = await same.dispatched('5', { id: FAILED, key: 'once more' })
  expect((await same.fails(FAILED, redeployed.run)).rollback).toBeUndefined()

  const held = await setup()
  await held.deployed('5')
  const six = await held.dispatched('6', { id: FAILED })
  await held.ledger.hold(ALICE)
  expect((await held.fails(FAILED, six.run)).rollback).toBeUndefined()
  expect(await held.hold()).toMatchObject({ kind: 'person', by: 'alice' })
})

test('a rollback whose first record Redis has lost is looked for before it is sent', async () => {
  const { deployed, dispatched, fails, claim } = await setup()
  await deployed('5')
  // Made before this Redis was started.
  const old = '01900000-0000-7000-8000-000000000006'
  const { run } = await dispatched('6', { id: old })

  await fails(old, run, { rollbackId: rollbackIdOf(old) })

  expect(await claim(rollbackIdOf(old))).toMatchObject({ kind: 'wait', code: 'resolving' })
})

test('a person who runs the failed version again with success ends the hold and the rollback that waits', async () => {
  const { ledger, hold, run, state, target, accept } = await rolledBack()

  const again = {
    id: FAILED,
    runId: run,
    runAttempt: 2,
    success: true,
    conclusion: 'success',
    updatedAt: 9e12,
  }
  expect(await ledger.rerun(again)).toEqual({ kind: 'noted', live: '5' })

  expect(await hold()).toBeUndefined()
  expect(await state(BACK)).toBe('superseded')
  expect(await target()).toMatchObject({ live: '6', previous: '5', pending: '', newest: FAILED })
  expect(await accept('6')).toMatchObject({ status: 'duplicate', id: FAILED })
})

test('a person holds a target: what comes is accepted and waits, and goes once it is released', async () => {
  const { deployed, accept, claim, ledger, told, hold } = await setup()
  const five = await deployed('5')

  expect(await ledger.hold({ ...ALICE, why: 'audit' })).toEqual({ kind: 'held' })
  expect(await ledger.hold({ ...ALICE, why: 'audit' })).toEqual({ kind: 'held' })
  expect((await told(five)).filter((what) => what === 'held')).toHaveLength(1)

  const { id } = await accept('6')
  expect(await claim(id)).toMatchObject({ kind: 'wait', code: 'held', detail: 'alice: audit' })
  expect(await hold()).toMatchObject({ kind: 'person', why: 'audit' })

  const released = await ledger.release(ALICE)
  expect(released).toMatchObject({ kind: 'released', wake: { id } })
  expect(await claim(id)).toMatchObject({ kind: 'go' })
})

test('nobody holds or releases a target that was never promoted to', async () => {
  const { ledger } = await setup()

  expect(await ledger.hold(ALICE)).toEqual({ kind: 'unknown' })
  expect(await ledger.release(ALICE)).toEqual({ kind: 'unknown' })
  expect(await ledger.rollback('r', ALICE)).toEqual({ status: 'refused', why: 'unknown' })
})

test('a person rolls back to what was live before, and by name further back; what was left stays blocked', async () => {
  const { deployed, ledger, claim, end, finish, hold, target, accept, promotion } = await setup()
  for (const version of ['4', '5', '6']) await deployed(version, { accuracy: Number(version) / 10 })
  const goes = async (id: string, run: string) => {
    await claim(id)
    await end(id, { kind: 'track', runId: run, runUrl: '' })
    await finish(id, run)
  }

  expect(await ledger.rollback('r-1', { ...ALICE, why: 'too many refusals' })).toMatchObject({
    status: 'accepted',
    id: 'r-1',
    version: '5',
  })
  expect(await ledger.rollback('r-1', ALICE)).toMatchObject({ status: 'accepted', id: 'r-1' })
  expect(await ledger.rollback('r-2', ALICE)).toMatchObject({ status: 'duplicate', id: 'r-1' })
  expect(await promotion('r-1')).toMatchObject({ source: 'manual_rollback', rollback: true, accuracy: 0.5 })
  await goes('r-1', '71')
  expect(await target()).toMatchObject({ live: '5', previous: '6' })
  expect(await hold()).toMatchObject({
    kind: 'rollback',
    versions: ['6'],
    by: 'alice',
    why: 'too many refusals',
  })

  expect(await ledger.rollback('r-3', ALICE)).toEqual({ status: 'refused', why: 'blocked', version: '6' })
  expect(await ledger.rollback('r-4', { ...ALICE, to: '4' })).toMatchObject({
    status: 'accepted',
    version: '4',
  })
  await goes('r-4', '74')

  expect(await target()).toMatchObject({ live: '4', previous: '5' })
  expect(await hold()).toMatchObject({ versions: ['6', '5'] })
  expect(await accept('6', { key: 'again' })).toMatchObject({ state: 'skipped' })
  expect(await ledger.rollback('r-5', { ...ALICE, to: '6' })).toMatchObject({
    status: 'accepted',
    version: '6',
  })
  expect(await hold()).toMatchObject({ versions: ['5', '4'] })
})

test('a person who rolls back and then thinks better of it is not stopped by the first word', async () => {
  const { deployed, ledger, claim, hold } = await setup()
  await deployed('4')
  await deployed('5')
  await ledger.rollback('r-1', ALICE)
  expect(await hold()).toMatchObject({ versions: ['5'] })

  expect(await ledger.rollback('r-2', { ...ALICE, to: '5' })).toMatchObject({ status: 'accepted' })

  expect(await hold()).toBeUndefined()
  expect(await claim('r-2')).toMatchObject({ kind: 'go' })
})

test('a rollback while a later version is on its way goes to what is live, after it', async () => {
  const { deployed, dispatched, ledger, claim, fails } = await setup()
  await deployed('5')
  const six = await dispatched('6', { id: FAILED })

  expect(await ledger.rollback('r', ALICE)).toMatchObject({ status: 'accepted', version: '5' })
  expect(await claim('r')).toMatchObject({ kind: 'wait', code: 'in_flight' })

  const finished = await fails(FAILED, six.run)
  expect(finished.rollback).toBeUndefined()
  expect(finished.wake?.id).toBe('r')
  expect(await claim('r')).toMatchObject({ kind: 'go' })
})

test('a person’s rollback goes in a target that a person holds; nothing else does', async () => {
  const { deployed, ledger, claim, accept, hold } = await setup()
  await deployed('5')
  await deployed('6')
  await ledger.hold({ ...ALICE, why: 'incident' })

  await ledger.rollback('r', { ...ALICE, by: 'bob' })

  expect(await claim('r')).toMatchObject({ kind: 'go' })
  expect(await hold()).toMatchObject({ kind: 'person', by: 'alice', versions: ['6'], passes: 'r' })
  const newer = await accept('7')
  expect(await hold()).toMatchObject({ kind: 'person', by: 'alice' })
  expect((await hold())?.versions).toBeUndefined()
  expect(await claim(newer.id)).toMatchObject({ kind: 'wait', code: 'held' })
})

test('with nothing before it there is nothing to roll back to', async () => {
  const { deployed, ledger } = await setup()
  await deployed('5')

  expect(await ledger.rollback('r', ALICE)).toEqual({ status: 'refused', why: 'nothing_before' })
})
