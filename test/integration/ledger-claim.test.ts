import { expect, test } from 'vitest'
import { AGAIN, behindCircuit, CD, REPOSITORY, setup, UNKNOWN } from './ledger-setup.ts'

test('go records the intent and takes the place of the target before anything is sent', async () => {
  const { accept, claim, promotion, reader, target, told } = await setup()
  const { id } = await accept('5', { accuracy: 0.9234 })

  const go = await claim(id, { token: 't1', worker: 'w7' })

  expect(go).toMatchObject({ kind: 'go', attempt: 1, spent: 0, token: 't1', refused: '' })
  expect(go).toMatchObject({ promotion: { id, model: 'fraud-detector', version: '5', accuracy: 0.9234 } })
  expect(await promotion(id)).toMatchObject({ state: 'dispatching', attempts: 1 })
  expect(await target()).toMatchObject({ inFlight: id, pending: '' })
  expect(await told(id)).toEqual(['accepted', 'dispatching'])
  expect((await reader.timeline(id)).at(-1)).toMatchObject({ attempt: 1, worker: 'w7' })
})

test('the same claim sent again gets the same go and spends nothing', async () => {
  const { accept, claim, promotion, told } = await setup()
  const { id } = await accept('5')
  const first = await claim(id, { token: 't1' })

  const again = await claim(id, { token: 't1' })

  expect(again).toEqual({ ...first, promotion: expect.objectContaining({ id, state: 'dispatching' }) })
  expect(await promotion(id)).toMatchObject({ attempts: 1 })
  expect(await told(id)).toEqual(['accepted', 'dispatching'])
})

test('nobody else may go while an attempt may still be under way', async () => {
  const { going, claim } = await setup()
  const id = await going('5')

  const other = await claim(id, { token: 't2', worker: 'w2' })

  expect(other).toMatchObject({ kind: 'wait', code: 'earlier_attempt', detail: 'w1' })
  if (other.kind !== 'wait') throw new Error()
  expect(other.waitMs).toBeGreaterThan(39_000)
  expect(other.waitMs).toBeLessThanOrEqual(40_000)
})

test('an attempt that told nothing for too long goes into doubt, and is never sent again on a guess', async () => {
  const { going, claim, state, reader, told, target } = await setup()
  const id = await going('5')

  const other = { token: 't2', uncertainMs: 0, recheckMs: 7_000 }
  expect(await claim(id, other)).toMatchObject({ kind: 'wait', code: 'resolving', waitMs: 7_000 })
  expect(await claim(id, { ...other, token: 't3' })).toMatchObject({ kind: 'wait', code: 'resolving' })

  expect(await state(id)).toBe('dispatching')
  expect(await target()).toMatchObject({ inFlight: id })
  expect(await reader.inDoubt(CD)).toMatchObject([{ promotion: { id }, why: 'unknown', looks: 0 }])
  expect((await told(id)).filter((what) => what === 'in_doubt')).toHaveLength(1)
})

test('a claim in doubt is not given again to its own token either', async () => {
  const { going, claim, end } = await setup()
  const id = await going('5')
  await end(id, UNKNOWN)

  expect(await claim(id)).toMatchObject({ kind: 'wait', code: 'resolving' })
})

test('ten attempts in a row that told no outcome make a dead letter, and free the target', async () => {
  const { accept, claim, promotion, target, ledger, look } = await setup()
  const { id } = await accept('5')
  for (let attempt = 1; attempt <= 10; attempt++) {
    expect(await claim(id, { token: `t${attempt}` })).toMatchObject({ kind: 'go', attempt })
    await claim(id, { token: 'another', uncertainMs: 0 })
    const absent = await look(id, { kind: 'not_listed' }, { attempt, maxAttempts: 100 })
    expect(absent).toMatchObject({ kind: 'again' })
  }

  expect(await claim(id, { token: 't11' })).toEqual({ kind: 'dead_letter', deadLetter: 1 })

  expect(await promotion(id)).toMatchObject({ state: 'dead_lettered', attempts: 10 })
  expect(await target()).toMatchObject({ inFlight: '', pending: '' })
  await ledger.redrive(id, 1, 'eve')
  expect(await claim(id, { token: 't12' })).toMatchObject({ kind: 'go', attempt: 11 })
})

