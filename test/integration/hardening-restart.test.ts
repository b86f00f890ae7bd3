// Redis is really restarted, and what it wrote last is really lost: its folder is put back to what it was. What may
// have been sent in the lost time is looked for before anything is sent.
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import type { Look } from '../../shared/ledger/steps.ts'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { AGAIN, CD, ledgerOn, UNKNOWN } from './ledger-setup.ts'

const NOT_LISTED: Look = { kind: 'not_listed' }
const UNEXPLAINED: Look = { kind: 'unexplained', detail: 'run 9 may be its own' }
const TAKEN = { kind: 'track', runId: '77' } as const
const PATIENT = { certainAfterMs: 155_000 }

async function setup() {
  const server = await startPrivateRedis()
  const copy = path.join(tmpdir(), `copy-of-${path.basename(server.dir)}`)
  const connections: Redis[] = []
  onTestFinished(async () => {
    for (const redis of connections) redis.disconnect()
    await server.stop()
    await rm(copy, { recursive: true, force: true })
  })
  const connect = () => {
    const redis = connectForWorker(server.url, silentLogger)
    connections.push(redis)
    return redis
  }
  const redis = connect()
  const aof = path.join(server.dir, 'appendonlydir')
  return {
    ...ledgerOn(redis),
    restart: () => server.restart(),
    /** Killed and started again. */
    async crash() {
      await server.kill()
      await server.restart()
    },
    /** What happens in between is lost. */
    async losing(between: () => Promise<unknown>) {
      await cp(aof, copy, { recursive: true })
      await between()
      await server.kill()
      await rm(aof, { recursive: true })
      await cp(copy, aof, { recursive: true })
      await server.restart()
    },
    /** Nothing is in Redis but what is known to be. */
    doubts: () => redis.zrange(`{relay:0}:doubts:${CD}`, 0, '-1'),
    unsure: () => redis.smembers('{relay:0}:unsure:production/fraud-detector'),
  }
}

test('what was accepted before a restart is looked for before it is sent for the first time', async () => {
  const { accept, crash, claim, look, doubts, told } = await setup()
  const { id } = await accept('5')
  await crash()

  expect(await claim(id)).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await doubts()).toEqual([id])
  expect(await look(id, NOT_LISTED, { attempt: 0, ...PATIENT })).toEqual({ kind: 'patience' })

  expect(await look(id, NOT_LISTED, { attempt: 0 })).toEqual({ kind: 'again', job: 2 })
  expect(await claim(id)).toMatchObject({ kind: 'go', attempt: 1, spent: 0 })
  expect(await told(id)).toEqual(['accepted', 'in_doubt', 'absent', 'dispatching'])
})

test('what is accepted after a restart is sent at once', async () => {
  const { accept, restart, claim } = await setup()
  await accept('5', { model: 'other' })
  await restart()

  expect(await claim((await accept('5')).id)).toMatchObject({ kind: 'go' })
})

test('an attempt that was under way when Redis was restarted tells its end as if nothing had been', async () => {
  const { going, crash, end, claim, state } = await setup()
  const id = await going('5')
  await crash()

  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'earlier_attempt' })
  expect(await end(id, TAKEN)).toMatchObject({ kind: 'track' })
  expect(await state(id)).toBe('dispatched')
})

test('a claim that Redis has forgotten: the late answer with the run is taken up', async () => {
  const { accept, losing, claim, end, promotion, target, doubts } = await setup()
  const { id } = await accept('5')
  await losing(() => claim(id))
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'resolving' })

  expect(await end(id, TAKEN)).toMatchObject({ kind: 'track' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', attempts: 1 })
  expect(await target()).toMatchObject({ inFlight: id, pending: '' })
  expect(await doubts()).toEqual([])
})

test('a claim that Redis has forgotten: the run is found, and nothing is sent a second time', async () => {
  const { accept, losing, claim, end, look, promotion } = await setup()
  const { id } = await accept('5')
  await losing(async () => {
    await claim(id)
    await end(id, TAKEN)
  })
  await claim(id, { token: 't2' })

  expect(await look(id, { kind: 'found', runId: '77', runUrl: '' }, { attempt: 0 })).toMatchObject({
    kind: 'track',
  })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77' })
  expect(await claim(id, { token: 't3' })).toEqual({ kind: 'done', state: 'dispatched' })
})

test('a claim that Redis has forgotten: a late answer that tells no run is no news', async () => {
  const { accept, losing, claim, end, state } = await setup()
  const { id } = await accept('5')
  await losing(() => claim(id))

  expect(await end(id, AGAIN)).toEqual({ kind: 'stale', state: 'accepted' })
  expect(await end(id, UNKNOWN)).toEqual({ kind: 'stale', state: 'accepted' })
  expect(await state(id)).toBe('accepted')
})

