import { expect, test } from 'vitest'
import { CD, REJECTED, setup } from './ledger-setup.ts'

test('a dead letter put back waits in its turn, with all its attempts before it', async () => {
  const { deadLettered, ledger, claim, promotion, target, told, reader } = await setup()
  const id = await deadLettered('5')

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'accepted', job: 2 })

  expect(await promotion(id)).toMatchObject({ state: 'accepted', reason: '' })
  expect(await target()).toMatchObject({ inFlight: '', pending: id })
  expect(await told(id)).toContain('redriven')
  expect((await reader.timeline(id)).at(-1)).toMatchObject({ what: 'redriven', by: 'eve' })
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 0 })
})

test('put back twice it is there once: the second only gives it another job', async () => {
  const { deadLettered, ledger, claim, told } = await setup()
  const id = await deadLettered('5')

  const both = await Promise.all([ledger.redrive(id, 1, 'eve'), ledger.redrive(id, 1, 'bob')])

  expect(both).toEqual([
    { kind: 'accepted', job: 2 },
    { kind: 'accepted', job: 3 },
  ])
  expect((await told(id)).filter((what) => what === 'redriven')).toHaveLength(1)
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go' })
  expect(await claim(id, { token: 't3' })).toMatchObject({ kind: 'wait', code: 'earlier_attempt' })
  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'settled', state: 'dispatching' })
})

test('an old dead letter of a promotion that was dead-lettered again moves nothing', async () => {
  const { deadLettered, ledger, claim, end, promotion } = await setup()
  const id = await deadLettered('5')
  await ledger.redrive(id, 1, 'eve')
  await claim(id, { token: 't2' })
  await end(id, REJECTED, { attempt: 2, token: 't2' })
  const before = await promotion(id)
  expect(before).toMatchObject({ state: 'dead_lettered', deadLetters: 2 })

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'settled', state: 'dead_lettered' })
  expect(await promotion(id)).toEqual(before)
  expect(await ledger.redrive(id, 2, 'eve')).toMatchObject({ kind: 'accepted' })
})

test('a dead letter that a newer promotion has overtaken is superseded, whatever became of the newer one', async () => {
  const { deadLettered, accept, deployed, ledger, promotion } = await setup()
  const waiting = await deadLettered('5')
  const newer = await accept('6')
  expect(await ledger.redrive(waiting, 1, 'eve')).toEqual({ kind: 'superseded', by: newer.id, version: '6' })
  expect(await promotion(waiting)).toMatchObject({ state: 'superseded', supersededBy: newer.id })

  const staging = { environment: 'staging' }
  const behindLive = await deadLettered('5', staging)
  await deployed('6', staging)
  expect(await ledger.redrive(behindLive, 1, 'eve')).toMatchObject({ kind: 'superseded', version: '6' })

  const canary = { environment: 'canary' }
  const behindDead = await deadLettered('5', canary)
  const dead = await deadLettered('6', canary)
  expect(await ledger.redrive(behindDead, 1, 'eve')).toMatchObject({ kind: 'superseded', by: dead })
})

test('a superseded dead letter stays so, however often it is put back', async () => {
  const { deadLettered, accept, ledger } = await setup()
  const id = await deadLettered('5')
  await accept('6')
  await ledger.redrive(id, 1, 'eve')

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'settled', state: 'superseded' })
})

test('an unresolved promotion is never sent by a redrive: its run is looked for again', async () => {
  const { unresolved, ledger, claim, look, promotion, reader, target, told } = await setup()
  const id = await unresolved('5')

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'resolving' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatching', reason: '', attempts: 1 })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await told(id)).toContain('redriven')
  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, why: 'unknown' }])
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  // Pressed twice it does nothing more.
  expect(await ledger.redrive(id, 1, 'bob')).toEqual({ kind: 'settled', state: 'dispatching' })

  const found = { kind: 'found', runId: '77', runUrl: 'https://ci/77' } as const
  expect(await look(id, found)).toMatchObject({ kind: 'track' })
  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', deadLetters: 1 })
})

test('one that is unresolved for a second time is a second dead letter', async () => {
  const { unresolved, ledger, look, promotion } = await setup()
  const id = await unresolved('5')
  await ledger.redrive(id, 1, 'eve')

  const unexplained = { kind: 'unexplained', detail: 'the same run as before' } as const
  expect(await look(id, unexplained)).toEqual({ kind: 'unresolved', deadLetter: 2 })

  expect(await promotion(id)).toMatchObject({ state: 'unresolved', deadLetters: 2 })
  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'settled', state: 'unresolved' })
})

test('what is no dead letter has nothing to put back', async () => {
  const { accept, deployed, ledger } = await setup()
  const live = await deployed('4')
  const { id } = await accept('5')

  expect(await ledger.redrive(live, 1, 'eve')).toEqual({ kind: 'settled', state: 'deployed' })
  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'settled', state: 'accepted' })
  expect(await ledger.redrive('p-nobody', 1, 'eve')).toEqual({ kind: 'settled', state: 'unknown' })
})
