import { expect, test } from 'vitest'
import { REJECTED, setup, UNKNOWN } from './ledger-setup.ts'

const seen = (id: string, runId: string, status: string) => ({
  id,
  runId,
  runUrl: `https://ci/${runId}`,
  status,
  runAttempt: 1,
})

test('what is seen of a run is noted once for each change', async () => {
  const { dispatched, ledger, promotion, reader } = await setup()
  const { id, run } = await dispatched('5')

  expect(await ledger.track(seen(id, run, 'queued'))).toEqual({ state: 'dispatched', changed: true })
  expect(await ledger.track(seen(id, run, 'queued'))).toEqual({ state: 'dispatched', changed: false })
  expect(await ledger.track(seen(id, run, 'in_progress'))).toEqual({ state: 'dispatched', changed: true })

  expect(await promotion(id)).toMatchObject({ runStatus: 'in_progress' })
  const statuses = (await reader.timeline(id)).filter(({ what }) => what === 'run').map((one) => one.status)
  expect(statuses).toEqual(['queued', 'in_progress'])
})

test('what a webhook tells of a run that goes on is noted by the run alone, and an older word changes nothing', async () => {
  const { dispatched, ledger, promotion } = await setup()
  const { id, run } = await dispatched('5')
  const tell = (status: string, updatedAt: number) =>
    ledger.trackTold({ runId: run, status, runAttempt: 1, updatedAt })

  const clear = { state: 'dispatched', isClear: true, scope: expect.any(String) }
  expect(await tell('in_progress', 2_000)).toEqual({ ...clear, changed: true })
  expect(await tell('in_progress', 2_000)).toEqual({ ...clear, changed: false })
  expect(await tell('queued', 1_000)).toEqual({ ...clear, changed: false })

  expect(await promotion(id)).toMatchObject({ runStatus: 'in_progress', runUrl: `https://ci/${run}` })
})

test('a webhook of a run that nobody knows, or of another attempt, is left to a look', async () => {
  const { going, dispatched, ledger, promotion } = await setup()
  const waiting = await going('5', { model: 'other' })
  const { id, run } = await dispatched('5')
  const tell = (runId: string, runAttempt: number) =>
    ledger.trackTold({ runId, status: 'in_progress', runAttempt, updatedAt: 1_000 })

  expect(await tell('4711', 1)).toEqual({ state: 'unknown', changed: false })
  expect(await tell(run, 2)).toMatchObject({ changed: false, isClear: false })

  expect((await promotion(id)).runStatus).toBe('requested')
  expect((await promotion(waiting)).state).toBe('dispatching')
})

test('a webhook that comes after the end of its run changes nothing, and asks for nothing', async () => {
  const { dispatched, finish, ledger, promotion } = await setup()
  const { id, run } = await dispatched('5')
  await finish(id, run)
  const before = await promotion(id)

  const told = await ledger.trackTold({ runId: run, status: 'in_progress', runAttempt: 1, updatedAt: 9_000 })

  expect(told).toMatchObject({ state: 'deployed', changed: false, isClear: true })
  expect(await promotion(id)).toEqual(before)
})

test('a run found later becomes the run of a promotion that GitHub took without naming it', async () => {
  const { going, end, ledger, promotion, reader } = await setup()
  const id = await going('5')
  await end(id, { kind: 'track' })

  expect(await ledger.track(seen(id, '77', 'queued'))).toEqual({ state: 'dispatched', changed: true })

  expect(await promotion(id)).toMatchObject({ runId: '77', runUrl: 'https://ci/77' })
  expect(await reader.ownerOf('77')).toBe(id)
})

test("another promotion's run is never taken, be it seen or said to have ended", async () => {
  const { dispatched, going, end, ledger, finish, promotion, target } = await setup()
  const { run } = await dispatched('5')
  const id = await going('5', { model: 'other' })
  await end(id, { kind: 'track' })

  expect(await ledger.track(seen(id, run, 'queued'))).toEqual({ state: 'dispatched', changed: false })
  expect(await finish(id, run)).toMatchObject({ finished: false, state: 'dispatched' })

  expect((await promotion(id)).runId).toBeUndefined()
  expect(await target('production/other')).toMatchObject({ inFlight: id })
  expect((await target('production/other')).live).toBeUndefined()
})

