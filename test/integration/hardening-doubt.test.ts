// Doubt: a run may exist that the ledger does not know. What looks at the workflow's runs settle, what late answers
// settle, and that nothing is sent until then.
import { expect, test } from 'vitest'
import { createCorrelation } from '../../shared/ledger/correlation.ts'
import type { Look } from '../../shared/ledger/steps.ts'
import { AGAIN, CD, EXHAUSTED, setup as ledgerSetup, REJECTED, UNKNOWN } from './ledger-setup.ts'

const FOUND: Look = { kind: 'found', runId: '77', runUrl: 'https://ci/77' }
const NOT_LISTED: Look = { kind: 'not_listed' }
const UNEXPLAINED: Look = { kind: 'unexplained', detail: 'run 9 may be its own' }
const TAKEN = { kind: 'track', runId: '77' } as const
const SEND_MS = 35_000
const CERTAIN_MS = 155_000
const PATIENT = { certainAfterMs: CERTAIN_MS, looksNeeded: 3 }

async function setup() {
  const ledger = await ledgerSetup()
  const { redis, key, going, end, look } = ledger
  const correlation = createCorrelation({ redis })

  return {
    ...ledger,
    correlation,
    /** Sent, and nobody knows what became of it. */
    async inDoubt(version = '5', more: Parameters<typeof going>[1] = {}) {
      const id = await going(version, more)
      await end(id, UNKNOWN)
      return id
    },
    /** So much longer ago. */
    async intentWas(id: string, agoMs: number) {
      await redis.hset(key('promotion', id), 'intentAt', Date.now() - agoMs)
    },
    /** Three looks at complete listings, after patience. */
    async absent(id: string, more: Parameters<typeof look>[2] = {}) {
      await redis.hset(key('promotion', id), 'intentAt', Date.now() - CERTAIN_MS)
      await look(id, NOT_LISTED, { ...PATIENT, ...more })
      await look(id, NOT_LISTED, { ...PATIENT, ...more })
      return look(id, NOT_LISTED, { ...PATIENT, ...more })
    },
    doubts: () => redis.zrange(key('doubts', CD), 0, '-1'),
  }
}

test('a run that is found is taken up at once, however short the patience', async () => {
  const { inDoubt, look, promotion, target, told, doubts, reader } = await setup()
  const id = await inDoubt()

  expect(await look(id, FOUND, PATIENT)).toMatchObject({ kind: 'track', job: 1 })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', runUrl: 'https://ci/77' })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await doubts()).toEqual([])
  expect(await reader.ownerOf('77')).toBe(id)
  expect(await told(id)).toEqual(['accepted', 'dispatching', 'outcome', 'in_doubt', 'found', 'dispatched'])
})

test('what is not listed counts as absent after patience and three complete listings, not sooner', async () => {
  const { inDoubt, intentWas, look, state, promotion, target } = await setup()
  const id = await inDoubt()

  await intentWas(id, CERTAIN_MS - 5_000)
  for (let early = 0; early < 4; early++) {
    expect(await look(id, NOT_LISTED, PATIENT)).toEqual({ kind: 'patience' })
  }
  await intentWas(id, CERTAIN_MS)
  expect(await look(id, NOT_LISTED, PATIENT)).toEqual({ kind: 'patience' })
  expect(await look(id, NOT_LISTED, PATIENT)).toEqual({ kind: 'patience' })
  expect(await state(id)).toBe('dispatching')
  expect(await look(id, NOT_LISTED, PATIENT)).toEqual({ kind: 'again', job: 2 })

  expect(await promotion(id)).toMatchObject({ state: 'accepted', reason: 'no run was started' })
  expect(await target()).toMatchObject({ inFlight: '', pending: id })
})

test('a listing counts once, whoever says it however often', async () => {
  const { inDoubt, intentWas, look, state, reader } = await setup()
  const id = await inDoubt()
  await intentWas(id, CERTAIN_MS)

  for (let again = 0; again < 5; again++) {
    expect(await look(id, NOT_LISTED, { ...PATIENT, looks: 0 })).toEqual({ kind: 'patience' })
  }

  expect(await state(id)).toBe('dispatching')
  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, looks: 1, why: 'unknown' }])
})

test('what a look has shown of the attempt before is nothing for the present one', async () => {
  const { inDoubt, absent, claim, end, look, state } = await setup()
  const id = await inDoubt()
  await absent(id)
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2 })
  await end(id, UNKNOWN, { attempt: 2, token: 't2' })

  expect(await look(id, NOT_LISTED, { attempt: 1 })).toEqual({ kind: 'stale', state: 'dispatching' })
  expect(await look(id, UNEXPLAINED, { attempt: 1 })).toEqual({ kind: 'stale', state: 'dispatching' })
  expect(await state(id)).toBe('dispatching')
})