test('a promotion that nobody knows, or that is past its turn, has nothing to claim', async () => {
  const { claim, deployed, deadLettered, unresolved, dispatched } = await setup()

  expect(await claim('p-nobody')).toEqual({ kind: 'done', state: 'unknown' })
  expect(await claim(await deployed('1'))).toEqual({ kind: 'done', state: 'deployed' })
  expect(await claim(await deadLettered('2'))).toEqual({ kind: 'done', state: 'dead_lettered' })
  expect(await claim((await dispatched('3')).id)).toEqual({ kind: 'done', state: 'dispatched' })
  const other = { environment: 'staging' }
  expect(await claim(await unresolved('4', other))).toEqual({ kind: 'done', state: 'unresolved' })
})

test('a promotion that is not the one its target waits for gives way, whatever brought that about', async () => {
  const { accept, claim, promotion, redis, key } = await setup()
  const { id } = await accept('5')
  const target = key('target', 'production/fraud-detector')
  await redis.hset(target, { pending: 'p-other', newest: 'p-other' })

  expect(await claim(id)).toEqual({ kind: 'done', state: 'superseded' })

  expect(await promotion(id)).toMatchObject({ state: 'superseded', supersededBy: 'p-other', attempts: 0 })
})

test('with the trigger off a promotion is skipped, and its target is free for the next', async () => {
  const { accept, claim, promotion, target, told } = await setup()
  const { id } = await accept('5')

  expect(await claim(id, { enabled: false })).toEqual({ kind: 'done', state: 'skipped' })

  expect(await promotion(id)).toMatchObject({ state: 'skipped', reason: expect.stringMatching(/ENABLE_CD/) })
  expect(await target()).toMatchObject({ pending: '' })
  expect(await told(id)).toEqual(['accepted', 'skipped'])
  expect(await claim((await accept('6')).id)).toMatchObject({ kind: 'go' })
})

test('a promotion waits behind the one of its target that is in flight, and is told which', async () => {
  const { accept, claim, dispatched, finish } = await setup()
  const { id, run } = await dispatched('5')
  const next = await accept('6')

  expect(await claim(next.id, { recheckMs: 7_000 })).toEqual({
    kind: 'wait',
    code: 'in_flight',
    detail: '5',
    waitMs: 7_000,
  })
  expect(await claim((await accept('6', { environment: 'staging' })).id)).toMatchObject({ kind: 'go' })

  await finish(id, run)
  expect(await claim(next.id)).toMatchObject({ kind: 'go' })
})

test('a promotion waits while its target is held', async () => {
  const { accept, claim, redis, key } = await setup()
  const { id } = await accept('5')
  await redis.hset(
    key('target', 'production/fraud-detector'),
    'hold',
    '{"kind":"person","by":"alice","why":"audit","since":0}',
  )

  expect(await claim(id)).toMatchObject({
    kind: 'wait',
    code: 'held',
    detail: 'alice: audit',
    waitMs: 60_000,
  })

  await redis.hset(key('target', 'production/fraud-detector'), 'hold', '')
  expect(await claim(id)).toMatchObject({ kind: 'go' })
})

test('a promotion that backs off waits as long as it was told to, and says what for', async () => {
  const { going, claim, end, redis, key } = await setup()
  const id = await going('5')
  await end(id, { ...AGAIN, delayMs: 5_000 }, { detail: 'connection refused' })

  const early = await claim(id, { token: 't2' })
  expect(early).toMatchObject({ kind: 'wait', code: 'back_off', detail: 'connection refused' })
  if (early.kind !== 'wait') throw new Error()
  expect(early.waitMs).toBeGreaterThan(4_000)
  expect(early.waitMs).toBeLessThanOrEqual(5_000)

  await redis.hset(key('promotion', id), 'notBefore', Date.now() - 1)
  expect(await claim(id, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 1 })
})

test('each new reason to wait is told once, however often it is asked', async () => {
  const { accept, claim, dispatched, reader, told } = await setup()
  await dispatched('5')
  const { id } = await accept('6')

  for (let look = 0; look < 3; look++) await claim(id)

  expect(await told(id)).toEqual(['accepted', 'waiting'])
  expect((await reader.promotion(id))?.wait).toMatchObject({ code: 'in_flight', detail: '5' })
})