test('a promotion with a run of its own takes no other one, be it seen or said to have ended', async () => {
  const { dispatched, ledger, finish, promotion } = await setup()
  const { id, run } = await dispatched('5')

  expect(await ledger.track(seen(id, '1', 'completed'))).toEqual({ state: 'dispatched', changed: false })
  expect(await finish(id, '1')).toMatchObject({ finished: false, state: 'dispatched' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: run })
})

test('a success moves live, frees the target and wakes the one that waits', async () => {
  const { dispatched, accept, finish, promotion, target, reader } = await setup()
  const { id, run } = await dispatched('5')
  const next = await accept('6')

  const finished = await finish(id, run)

  expect(finished).toMatchObject({ finished: true, state: 'deployed', wake: { id: next.id, job: 2 } })
  expect(await promotion(id)).toMatchObject({ state: 'deployed', conclusion: 'success', runId: run })
  expect(await target()).toMatchObject({ live: '5', livePromotion: id, liveRun: run, inFlight: '' })
  expect(await reader.counters()).toMatchObject({ 'deployments:success': 1 })
  expect(await reader.idsIn('dispatched')).toEqual([])
})

test.each(['failed', 'cancelled', 'timed_out'] as const)(
  'a run that has %s frees the target and leaves live where it was',
  async (state) => {
    const { deployed, dispatched, accept, finish, target } = await setup()
    await deployed('4')
    const { id, run } = await dispatched('5')
    const next = await accept('6')

    expect(await finish(id, run, state)).toMatchObject({ finished: true, state, wake: { id: next.id } })

    expect(await target()).toMatchObject({ live: '4', inFlight: '', pending: next.id })
  },
)

test('an end told twice is counted once and wakes again, since the first to tell may have died', async () => {
  const { dispatched, accept, finish, promotion, reader } = await setup()
  const { id, run } = await dispatched('5')
  const next = await accept('6')
  await finish(id, run)
  const after = await promotion(id)

  const again = await finish(id, run)

  expect(again).toMatchObject({ finished: false, state: 'deployed', wake: { id: next.id, job: 3 } })
  expect(await promotion(id)).toEqual(after)
  expect(await reader.counters()).toMatchObject({ 'deployments:success': 1 })
})

test('an end is final: a later word on the same run moves nothing', async () => {
  const { dispatched, deployed, finish, ledger, promotion, target } = await setup()
  const { id, run } = await dispatched('5')
  await finish(id, run, 'failed')
  await deployed('6')
  const after = await promotion(id)

  expect(await finish(id, run, 'deployed')).toMatchObject({ finished: false, state: 'failed' })
  expect(await ledger.track(seen(id, run, 'in_progress'))).toEqual({ state: 'failed', changed: false })

  expect(await promotion(id)).toEqual(after)
  expect(await target()).toMatchObject({ live: '6' })
})

test('nothing ends that was not dispatched', async () => {
  const { accept, going, deadLettered, finish, state } = await setup()
  const all = [
    await deadLettered('1', { environment: 'a' }),
    (await accept('1', { environment: 'b' })).id,
    await going('1', { environment: 'c' }),
  ]

  for (const id of all) expect(await finish(id, '77')).toMatchObject({ finished: false })

  expect(await Promise.all(all.map(state))).toEqual(['dead_lettered', 'accepted', 'dispatching'])
  expect(await finish('p-nobody', '77')).toMatchObject({ finished: false, state: 'unknown' })
})

test('a person names the run of an unresolved promotion: it is followed', async () => {
  const { unresolved, ledger, promotion, target, finish, told } = await setup()
  const id = await unresolved('5')

  expect(await ledger.settle(id, { runId: '77', runUrl: 'https://ci/77' }, 'eve')).toEqual({
    kind: 'track',
    job: 1,
    waitedMs: expect.any(Number),
  })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', reason: '' })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await told(id)).toContain('resolved')
  expect(await finish(id, '77')).toMatchObject({ finished: true })
})