test('one that is absent backs off, has spent an attempt, and is sent as the next one', async () => {
  const { inDoubt, absent, claim, redis, key } = await setup()
  const id = await inDoubt()

  expect(await absent(id, { delayMs: 30_000 })).toEqual({ kind: 'again', job: 2 })

  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'back_off' })
  await redis.hset(key('promotion', id), 'notBefore', Date.now() - 1)
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 1 })
})

test('one that is absent for the last time is a dead letter, or gives way to a newer one', async () => {
  const { inDoubt, absent, accept, promotion, target } = await setup()
  const alone = await inDoubt()
  expect(await absent(alone, { maxAttempts: 1 })).toEqual({ kind: 'dead_letter', deadLetter: 1 })
  expect(await promotion(alone)).toMatchObject({
    state: 'dead_lettered',
    reason: '1 attempts started no run',
  })
  expect(await target()).toMatchObject({ inFlight: '', pending: '' })

  const staging = { environment: 'staging' }
  const overtaken = await inDoubt('5', staging)
  const newer = await accept('6', staging)
  const wake = { id: newer.id, job: 2 }
  expect(await absent(overtaken, { maxAttempts: 1 })).toEqual({ kind: 'superseded', by: newer.id, wake })
})

test('a run that nobody can explain goes to a person, after patience and not before', async () => {
  const { inDoubt, intentWas, look, promotion, target, doubts, accept, claim } = await setup()
  const id = await inDoubt()
  expect(await look(id, UNEXPLAINED, PATIENT)).toEqual({ kind: 'patience' })

  await intentWas(id, CERTAIN_MS)
  expect(await look(id, UNEXPLAINED, PATIENT)).toEqual({ kind: 'unresolved', deadLetter: 1 })

  expect(await promotion(id)).toMatchObject({ state: 'unresolved', reason: 'run 9 may be its own' })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await doubts()).toEqual([])
  const newer = await accept('6')
  expect(await claim(newer.id)).toMatchObject({ kind: 'wait', code: 'in_flight', detail: '5' })
})

test("a run that shows its id and is another promotion's goes to a person; it is never sent again", async () => {
  const { dispatched, inDoubt, look, promotion } = await setup()
  const { run } = await dispatched('1', { model: 'other' })
  const id = await inDoubt()

  expect(await look(id, { ...FOUND, runId: run })).toMatchObject({ kind: 'unresolved' })

  expect(await promotion(id)).toMatchObject({ state: 'unresolved', reason: expect.stringContaining(run) })
})

