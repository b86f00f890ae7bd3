import { expect, test } from 'vitest'
import { REJECTED, setup } from './ledger-setup.ts'

test('the first promotion of a target says that nothing was live, an upgrade says what was', async () => {
  const { accept, deployed } = await setup()

  const first = await accept('1')
  expect(first).toMatchObject({ status: 'accepted', state: 'accepted', live: '', job: 1 })
  await deployed('2')

  expect(await accept('3')).toMatchObject({ status: 'accepted', live: '2' })
})

test('what was promoted is kept as it was given, figures to the last digit', async () => {
  const { accept, promotion } = await setup()
  const metrics = { 'f1 µ': 0.1 + 0.2, loss: 1e-9, rows: 123_456_789_012 }

  const { id } = await accept('5', { accuracy: 0.923_456_789_012_345_6, metrics, source: 'nightly' })

  expect(await promotion(id)).toMatchObject({
    model: 'fraud-detector',
    version: '5',
    environment: 'production',
    accuracy: 0.923_456_789_012_345_6,
    metrics,
    source: 'nightly',
    seq: 1,
  })
})

test('the same idempotency key again is the same promotion, also after that has failed', async () => {
  const { accept, dispatched, finish } = await setup()
  const { id, run } = await dispatched('5', { key: 'run-17' })
  expect(await accept('5', { key: 'run-17' })).toMatchObject({ status: 'duplicate', id, state: 'dispatched' })

  await finish(id, run, 'failed')

  expect(await accept('5', { key: 'run-17' })).toMatchObject({ status: 'duplicate', id, state: 'failed' })
})

test('an idempotency key that was used for something else is refused, and nothing is taken in', async () => {
  const { accept, target, reader } = await setup()
  const { id } = await accept('5', { key: 'run-17' })

  expect(await accept('6', { key: 'run-17' })).toMatchObject({ status: 'key_reused', id })
  expect(await accept('5', { key: 'run-17', environment: 'staging' })).toMatchObject({ status: 'key_reused' })
  expect(await accept('5', { key: 'run-17', model: 'other' })).toMatchObject({ status: 'key_reused' })

  expect(await target()).toMatchObject({ seq: '1', pending: id })
  expect(await reader.targets(10)).toHaveLength(1)
})

test('a new idempotency key asks for the same version once more', async () => {
  const { accept, deployed } = await setup()
  const first = await deployed('5', { key: 'monday' })

  const again = await accept('5', { key: 'tuesday' })

  expect(again).toMatchObject({ status: 'accepted', live: '5' })
  expect(again.id).not.toBe(first)
})

test('without a key, the newest version of the target is a duplicate', async () => {
  const { accept } = await setup()
  const { id } = await accept('5')

  expect(await accept('5')).toMatchObject({ status: 'duplicate', id, state: 'accepted' })
})

test('without a key, the live version is a duplicate however long ago it was promoted', async () => {
  const { accept, deployed, dispatched, finish, redis, key } = await setup()
  const live = await deployed('5')
  const newer = await dispatched('6')
  await finish(newer.id, newer.run, 'failed')
  await redis.del(key('seen', 'production/fraud-detector\n5'))

  expect(await accept('5')).toMatchObject({ status: 'duplicate', id: live, state: 'deployed' })
})

test('without a key, a version seen within 24 hours is a duplicate, also one that was superseded', async () => {
  const { accept, redis, key } = await setup()
  const { id } = await accept('5')
  await accept('6')

  expect(await accept('5')).toMatchObject({ status: 'duplicate', id, state: 'superseded' })

  const seen = key('seen', 'production/fraud-detector\n5')
  expect(await redis.pttl(seen)).toBeGreaterThan(23.9 * 3_600_000)
  expect(await redis.pttl(seen)).toBeLessThanOrEqual(24 * 3_600_000)
  // The day is over.
  await redis.del(seen)
  expect(await accept('5')).toMatchObject({ status: 'accepted' })
})

test.each(['failed', 'cancelled', 'timed_out'] as const)(
  'a version whose run has %s may come again',
  async (state) => {
    const { accept, dispatched, finish } = await setup()
    const { id, run } = await dispatched('5')
    await finish(id, run, state)

    const again = await accept('5')

    expect(again).toMatchObject({ status: 'accepted' })
    expect(again.id).not.toBe(id)
  },
)

test('a version that was dead-lettered may come again', async () => {
  const { accept, going, end } = await setup()
  await end(await going('5'), REJECTED)

  expect(await accept('5')).toMatchObject({ status: 'accepted' })
})

test('a version that was skipped may come again', async () => {
  const { accept, claim } = await setup()
  await claim((await accept('5')).id, { enabled: false })

  expect(await accept('5')).toMatchObject({ status: 'accepted' })
})

test('an older version comes back when rollback is asked for, but not twice', async () => {
  const { accept, deployed } = await setup()
  await deployed('5')
  await deployed('6')
  expect(await accept('5')).toMatchObject({ status: 'duplicate' })

  const back = await accept('5', { rollback: true })
  expect(back).toMatchObject({ status: 'accepted', live: '6' })

  expect(await accept('5', { rollback: true })).toMatchObject({ status: 'duplicate', id: back.id })
})