test('a person says that an unresolved promotion has no run: it is sent again', async () => {
  const { unresolved, ledger, claim, target } = await setup()
  const id = await unresolved('5')

  expect(await ledger.settle(id, { absent: true }, 'eve')).toEqual({ kind: 'accepted', job: 2 })

  expect(await target()).toMatchObject({ inFlight: '', pending: id })
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 0 })
})

test('an unresolved promotion without a run gives way to a newer one', async () => {
  const { unresolved, accept, ledger, state, target } = await setup()
  const id = await unresolved('5')
  const newer = await accept('6')

  expect(await ledger.settle(id, { absent: true }, 'eve')).toEqual({
    kind: 'superseded',
    by: newer.id,
    wake: { id: newer.id, job: 2 },
  })

  expect(await state(id)).toBe('superseded')
  expect(await target()).toMatchObject({ inFlight: '', pending: newer.id })
})

test('a person may also name the run of one that GitHub took without saying which', async () => {
  const { going, end, ledger, promotion } = await setup()
  const id = await going('5')
  await end(id, { kind: 'track' })

  expect(await ledger.settle(id, { absent: true }, 'eve')).toMatchObject({ kind: 'refused' })
  expect(await ledger.settle(id, { runId: '77' }, 'eve')).toEqual({ kind: 'track', job: 2 })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77' })
})

test("a person's word is refused where there is nothing to settle, or the run is another's", async () => {
  const { unresolved, dispatched, accept, ledger, state } = await setup()
  const id = await unresolved('5')
  const other = await dispatched('5', { model: 'other' })
  const waiting = await accept('5', { model: 'third' })

  expect(await ledger.settle(id, { runId: other.run }, 'eve')).toEqual({
    kind: 'refused',
    state: 'unresolved',
    why: 'run of another promotion',
  })
  for (const wrong of [other.id, waiting.id, 'p-nobody']) {
    expect(await ledger.settle(wrong, { absent: true }, 'eve')).toMatchObject({ kind: 'refused' })
    expect(await ledger.settle(wrong, { runId: '1' }, 'eve')).toMatchObject({ kind: 'refused' })
  }
  expect(await state(id)).toBe('unresolved')
})

test('once a person has spoken, a late answer of the attempt changes nothing any more', async () => {
  const { unresolved, ledger, end, promotion } = await setup()
  const id = await unresolved('5')
  await ledger.settle(id, { absent: true }, 'eve')
  const before = await promotion(id)

  expect(await end(id, { kind: 'track', runId: '77' })).toEqual({ kind: 'stale', state: 'accepted' })
  expect(await end(id, REJECTED)).toEqual({ kind: 'stale', state: 'accepted' })

  expect(await promotion(id)).toEqual(before)
})

test('a job gets a new number only while its promotion needs it', async () => {
  const { accept, dispatched, deployed, ledger } = await setup()
  const { id } = await accept('5')
  expect(await ledger.nextJob(id, 'job', ['accepted', 'dispatching'])).toBe(2)
  expect(await ledger.nextJob(id, 'job', ['accepted', 'dispatching'])).toBe(3)
  expect(await ledger.nextJob(id, 'trackJob', ['dispatched'])).toBeUndefined()

  const running = await dispatched('5', { model: 'other' })
  expect(await ledger.nextJob(running.id, 'job', ['accepted', 'dispatching'])).toBeUndefined()
  expect(await ledger.nextJob(running.id, 'trackJob', ['dispatched'])).toBe(2)

  const ended = await deployed('5', { model: 'third' })
  expect(await ledger.nextJob(ended, 'trackJob', ['dispatched'])).toBeUndefined()
  expect(await ledger.nextJob('p-nobody', 'job', ['accepted'])).toBeUndefined()
})

