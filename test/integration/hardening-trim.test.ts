import { expect, test } from 'vitest'
import { setup } from './ledger-setup.ts'

const DAY = 24 * 3_600_000

test('promotions that ended long ago are forgotten with their timelines; what ended lately stays', async () => {
  const { deployed, ledger, reader, redis, key } = await setup()
  const old = await deployed('1')
  const recent = await deployed('2')
  await deployed('3')
  await redis.zincrby(key('ended'), -91 * DAY, old)
  await redis.zincrby(key('ended'), -89 * DAY, recent)

  expect(await ledger.trim(90 * DAY)).toEqual({ trimmed: 1, kept: 0 })

  expect(await reader.promotion(old)).toBeUndefined()
  expect(await reader.timeline(old)).toEqual([])
  expect(await reader.newest(10)).not.toContainEqual(expect.objectContaining({ id: old }))
  expect(await reader.promotion(recent)).toMatchObject({ state: 'deployed' })
})

test('the live one and the newest one of a target are kept, however old', async () => {
  const { deployed, dispatched, finish, ledger, target, state, claim } = await setup()
  const live = await deployed('1')
  const failed = await dispatched('2')
  await finish(failed.id, failed.run, 'failed')
  const newest = await dispatched('3')
  await finish(newest.id, newest.run, 'failed')

  expect(await ledger.trim(0)).toEqual({ trimmed: 1, kept: 2 })

  expect(await target()).toMatchObject({ live: '1', livePromotion: live, newest: newest.id })
  expect(await state(live)).toBe('deployed')
  expect(await state(newest.id)).toBe('failed')
  expect(await claim(failed.id)).toEqual({ kind: 'done', state: 'unknown' })
  // A second turn finds them looked at already.
  expect(await ledger.trim(60_000)).toEqual({ trimmed: 0, kept: 0 })
})

test('nothing is forgotten that has not ended, whatever its age', async () => {
  const { accept, going, dispatched, deadLettered, unresolved, ledger, redis, key, state } = await setup()
  const dead = await deadLettered('1', { model: 'dead' })
  const asked = await unresolved('1', { model: 'asked' })
  const { id: running } = await dispatched('1', { model: 'running' })
  // Last: in an unproven workflow nothing goes beside one in doubt.
  const sent = await going('1', { model: 'sent' })
  const { id: waiting } = await accept('1', { model: 'waiting' })
  for (const id of [dead, asked, running, sent, waiting]) {
    await redis.hincrby(key('promotion', id), 'updatedAt', -400 * DAY)
    await redis.hincrby(key('promotion', id), 'acceptedAt', -400 * DAY)
  }

  expect(await ledger.trim(0)).toEqual({ trimmed: 0, kept: 0 })

  const states = await Promise.all([dead, asked, running, sent, waiting].map(state))
  expect(states).toEqual(['dead_lettered', 'unresolved', 'dispatched', 'dispatching', 'accepted'])
})

test('a late word on a forgotten promotion changes nothing and brings nothing back', async () => {
  const { dispatched, deployed, finish, end, ledger, redis } = await setup()
  const { id, run } = await dispatched('1')
  await finish(id, run, 'failed')
  await deployed('2')
  await ledger.trim(0)
  const before = await redis.dbsize()

  expect(await end(id, { kind: 'track', runId: run })).toEqual({ kind: 'stale', state: 'unknown' })
  expect(await finish(id, run)).toMatchObject({ finished: false, state: 'unknown' })
  const seen = { id, runId: run, runUrl: '', status: 'completed', runAttempt: 1 }
  expect(await ledger.track(seen)).toEqual({ state: 'unknown', changed: false })
  expect(await ledger.redrive(id, 0, 'eve')).toEqual({ kind: 'settled', state: 'unknown' })
  expect(await ledger.settle(id, { absent: true }, 'eve')).toMatchObject({ kind: 'refused' })
  expect(await ledger.nextJob(id, 'trackJob', ['dispatched'])).toBeUndefined()

  expect(await redis.dbsize()).toBe(before)
})

test('the same version of a forgotten promotion may come again', async () => {
  const { dispatched, finish, deployed, accept, ledger } = await setup()
  const { id, run } = await dispatched('1', { key: 'monday' })
  await finish(id, run)
  await deployed('2')
  await ledger.trim(0)

  expect(await accept('1', { key: 'monday' })).toMatchObject({ status: 'accepted' })
})

test('it goes by batches, the oldest first', async () => {
  const { accept, ledger, reader } = await setup()
  for (let version = 1; version <= 502; version++) await accept(String(version))

  expect(await ledger.trim(0)).toEqual({ trimmed: 500, kept: 0 })
  expect(await ledger.trim(0)).toEqual({ trimmed: 1, kept: 0 })
  expect(await reader.newest(10)).toMatchObject([{ version: '502' }])
})
