import { expect, test } from 'vitest'
import { AGAIN, behindCircuit, CD, EXHAUSTED, REJECTED, REPOSITORY, setup, UNKNOWN } from './ledger-setup.ts'

test('dispatched: the run is followed, and the target stays taken', async () => {
  const { going, end, promotion, target, reader, told } = await setup()
  const id = await going('5')

  const recorded = await end(id, { kind: 'track', runId: '77', runUrl: 'https://ci/77' }, { status: 200 })

  expect(recorded).toMatchObject({ kind: 'track', job: 1 })
  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', runUrl: 'https://ci/77' })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await reader.ownerOf('77')).toBe(id)
  expect(await told(id)).toEqual(['accepted', 'dispatching', 'outcome', 'dispatched'])
  expect((await reader.timeline(id))[2]).toMatchObject({ attempt: 1, status: 200, outcome: 'track' })
})

test('again: the place is free, the promotion waits in its turn, and the attempt counts if it is to', async () => {
  const { going, end, promotion, target, claim } = await setup()
  const id = await going('5')

  expect(await end(id, { ...AGAIN, delayMs: 0 })).toEqual({ kind: 'again', waitMs: 0 })

  expect(await promotion(id)).toMatchObject({ state: 'accepted', reason: 'ended with again' })
  expect(await target()).toMatchObject({ inFlight: '', pending: id })
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 1 })
  await end(id, { kind: 'again', delayMs: 0, spend: false }, { attempt: 2, token: 't2' })
  expect(await claim(id, { token: 't3' })).toMatchObject({ kind: 'go', attempt: 3, spent: 1 })
})

test('dead letter: numbered, with its reason, and the target is free', async () => {
  const { going, end, promotion, target, reader } = await setup()
  const id = await going('5')

  const recorded = await end(id, REJECTED, { detail: 'missing input', status: 422 })

  expect(recorded).toEqual({ kind: 'dead_letter', deadLetter: 1 })
  expect(await promotion(id)).toMatchObject({
    state: 'dead_lettered',
    reason: 'missing input',
    deadLetters: 1,
  })
  expect(await target()).toMatchObject({ inFlight: '', pending: '' })
  expect(await reader.triggers(60)).toEqual({ good: 0, bad: 1 })
})

test('unknown: in doubt, and it keeps the place of its target until its run is looked for', async () => {
  const { going, end, accept, claim, promotion, reader, target, told } = await setup()
  const id = await going('5')

  expect(await end(id, UNKNOWN, { recheckMs: 7_000 })).toEqual({ kind: 'resolving', waitMs: 7_000 })

  expect(await promotion(id)).toMatchObject({ state: 'dispatching', deadLetters: 0 })
  expect(await told(id)).toEqual(['accepted', 'dispatching', 'outcome', 'in_doubt'])
  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, why: 'unknown' }])
  expect(await reader.triggers(60)).toEqual({ good: 0, bad: 0 })
  expect(await target()).toMatchObject({ inFlight: id })
  const newer = await accept('6')
  expect(await claim(newer.id)).toMatchObject({ kind: 'wait', code: 'in_flight', detail: '5' })
})

test.each([
  ['track', { kind: 'track', runId: '77', runUrl: 'u' }],
  ['again', AGAIN],
  ['dead letter', REJECTED],
  ['exhausted', EXHAUSTED],
  ['unknown', UNKNOWN],
] as const)('the outcome %s told twice answers the same and counts once', async (_, next) => {
  const { going, end, promotion, reader, told } = await setup()
  const id = await going('5')
  const first = await end(id, next)
  const after = { promotion: await promotion(id), told: await told(id), triggers: await reader.triggers(60) }

  expect(await end(id, next)).toEqual(first)

  expect({
    promotion: await promotion(id),
    told: await told(id),
    triggers: await reader.triggers(60),
  }).toEqual(after)
})

test("an outcome told with another attempt's token is refused and changes nothing", async () => {
  const { going, end, promotion } = await setup()
  const id = await going('5')
  const before = await promotion(id)

  expect(await end(id, REJECTED, { token: 'of somebody else' })).toEqual({
    kind: 'stale',
    state: 'dispatching',
  })
  expect(await end('p-nobody', REJECTED)).toEqual({ kind: 'stale', state: 'unknown' })

  expect(await promotion(id)).toEqual(before)
})