test('the same id sent again gets the same answer, wherever the promotion is by then', async () => {
  const { accept, claim, target } = await setup()
  const first = await accept('5', { id: 'p-sent-twice', key: 'k' })
  expect(await accept('5', { id: 'p-sent-twice', key: 'k' })).toEqual(first)

  await claim('p-sent-twice')

  expect(await accept('5', { id: 'p-sent-twice', key: 'k' })).toEqual({ ...first, state: 'dispatching' })
  expect((await target()).seq).toBe('1')
})

test('a newer promotion supersedes the one that waits, and says so in its timeline', async () => {
  const { accept, promotion, reader, target } = await setup()
  const older = await accept('5')
  const newer = await accept('6')

  expect(await promotion(older.id)).toMatchObject({ state: 'superseded', supersededBy: newer.id })
  expect((await reader.timeline(older.id)).at(-1)).toMatchObject({ what: 'superseded', by: newer.id })
  expect(await target()).toMatchObject({ pending: newer.id, newest: newer.id, seq: '2' })
})

test('a thousand promotions of one target leave one that waits', async () => {
  const { accept, reader, target } = await setup()

  const all = await Promise.all(Array.from({ length: 1_000 }, (_, n) => accept(String(n))))

  const last = all.at(-1)?.id
  expect(await reader.idsIn('accepted')).toEqual([last])
  expect(await target()).toMatchObject({ seq: '1000', pending: last })
  expect(await reader.counters()).toMatchObject({ accepted: 1000, superseded: 999 })
})

test('targets are told apart whatever their names hold', async () => {
  const { accept, reader } = await setup()
  const same = [
    { model: 'a', version: 'b/c' },
    { model: 'a/b', version: 'c' },
    { model: '{x}:y/ü', version: '{0}' },
    { model: '{x}:y/ü/{0}', version: '1' },
    { model: '{x}', version: 'y:ü' },
    { model: 'promotion:p-1', version: '1' },
    { model: '🦀'.repeat(125), version: '∞'.repeat(100) },
    { model: `${'m'.repeat(249)}"`, version: `\\"'` },
  ]

  for (const one of same) expect(await accept(one.version, one)).toMatchObject({ status: 'accepted' })
  // All of them are remembered, too: no later name has taken an earlier one's place.
  for (const one of same) {
    await accept('newer', { ...one, version: 'newer' })
    expect(await accept(one.version, one), JSON.stringify(one)).toMatchObject({ status: 'duplicate' })
  }

  const targets = await reader.targets(100)
  expect(new Set(targets.map(({ model }) => model))).toEqual(new Set(same.map(({ model }) => model)))
})

test('what its producer had to keep is superseded by what was promoted later, and by nothing else', async () => {
  const { accept, target, state, promotion, told } = await setup()
  const at = (seconds: number) => new Date(Date.now() - 600_000 + seconds * 1_000).toISOString()
  const first = await accept('5', { promotedAt: at(0) })
  const second = await accept('6', { promotedAt: at(1) })
  expect(second).toMatchObject({ status: 'accepted', state: 'accepted' })
  expect(await state(first.id)).toBe('superseded')

  const late = await accept('4', { promotedAt: at(0.5) })

  expect(late).toMatchObject({ status: 'accepted', state: 'superseded' })
  expect(await promotion(late.id)).toMatchObject({ supersededBy: second.id })
  expect(await told(late.id)).toEqual(['accepted', 'superseded'])
  expect(await target()).toMatchObject({ pending: second.id, newest: second.id })
  // Without such a time it is of now.
  expect(await accept('7')).toMatchObject({ state: 'accepted' })
  expect(await accept('8', { promotedAt: at(2) })).toMatchObject({ state: 'superseded' })
  // A clock that goes wrong keeps nothing newer out.
  expect(await accept('9', { promotedAt: '2099-01-01T00:00:00Z' })).toMatchObject({ state: 'accepted' })
  expect(await accept('10')).toMatchObject({ state: 'accepted' })
})

test('an id that its producer keeps is the same promotion again, and never another one', async () => {
  const { accept } = await setup()
  const id = '01f00000-0000-7000-8000-000000000001'
  expect(await accept('5', { id })).toMatchObject({ status: 'accepted', id })
  expect(await accept('5', { id })).toMatchObject({ status: 'accepted', id })
  expect(await accept('6', { id })).toMatchObject({ status: 'key_reused', id })
})

test('a new key is no second promotion of what is on its way already; of what has ended it is', async () => {
  const { accept, claim, end, finish } = await setup()
  const { id } = await accept('5')
  expect(await accept('5', { key: 'flow run 7' })).toMatchObject({ status: 'duplicate', id })
  await claim(id)
  await end(id, { kind: 'track', runId: '9001', runUrl: '' })
  expect(await accept('5', { key: 'flow run 8' })).toMatchObject({ status: 'duplicate', id })
  await finish(id, '9001')

  // It is remembered.
  expect(await accept('5', { key: 'flow run 7' })).toMatchObject({ status: 'duplicate', id })
  expect(await accept('5', { key: 'deploy it once more' })).toMatchObject({ status: 'accepted' })
})
