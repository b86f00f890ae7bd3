// Redis is full (`maxmemory`, noeviction): nothing new is begun and nothing is half done, and everything that was
// begun can be brought to its end.
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { startPrivateRedis } from '../support/private-redis.ts'
import { AGAIN, behindCircuit, ledgerOn, REPOSITORY, UNKNOWN } from './ledger-setup.ts'

async function setup() {
  const server = await startPrivateRedis({ config: ['maxmemory-policy noeviction'] })
  const redis = new Redis(server.url, { replyMapping: 'legacy' })
  onTestFinished(async () => {
    redis.disconnect()
    await server.stop()
  })
  const ledger = ledgerOn(redis)
  return {
    ...ledger,
    fill: () => redis.config('SET', 'maxmemory', '1'),
    empty: () => redis.config('SET', 'maxmemory', '0'),
    /** All that is there, for comparing. */
    async everything() {
      const names = (await redis.keys('*')).sort()
      return Promise.all(
        names.map(async (name) => [name, (await redis.dumpBuffer(name))?.toString('base64')]),
      )
    },
  }
}

test('nothing is accepted, and nothing half done: once there is room the same promotion is accepted', async () => {
  const { accept, fill, empty, everything } = await setup()
  await accept('5')
  await fill()
  const before = await everything()

  await expect(accept('6', { id: 'p-new', key: 'k' })).rejects.toThrow(/^OOM/)

  expect(await everything()).toEqual(before)
  await empty()
  expect(await accept('6', { id: 'p-new', key: 'k' })).toMatchObject({ status: 'accepted', id: 'p-new' })
})

test('nothing is claimed, and so nothing sent: once there is room it goes', async () => {
  const { accept, claim, fill, empty, everything } = await setup()
  const { id } = await accept('5')
  await fill()
  const before = await everything()

  await expect(claim(id)).rejects.toThrow(/^OOM/)

  expect(await everything()).toEqual(before)
  await empty()
  expect(await claim(id)).toMatchObject({ kind: 'go', attempt: 1 })
})

test('an attempt tells its end, the run is followed and finished, and the next one is woken', async () => {
  const { going, accept, end, ledger, finish, state, fill, reader } = await setup()
  const id = await going('5')
  const { id: newer } = await accept('6')
  await fill()

  expect(await end(id, { kind: 'track', runId: '77' })).toMatchObject({ kind: 'track' })
  const seen = { id, runId: '77', runUrl: '', status: 'in_progress', runAttempt: 1 }
  expect(await ledger.track(seen)).toMatchObject({ changed: true })
  expect(await finish(id, '77')).toMatchObject({ finished: true, wake: { id: newer } })

  expect(await state(id)).toBe('deployed')
  expect(await reader.ownerOf('77')).toBe(id)
})

test('doubts are resolved, circuits opened and mended, dead letters put back, people heard', async () => {
  const { going, deadLettered, unresolved, end, look, circuits, ledger, reader, fill } = await setup()
  const inDoubt = await going('1', { model: 'unknown' })
  const failing = await going('1', { model: 'failing' })
  const dead = await deadLettered('1', { model: 'dead' })
  const waiting = await unresolved('1', { model: 'unresolved' })
  await fill()

  expect(await end(failing, behindCircuit(60_000))).toMatchObject({ opened: { scope: REPOSITORY } })
  const due = await circuits.take(REPOSITORY, { now: true })
  if (!due) throw new Error('the circuit is not open')
  expect(await circuits.settle(due, { kind: 'close' })).toEqual({ kind: 'closed' })
  await end(inDoubt, UNKNOWN)
  expect(await look(inDoubt, { kind: 'not_listed' })).toMatchObject({ kind: 'again' })
  expect(await ledger.redrive(dead, 1, 'eve')).toMatchObject({ kind: 'accepted' })
  expect(await ledger.settle(waiting, { absent: true }, 'eve')).toMatchObject({ kind: 'accepted' })
  expect(await reader.openCircuits()).toEqual([])
})

test('old promotions are trimmed, so that there is room again', async () => {
  const { deployed, going, end, ledger, fill, reader } = await setup()
  const old = await deployed('5')
  await deployed('6')
  const backedOff = await going('7')
  await end(backedOff, AGAIN)
  await fill()

  expect(await ledger.trim(0)).toEqual({ trimmed: 1, kept: 1 })
  expect(await reader.promotion(old)).toBeUndefined()
})
