import { expect, test } from 'vitest'
import { setup as ledgerSetup } from './ledger-setup.ts'

async function setup() {
  const ledger = await ledgerSetup()
  /** Buried under a former run of Redis: what came of it since may be forgotten. */
  async function buriedBefore(version: string): Promise<string> {
    const id = await ledger.deadLettered(version)
    await ledger.redis.hset(ledger.key('promotion', id), 'epoch', 'a former run')
    return id
  }
  return { ...ledger, buriedBefore }
}

test('a dead letter that is discarded ends, and is not sent by anything that comes later', async () => {
  const { deadLettered, ledger, claim, promotion, target, reader } = await setup()
  const id = await deadLettered('5')

  expect(await ledger.discard(id, 1, 'eve', 'trained on the wrong data')).toEqual({ kind: 'discarded' })

  const reason = 'discarded by eve: trained on the wrong data'
  expect(await promotion(id)).toMatchObject({ state: 'skipped', reason })
  expect((await reader.timeline(id)).at(-1)).toMatchObject({ what: 'skipped', reason })
  expect(await reader.idsIn('dead_lettered')).toEqual([])
  expect(await target()).toMatchObject({ inFlight: '', pending: '' })
  expect(await claim(id, { token: 't2' })).toEqual({ kind: 'done', state: 'skipped' })
  expect(await ledger.redrive(id, 1, 'bob')).toEqual({ kind: 'settled', state: 'skipped' })
  expect(await promotion(id)).toMatchObject({ state: 'skipped', reason })
})

test('discarded twice it is discarded once; the same version can be promoted again', async () => {
  const { deadLettered, ledger, accept, claim, told } = await setup()
  const id = await deadLettered('5')
  await ledger.discard(id, 1, 'eve')

  expect(await ledger.discard(id, 1, 'bob')).toEqual({ kind: 'discarded' })
  expect((await told(id)).filter((what) => what === 'skipped')).toHaveLength(1)

  const again = await accept('5')
  expect(again).toMatchObject({ status: 'accepted' })
  expect(await claim(again.id)).toMatchObject({ kind: 'go' })
})

test('of a redrive and a discard at the same time one counts, and the other is told', async () => {
  const { deadLettered, ledger, promotion } = await setup()
  const id = await deadLettered('5')

  const [redriven, discarded] = await Promise.all([
    ledger.redrive(id, 1, 'eve'),
    ledger.discard(id, 1, 'bob'),
  ])

  expect(redriven).toMatchObject({ kind: 'accepted' })
  expect(discarded).toEqual({ kind: 'settled', state: 'accepted' })
  expect(await promotion(id)).toMatchObject({ state: 'accepted' })
})

test('what is unresolved, another dead letter, or none, is not discarded', async () => {
  const { unresolved, deadLettered, accept, ledger, promotion } = await setup()
  const unknown = await unresolved('5')
  expect(await ledger.discard(unknown, 1, 'eve')).toEqual({ kind: 'unresolved' })
  expect(await promotion(unknown)).toMatchObject({ state: 'unresolved' })

  const dead = await deadLettered('5', { model: 'other' })
  expect(await ledger.discard(dead, 2, 'eve')).toEqual({ kind: 'settled', state: 'dead_lettered' })
  const { id } = await accept('5', { model: 'third' })
  expect(await ledger.discard(id, 0, 'eve')).toEqual({ kind: 'settled', state: 'accepted' })
  expect(await ledger.discard('none', 1, 'eve')).toEqual({ kind: 'settled', state: 'unknown' })
})

test('Redis was restarted since: its run is looked for, a newer one waits, and without a run it ends discarded', async () => {
  const { buriedBefore, accept, ledger, claim, look, promotion } = await setup()
  const id = await buriedBefore('5')

  expect(await ledger.previewDiscard(id, 1)).toEqual({ kind: 'looked_for' })
  expect(await ledger.discard(id, 1, 'eve')).toMatchObject({ kind: 'looked_for' })
  expect(await promotion(id)).toMatchObject({ state: 'accepted' })
  const newer = await accept('6')
  expect(await claim(newer.id, { token: 't6' })).toMatchObject({ kind: 'wait', code: 'resolving_other' })

  expect(await claim(id, { token: 't5' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await look(id, { kind: 'not_listed' })).toEqual({
    kind: 'discarded',
    wake: { id: newer.id, job: 2 },
  })
  expect(await promotion(id)).toMatchObject({ state: 'skipped', reason: 'discarded by eve' })
  expect(await claim(newer.id, { token: 't6' })).toMatchObject({ kind: 'go' })
})

test('Redis was restarted since, and a run of it is found: that is followed', async () => {
  const { buriedBefore, ledger, claim, look, promotion } = await setup()
  const id = await buriedBefore('5')
  await ledger.discard(id, 1, 'eve')
  await claim(id, { token: 't5' })

  expect(await look(id, { kind: 'found', runId: '77', runUrl: 'https://ci/77' })).toMatchObject({
    kind: 'track',
  })
  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77' })
})

test('a preview says what would come of it, and changes nothing', async () => {
  const { deadLettered, unresolved, accept, ledger, promotion, reader } = await setup()
  const id = await deadLettered('5')
  const before = [await promotion(id), await reader.timeline(id)]
  expect(await ledger.previewRedrive(id, 1)).toEqual({ kind: 'accepted' })
  expect(await ledger.previewDiscard(id, 1)).toEqual({ kind: 'discarded' })
  const newer = await accept('6')
  expect(await ledger.previewRedrive(id, 1)).toEqual({ kind: 'superseded', by: newer.id, version: '6' })
  expect(await ledger.previewRedrive(id, 2)).toEqual({ kind: 'settled', state: 'dead_lettered' })
  expect([await promotion(id), await reader.timeline(id)]).toEqual(before)

  const unknown = await unresolved('5', { model: 'other' })
  expect(await ledger.previewRedrive(unknown, 1)).toEqual({ kind: 'resolving' })
  expect(await ledger.previewDiscard(unknown, 1)).toEqual({ kind: 'unresolved' })
  expect(await promotion(unknown)).toMatchObject({ state: 'unresolved' })
})

test('one that was discarded and may have a run is unresolved where nobody can tell; absent, it ends discarded', async () => {
  const { buriedBefore, ledger, claim, look, promotion } = await setup()
  const id = await buriedBefore('5')
  await ledger.discard(id, 1, 'eve')
  await claim(id, { token: 't5' })
  expect(await look(id, { kind: 'unexplained', detail: 'a run' })).toMatchObject({ kind: 'unresolved' })

  // Looked for again, and then said to be absent by a person.
  expect(await ledger.redrive(id, 2, 'bob')).toEqual({ kind: 'resolving' })
  expect(await look(id, { kind: 'unexplained', detail: 'a run' })).toMatchObject({ kind: 'unresolved' })
  expect(await ledger.settle(id, { absent: true }, 'bob')).toEqual({ kind: 'discarded' })
  expect(await promotion(id)).toMatchObject({ state: 'skipped', reason: 'discarded by eve' })
})

test('one that was discarded, and whose run is looked for a second time, ends discarded without one', async () => {
  const { buriedBefore, ledger, claim, look, promotion } = await setup()
  const id = await buriedBefore('5')
  await ledger.discard(id, 1, 'eve')
  await claim(id, { token: 't5' })
  await look(id, { kind: 'unexplained', detail: 'a run' })
  await ledger.redrive(id, 2, 'bob')

  expect(await look(id, { kind: 'not_listed' })).toEqual({ kind: 'discarded' })
  expect(await promotion(id)).toMatchObject({ state: 'skipped' })
})