test("an attempt's outcome is not taken once the next attempt has begun", async () => {
  const { going, claim, end, promotion } = await setup()
  const id = await going('5')
  await end(id, AGAIN)
  await claim(id, { token: 't2' })

  expect(await end(id, REJECTED)).toEqual({ kind: 'stale', state: 'dispatching' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatching', attempts: 2 })
})

test('a late answer that says which run it was makes an unresolved promotion dispatched', async () => {
  const { unresolved, end, promotion, target, reader } = await setup()
  const id = await unresolved('5')

  expect(await end(id, { kind: 'track', runId: '77' })).toMatchObject({ kind: 'track' })

  expect(await promotion(id)).toMatchObject({ state: 'dispatched', runId: '77', reason: '' })
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await reader.ownerOf('77')).toBe(id)
})

test('a late answer that nothing was sent puts an unresolved promotion back, or gives way to a newer one', async () => {
  const { unresolved, accept, end, state, target } = await setup()
  const alone = await unresolved('5')
  expect(await end(alone, AGAIN)).toMatchObject({ kind: 'again' })
  expect(await state(alone)).toBe('accepted')
  expect(await target()).toMatchObject({ inFlight: '', pending: alone })

  const staging = { environment: 'staging' }
  const overtaken = await unresolved('5', staging)
  const newer = await accept('6', staging)
  expect(await end(overtaken, AGAIN)).toEqual({
    kind: 'superseded',
    by: newer.id,
    wake: { id: newer.id, job: 2 },
  })
  expect(await state(overtaken)).toBe('superseded')
  expect(await target('staging/fraud-detector')).toMatchObject({ inFlight: '', pending: newer.id })
})

test('a late refusal makes an unresolved promotion an ordinary dead letter with a number of its own', async () => {
  const { unresolved, end, promotion, target } = await setup()
  const id = await unresolved('5')

  expect(await end(id, REJECTED)).toMatchObject({ kind: 'dead_letter', deadLetter: 2 })

  expect(await promotion(id)).toMatchObject({ state: 'dead_lettered', deadLetters: 2 })
  expect(await target()).toMatchObject({ inFlight: '' })
})

test('a late answer that knows nothing either changes nothing', async () => {
  const { dispatched, unresolved, end, promotion } = await setup()
  const id = await unresolved('5')
  const before = await promotion(id)
  await end(id, UNKNOWN, { detail: 'no answer', outcome: 'unknown' })
  expect(await promotion(id)).toEqual(before)

  const followed = await dispatched('5', { model: 'other' })
  expect(await end(followed.id, UNKNOWN)).toEqual({ kind: 'stale', state: 'dispatched' })
})

test.each([
  ['backs off', AGAIN],
  ['has had its last try', EXHAUSTED],
  ['meets a circuit', behindCircuit(30_000)],
] as const)('an attempt that sent nothing and %s gives way to a newer promotion', async (_, next) => {
  const { going, accept, end, promotion, target, claim } = await setup()
  const id = await going('5')
  const newer = await accept('6')

  const gaveWay = { kind: 'superseded', by: newer.id, wake: { id: newer.id, job: 2 } }
  const opened = 'circuit' in next ? { opened: { scope: REPOSITORY, number: 1 } } : {}
  expect(await end(id, next)).toEqual({ ...gaveWay, ...opened })

  expect(await promotion(id)).toMatchObject({ state: 'superseded', supersededBy: newer.id, deadLetters: 0 })
  expect(await target()).toMatchObject({ inFlight: '', pending: newer.id })
  const kind = 'circuit' in next ? 'wait' : 'go'
  expect(await claim(newer.id)).toMatchObject({ kind })
})

test('a refused promotion is dead-lettered also with a newer one waiting, and that one is woken', async () => {
  const { going, accept, end, state } = await setup()
  const id = await going('5')
  const newer = await accept('6')

  expect(await end(id, REJECTED)).toEqual({
    kind: 'dead_letter',
    deadLetter: 1,
    wake: { id: newer.id, job: 2 },
  })
  expect(await state(id)).toBe('dead_lettered')
})

test('a circuit opens with its reason, is open longer each time, and at most ten minutes', async () => {
  const { going, claim, end, reader, halfOpen } = await setup()
  const id = await going('5')
  const waits: number[] = []
  for (let attempt = 1; attempt <= 6; attempt++) {
    const token = attempt === 1 ? `token of ${id}` : `t${attempt}`
    const recorded = await end(id, behindCircuit(60_000), { attempt, token })
    if (recorded.kind !== 'again') throw new Error(JSON.stringify(recorded))
    expect(recorded.opened).toEqual(attempt === 1 ? { scope: REPOSITORY, number: 1 } : undefined)
    const [circuit] = await reader.openCircuits()
    waits.push(Math.round(((circuit?.untilMs ?? 0) - (await reader.nowMs())) / 1_000) * 1_000)
    await halfOpen()
    expect(await claim(id, { token: `t${attempt + 1}` })).toMatchObject({ kind: 'go' })
  }

  expect(waits).toEqual([60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
  expect(await reader.openCircuits()).toMatchObject([
    { scope: REPOSITORY, reason: 'credentials', detail: 'ended with again' },
  ])
})

test('a circuit that GitHub named the time of is open for just that time', async () => {
  const { going, claim, end, reader, halfOpen } = await setup()
  const id = await going('5')
  await end(id, behindCircuit(60_000))
  await halfOpen()
  await claim(id, { token: 't2' })

  const recorded = await end(id, behindCircuit(7_000, REPOSITORY, true), { attempt: 2, token: 't2' })

  expect(recorded).toEqual({ kind: 'again', waitMs: 0 })
  const [circuit] = await reader.openCircuits()
  expect((circuit?.untilMs ?? 0) - Date.now()).toBeLessThanOrEqual(7_000)
})

test('a success closes the circuits of the repository and of the workflow', async () => {
  const { going, claim, end, reader, halfOpen } = await setup()
  const one = await going('1', { model: 'one' })
  const two = await going('1', { model: 'two' })
  await end(one, behindCircuit(60_000, REPOSITORY))
  await end(two, behindCircuit(60_000, CD))
  expect(await reader.openCircuits()).toHaveLength(2)
  for (const scope of [REPOSITORY, CD]) await halfOpen(scope)

  expect(await claim(one, { token: 't2' })).toMatchObject({ kind: 'go' })
  const recorded = await end(one, { kind: 'track', runId: '1' }, { attempt: 2, token: 't2', status: 200 })

  expect(recorded).toMatchObject({
    closed: [
      { scope: REPOSITORY, number: 1 },
      { scope: CD, number: 1 },
    ],
  })
  expect(await reader.openCircuits()).toEqual([])
  expect(await claim(two, { token: 't2' })).toMatchObject({ kind: 'go' })
})

test('attempts that were in the air together open a circuit once: its pause does not grow for each of them', async () => {
  const { going, end, reader } = await setup()
  const ids = await Promise.all(Array.from({ length: 8 }, (_, n) => going('1', { model: `m${n}` })))

  const recorded = await Promise.all(ids.map((id) => end(id, behindCircuit(1_000))))

  for (const one of recorded) {
    if (one.kind !== 'again') throw new Error(JSON.stringify(one))
    expect(one.waitMs).toBeLessThanOrEqual(1_000)
  }
  const [circuit] = await reader.openCircuits()
  expect((circuit?.untilMs ?? 0) - Date.now()).toBeLessThanOrEqual(1_000)
})

test('an attempt from before a circuit opened does not cut its time short', async () => {
  const { going, end, reader } = await setup()
  const early = await going('1', { model: 'early' })
  await end(await going('1', { model: 'throttled' }), behindCircuit(60_000, REPOSITORY, true))

  await end(early, behindCircuit(1_000))

  const [circuit] = await reader.openCircuits()
  expect((circuit?.untilMs ?? 0) - Date.now()).toBeGreaterThan(55_000)
})

test('what a workflow refuses is remembered for it, for a day', async () => {
  const { going, end, claim, accept, redis, key } = await setup()
  const id = await going('5')
  await end(id, AGAIN, { adjust: { scope: CD, fields: ['input:environment', 'run_details'] } })

  const go = await claim(id, { token: 't2' })
  if (go.kind !== 'go') throw new Error()
  expect(go.refused.split(',').sort()).toEqual(['input:environment', 'run_details'])
  expect(await redis.pttl(key('adjustments', CD))).toBeGreaterThan(23 * 3_600_000)
  const other = await accept('1', { model: 'other' })
  expect(await claim(other.id, { workflow: 'other.yml' })).toMatchObject({ kind: 'go', refused: '' })
})

test('text that is no well-formed Unicode does not stop an outcome from being recorded', async () => {
  const { going, end, promotion } = await setup()
  const id = await going('5')

  await end(id, REJECTED, { detail: 'cut in the middle of \ud83e' })

  expect(await promotion(id)).toMatchObject({ state: 'dead_lettered', reason: 'cut in the middle of �' })
})