test('a transition that the table of states does not know is refused, and nothing is half done', async () => {
  const { accept, redis, key, reader, target } = await setup()
  const waiting = await accept('5')
  await redis.hset(key('promotion', waiting.id), 'state', 'deployed')
  const keysBefore = await redis.keys('*')

  await expect(accept('6', { id: 'p-new' })).rejects.toThrow(
    /ILLEGAL transition of p-\d+ from deployed to superseded/,
  )
  expect(await reader.promotion('p-new')).toBeUndefined()
  expect((await redis.keys('*')).sort()).toEqual(keysBefore.sort())
  expect(await target()).toMatchObject({ seq: '1', pending: waiting.id })
})

test('an older attempt and an older time of the same attempt change nothing', async () => {
  const { dispatched, ledger, promotion } = await setup()
  const { id, run } = await dispatched('5')
  const at = { ...seen(id, run, 'in_progress'), runAttempt: 2, updatedAt: 20_000 }
  await ledger.track(at)

  const unchanged = { state: 'dispatched', changed: false }
  expect(await ledger.track({ ...at, runAttempt: 1, updatedAt: 90_000, status: 'completed' })).toEqual(
    unchanged,
  )
  expect(await ledger.track({ ...at, updatedAt: 19_000, status: 'queued' })).toEqual(unchanged)
  expect(await promotion(id)).toMatchObject({ runStatus: 'in_progress', runAttempt: 2 })

  expect(await ledger.track({ ...at, updatedAt: 21_000, status: 'waiting' })).toMatchObject({ changed: true })
  expect(await ledger.track({ ...at, runAttempt: 3, updatedAt: 0, status: 'queued' })).toMatchObject({
    changed: true,
  })
  expect(await promotion(id)).toMatchObject({ runStatus: 'queued', runAttempt: 3 })
})

test('of the same second a webhook goes forward only, and what was read counts', async () => {
  const { dispatched, ledger, promotion } = await setup()
  const { id, run } = await dispatched('5')
  const at = { ...seen(id, run, 'in_progress'), updatedAt: 20_000 }
  await ledger.track(at)

  expect(await ledger.track({ ...at, status: 'queued', told: true })).toMatchObject({ changed: false })
  expect(await ledger.track({ ...at, status: 'waiting', told: true })).toMatchObject({ changed: false })
  expect(await ledger.track({ ...at, status: 'waiting' })).toMatchObject({ changed: true })
  expect(await promotion(id)).toMatchObject({ runStatus: 'waiting' })
})

test('the end of an attempt that was begun anew meanwhile frees nothing', async () => {
  const { dispatched, ledger, finish, state } = await setup()
  const { id, run } = await dispatched('5')
  await ledger.track({ ...seen(id, run, 'in_progress'), runAttempt: 2 })

  expect(await finish(id, run, 'failed')).toMatchObject({ finished: false, state: 'dispatched' })

  expect(await state(id)).toBe('dispatched')
})

test('a run that shows itself is taken up in doubt and after it counted as absent; the answer goes first', async () => {
  const { accept, going, end, look, ledger, promotion, target } = await setup()
  const shown = (id: string, runId: string) => ledger.adopt({ id, runId, runUrl: `https://ci/${runId}` })

  const waiting = await accept('1', { model: 'a' })
  expect(await shown(waiting.id, '1')).toEqual({ kind: 'stale', state: 'accepted' })

  const id = await going('5')
  expect(await shown(id, '77')).toEqual({ kind: 'early' })
  await end(id, UNKNOWN)
  expect(await shown(id, '77')).toMatchObject({ kind: 'track', job: 1 })
  expect(await shown(id, '77')).toEqual({ kind: 'stale', state: 'dispatched' })
  // A 5xx that is told once more.
  expect(await end(id, UNKNOWN)).toMatchObject({ kind: 'resolving' })
  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77' })

  const absent = await going('5', { model: 'b' })
  await end(absent, UNKNOWN)
  await look(absent, { kind: 'not_listed' })
  expect(await promotion(absent)).toMatchObject({ state: 'accepted' })
  expect(await shown(absent, '77')).toEqual({ kind: 'stale', state: 'accepted' })
  expect(await shown(absent, '78')).toMatchObject({ kind: 'track' })
  expect(await target('production/b')).toMatchObject({ inFlight: absent, pending: '' })
})