test('slots of the rate budget are reserved one after another, for each repository by itself', async () => {
  const { accept, claim } = await setup()
  const ids = await Promise.all([1, 2, 3, 4].map((n) => accept('1', { model: `m${n}` })))
  const ask = (n: number, repository = REPOSITORY) =>
    claim(ids[n]?.id ?? '', { slotMs: 10_000, repository, token: `t${n}` })
  const waits = async (n: number) => {
    const answer = await ask(n)
    if (answer.kind !== 'wait' || answer.code !== 'rate') throw new Error(JSON.stringify(answer))
    return answer.waitMs
  }

  expect(await ask(0)).toMatchObject({ kind: 'go' })
  const second = await waits(1)
  const third = await waits(2)

  expect(second).toBeGreaterThan(9_000)
  expect(second).toBeLessThanOrEqual(10_000)
  expect(third).toBeGreaterThan(19_000)
  expect(third).toBeLessThanOrEqual(20_000)
  // Asking again takes no further slot.
  expect(await waits(1)).toBeLessThanOrEqual(second)
  expect(await ask(3, 'acme/other')).toMatchObject({ kind: 'go' })
})

test('old slots that nobody used make no burst: all but one get new ones', async () => {
  const { accept, claim, redis, key } = await setup()
  const ids = await Promise.all([1, 2, 3].map((n) => accept('1', { model: `m${n}` })))
  const past = Date.now() - 60_000
  for (const [n, { id }] of ids.entries()) await redis.hset(key('promotion', id), 'slotAt', past + n * 1_000)

  const answers = []
  for (const { id } of ids) answers.push(await claim(id, { slotMs: 1_000, token: id }))

  expect(answers.map(({ kind }) => kind)).toEqual(['go', 'wait', 'wait'])
})

test('a newer version takes over the slot of the one that it replaces: however many come, a target has one', async () => {
  const { accept, claim } = await setup()
  const ask = async (version: string, model: string) => {
    const { id } = await accept(version, { model })
    return claim(id, { slotMs: 10_000, token: id })
  }
  expect(await ask('1', 'first')).toMatchObject({ kind: 'go' })

  const waits: number[] = []
  for (const version of ['1', '2', '3']) {
    const answer = await ask(version, 'second')
    if (answer.kind !== 'wait' || answer.code !== 'rate') throw new Error(JSON.stringify(answer))
    waits.push(answer.waitMs)
  }
  const other = await ask('1', 'third')

  expect(Math.max(...waits)).toBeLessThanOrEqual(10_000)
  if (other.kind !== 'wait' || other.code !== 'rate') throw new Error(JSON.stringify(other))
  expect(other.waitMs).toBeGreaterThan(14_000)
  expect(other.waitMs).toBeLessThanOrEqual(20_000)
})

test('a slot is used by the one that reserved it once its time has come', async () => {
  const { accept, claim, redis, key } = await setup()
  const { id } = await accept('1')
  await redis.hset(key('promotion', id), 'slotAt', Date.now() - 500)
  await redis.set(key('rate', REPOSITORY), Date.now() + 30_000)

  expect(await claim(id, { slotMs: 1_000 })).toMatchObject({ kind: 'go' })
})

test.each([
  ['the repository', REPOSITORY],
  ['the workflow', CD],
])('everybody waits while a circuit of %s is open, and is told why', async (_, scope) => {
  const { going, accept, claim, end } = await setup()
  await end(await going('5'), behindCircuit(30_000, scope), { detail: 'Bad credentials' })
  const { id } = await accept('1', { model: 'other' })

  const answer = await claim(id)

  expect(answer).toMatchObject({ kind: 'wait', code: 'circuit', detail: `${scope}: Bad credentials` })
  if (answer.kind !== 'wait') throw new Error()
  // It is woken when the circuit closes: until then it need not look at the circuit's own pace.
  expect(answer.waitMs).toBe(60_000)
  expect(await claim(id, { repository: 'acme/other' })).toMatchObject({ kind: 'go' })
})

test('the time of a circuit alone lets nobody go: it is probed by reading first', async () => {
  const { going, accept, claim, end, redis, key } = await setup()
  await end(await going('5'), behindCircuit(30_000))
  const { id } = await accept('1', { model: 'other' })
  await redis.hset(key('circuit', REPOSITORY), 'until', Date.now() - 1)

  expect(await claim(id)).toMatchObject({ kind: 'wait', code: 'circuit' })
})

test('half-open, one goes and probes; the others wait for what it learns', async () => {
  const { going, accept, claim, end, halfOpen } = await setup()
  const broken = await going('5')
  await end(broken, behindCircuit(30_000))
  const { id: other } = await accept('1', { model: 'other' })
  await halfOpen()

  expect(await claim(other)).toMatchObject({ kind: 'go' })
  expect(await claim(broken, { token: 't2' })).toMatchObject({ kind: 'wait', code: 'circuit' })

  await end(other, { kind: 'track', runId: '1' }, { status: 200 })
  expect(await claim(broken, { token: 't2' })).toMatchObject({ kind: 'go', attempt: 2, spent: 0 })
})