test('a redrive that Redis has forgotten is looked for once it is pressed again', async () => {
  const { deadLettered, losing, ledger, claim, end, look } = await setup()
  const id = await deadLettered('5')
  await losing(async () => {
    await ledger.redrive(id, 1, 'eve')
    await claim(id, { token: 't2' })
    await end(id, TAKEN, { attempt: 2, token: 't2' })
  })

  expect(await ledger.redrive(id, 1, 'eve')).toMatchObject({ kind: 'accepted' })

  expect(await claim(id, { token: 't3' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await look(id, { kind: 'found', runId: '77', runUrl: '' })).toMatchObject({ kind: 'track' })
})

test('a newer promotion waits for the older one that may have been sent before the restart', async () => {
  const { accept, losing, claim, look, state, unsure } = await setup()
  const older = await accept('5')
  await losing(() => claim(older.id))
  const newer = await accept('6')
  expect(await unsure()).toEqual([older.id])

  expect(await claim(newer.id)).toMatchObject({ kind: 'wait', code: 'resolving_other' })
  expect(await claim(older.id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await look(older.id, NOT_LISTED, { attempt: 0 })).toMatchObject({ kind: 'superseded', by: newer.id })

  expect(await state(older.id)).toBe('superseded')
  expect(await unsure()).toEqual([])
  expect(await claim(newer.id)).toMatchObject({ kind: 'go' })
})

test('the run of such an older one is followed to its end before the newer one goes', async () => {
  const { accept, losing, claim, look, finish } = await setup()
  const older = await accept('5')
  await losing(() => claim(older.id))
  const newer = await accept('6')
  await claim(older.id, { token: 't2' })
  await look(older.id, { kind: 'found', runId: '77', runUrl: '' }, { attempt: 0 })
  expect(await claim(newer.id)).toMatchObject({ kind: 'wait', code: 'in_flight', detail: '5' })

  await finish(older.id, '77')

  expect(await claim(newer.id)).toMatchObject({ kind: 'go' })
})

test('with the trigger switched off, what may have been sent is looked for and not skipped', async () => {
  const { accept, losing, claim, look, state } = await setup()
  const { id } = await accept('5')
  await losing(() => claim(id))

  expect(await claim(id, { enabled: false })).toMatchObject({ kind: 'wait', code: 'resolving' })
  await look(id, NOT_LISTED, { attempt: 0 })

  expect(await claim(id, { enabled: false })).toEqual({ kind: 'done', state: 'skipped' })
  expect(await state(id)).toBe('skipped')
})

test('a doubt begins anew at a further restart: what was sent in the lost time may not be listed yet', async () => {
  const { going, end, losing, look, claim, state } = await setup()
  const id = await going('5')
  await end(id, UNKNOWN)
  await look(id, NOT_LISTED, { looksNeeded: 3 })
  await look(id, NOT_LISTED, { looksNeeded: 3 })
  await losing(async () => {
    await look(id, NOT_LISTED, { looksNeeded: 3 })
    expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2 })
  })

  // By the memory of Redis this is the third look, long after the intent.
  expect(await look(id, NOT_LISTED, { looksNeeded: 3, ...PATIENT })).toEqual({ kind: 'patience' })
  expect(await look(id, NOT_LISTED, { looksNeeded: 3 })).toEqual({ kind: 'patience' })

  expect(await state(id)).toBe('dispatching')
  expect(await claim(id, { token: 't3' })).toMatchObject({ kind: 'wait', code: 'resolving' })
})

test('without a known attempt it may be unresolved too, and Retry looks for it again', async () => {
  const { accept, crash, claim, look, ledger, reader, state, doubts } = await setup()
  const { id } = await accept('5')
  await crash()
  await claim(id)
  expect(await look(id, UNEXPLAINED, { attempt: 0 })).toEqual({ kind: 'unresolved', deadLetter: 1 })
  expect(await doubts()).toEqual([])

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'resolving' })

  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  const { acceptedAt } = (await reader.promotion(id)) ?? {}
  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, why: 'epoch', since: acceptedAt }])
  expect(await look(id, NOT_LISTED, { attempt: 0 })).toMatchObject({ kind: 'again' })
  expect(await state(id)).toBe('accepted')
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 1 })
})

test('what a person says of it holds, and is not asked again after the same restart', async () => {
  const { accept, crash, claim, look, ledger } = await setup()
  const { id } = await accept('5')
  await crash()
  await claim(id)
  await look(id, UNEXPLAINED, { attempt: 0 })

  await ledger.settle(id, { absent: true }, 'eve')

  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 1 })
})