test('while in doubt nothing is sent, whoever claims; an unknown told once more changes nothing', async () => {
  const { inDoubt, claim, end, promotion } = await setup()
  const id = await inDoubt()

  expect(await claim(id, { token: 'of another' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await claim(id)).toMatchObject({ kind: 'wait', code: 'resolving' })
  expect(await end(id, UNKNOWN, { detail: 'reset' })).toMatchObject({ kind: 'resolving' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatching', attempts: 1 })
})

test.each([
  ['its run', TAKEN, { kind: 'track' }, 'dispatched'],
  ['that nothing was sent', AGAIN, { kind: 'again' }, 'accepted'],
  ['a refusal', REJECTED, { kind: 'dead_letter' }, 'dead_lettered'],
  ['that its tries are used up', EXHAUSTED, { kind: 'dead_letter' }, 'dead_lettered'],
] as const)('a late answer that tells %s ends the doubt', async (_, next, recorded, state) => {
  const { going, claim, end, promotion, doubts, look } = await setup()
  const id = await going('5')
  // Somebody else has taken the silent worker for dead.
  expect(await claim(id, { token: 't2', uncertainMs: 0 })).toMatchObject({ code: 'resolving' })
  expect(await doubts()).toEqual([id])

  expect(await end(id, next)).toMatchObject(recorded)

  expect(await promotion(id)).toMatchObject({ state })
  expect(await doubts()).toEqual([])
  expect(await look(id, NOT_LISTED)).toEqual({ kind: 'stale', state })
})

test.each([
  ['unknown', UNKNOWN],
  ['that nothing was sent', AGAIN],
  ['a refusal', REJECTED],
] as const)('once its run was found, a late answer that tells %s undoes nothing', async (_, next) => {
  const { going, claim, look, end, promotion } = await setup()
  const id = await going('5')
  await claim(id, { token: 't2', uncertainMs: 0 })
  await look(id, FOUND)
  const before = await promotion(id)

  expect(await end(id, next)).toEqual({ kind: 'stale', state: 'dispatched' })

  expect(await promotion(id)).toEqual(before)
})

test('once it counted as absent, a late answer that tells its run is believed: it is not sent again', async () => {
  const { inDoubt, absent, end, promotion, target, claim } = await setup()
  const id = await inDoubt()
  await absent(id)

  expect(await end(id, TAKEN)).toMatchObject({ kind: 'track' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77' })
  expect(await target()).toMatchObject({ inFlight: id, pending: '' })
  expect(await claim(id, { token: 't2' })).toEqual({ kind: 'done', state: 'dispatched' })
})

test('once it counted as absent, a late answer that tells no run changes nothing', async () => {
  const { inDoubt, absent, end, promotion } = await setup()
  const id = await inDoubt()
  await absent(id)
  const before = await promotion(id)

  for (const next of [AGAIN, REJECTED])
    expect(await end(id, next)).toEqual({ kind: 'stale', state: 'accepted' })

  expect(await promotion(id)).toEqual(before)
})

test('an unresolved promotion that is redriven is looked for again, with patience for new looks', async () => {
  const { inDoubt, look, ledger, claim, state, doubts } = await setup()
  const id = await inDoubt()
  await look(id, NOT_LISTED, { looksNeeded: 3 })
  await look(id, NOT_LISTED, { looksNeeded: 3 })
  await look(id, UNEXPLAINED)

  expect(await ledger.redrive(id, 1, 'eve')).toEqual({ kind: 'resolving' })

  expect(await doubts()).toEqual([id])
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  // The looks from before do not count.
  expect(await look(id, NOT_LISTED, { looksNeeded: 3 })).toEqual({ kind: 'patience' })
  expect(await look(id, NOT_LISTED, { looksNeeded: 3 })).toEqual({ kind: 'patience' })
  expect(await look(id, NOT_LISTED, { looksNeeded: 3 })).toMatchObject({ kind: 'again' })
  expect(await state(id)).toBe('accepted')
})

test('where titles are not proven to show ids, others wait until the one in doubt is resolved', async () => {
  const { inDoubt, accept, claim, look, correlation } = await setup()
  const unknown = await inDoubt()
  const other = await accept('1', { model: 'other' })

  expect(await claim(other.id)).toMatchObject({ kind: 'wait', code: 'resolving_other', waitMs: 5_000 })

  await correlation.learn(CD, { runId: '1', shows: true })
  expect(await claim(other.id)).toMatchObject({ kind: 'go' })
  await correlation.learn(CD, { runId: '2', shows: false })
  const third = await accept('1', { model: 'third' })
  expect(await claim(third.id)).toMatchObject({ kind: 'wait', code: 'resolving_other' })
  await look(unknown, FOUND)
  expect(await claim(third.id)).toMatchObject({ kind: 'go' })
})

test('an attempt of a workflow that refused the promotion id is never taken for proven, whatever older runs show', async () => {
  const { going, end, claim, accept, correlation, reader } = await setup()
  const id = await going('5')
  await end(id, AGAIN, { status: 422, adjust: { scope: CD, fields: ['input:promotion_id'] } })
  await claim(id, { token: 't2' })
  await end(id, UNKNOWN, { attempt: 2, token: 't2' })

  // The tracker looks at a run from before the input was taken out of the workflow.
  await correlation.learn(CD, { runId: '1', shows: true })

  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, unnamed: true }])
  const other = await accept('1', { model: 'other' })
  expect(await claim(other.id)).toMatchObject({ kind: 'wait', code: 'resolving_other' })
})

test('one that is skipped, superseded or settled is in doubt no more', async () => {
  const { inDoubt, look, ledger, doubts, claim } = await setup()
  const id = await inDoubt()
  await look(id, UNEXPLAINED)
  await ledger.redrive(id, 1, 'eve')
  await look(id, UNEXPLAINED)
  await ledger.settle(id, { absent: true }, 'eve')

  expect(await doubts()).toEqual([])
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2 })
})

test('the time in which a run could have been created is told from the intent on', async () => {
  const { inDoubt, intentWas, reader } = await setup()
  const id = await inDoubt()
  await intentWas(id, SEND_MS)

  const [doubtful] = await reader.inDoubt(CD)

  expect(doubtful?.why).toBe('unknown')
  expect(Date.now() - (doubtful?.since ?? 0)).toBeGreaterThanOrEqual(SEND_MS)
  expect(Date.now() - (doubtful?.doubtSince ?? 0)).toBeLessThan(SEND_MS)
})
