// Circuits in the ledger: what opens them, who may probe them, and what a probe's verdict does.
import { expect, test } from 'vitest'
import {
  AGAIN,
  behindCircuit,
  CD,
  setup as ledgerSetup,
  REJECTED,
  REPOSITORY,
  UNKNOWN,
} from './ledger-setup.ts'

async function setup() {
  const ledger = await ledgerSetup()
  let models = 0
  /** An attempt of a target of its own that ends so. */
  async function ends(next: Parameters<typeof ledger.end>[1], more: Parameters<typeof ledger.end>[2] = {}) {
    const id = await ledger.going('1', { model: `m${models++}` })
    return { id, recorded: await ledger.end(id, next, more) }
  }
  const fault = (next: Parameters<typeof ledger.end>[1] = AGAIN) => ends(next, { fault: true })
  return { ...ledger, ends, fault, open: () => ledger.reader.openCircuits() }
}

test('three faults in a row open the circuit of the repository, whoever met them', async () => {
  const { fault, open, reader } = await setup()
  await fault()
  await fault()
  expect(await open()).toEqual([])

  const { recorded } = await fault()

  expect(recorded).toMatchObject({ kind: 'again', opened: { scope: REPOSITORY, number: 1 } })
  const [circuit] = await open()
  expect(circuit).toMatchObject({ scope: REPOSITORY, reason: 'outage', detail: 'ended with again' })
  const pauseMs = (circuit?.untilMs ?? 0) - (await reader.nowMs())
  expect(pauseMs).toBeLessThanOrEqual(15_000)
  expect(pauseMs).toBeGreaterThan(10_000)
})

test('an unknown outcome counts as a fault too', async () => {
  const { ends, fault, open } = await setup()
  await fault()
  await fault()
  await ends(UNKNOWN, { fault: true, status: 502 })

  expect(await open()).toMatchObject([{ reason: 'outage' }])
})

test.each([
  ['a success', { kind: 'track', runId: '77' } as const, 200],
  ['a refusal', REJECTED, 422],
  ['anything else that GitHub answers', AGAIN, 422],
])('%s between them begins the count anew', async (_, next, status) => {
  const { ends, fault, open } = await setup()
  await fault()
  await fault()
  await ends(next, { status })
  await fault()
  await fault()

  expect(await open()).toEqual([])
})

test('what was not sent by our own doing counts neither way', async () => {
  const { ends, fault, open } = await setup()
  await fault()
  await fault()
  await ends(AGAIN)
  expect(await open()).toEqual([])

  await fault()

  expect(await open()).toHaveLength(1)
})

test('of many who would probe one does, and only once the pause is over', async () => {
  const { ends, circuits, redis, key } = await setup()
  await ends(behindCircuit(60_000))
  expect(await circuits.take(REPOSITORY)).toBeUndefined()
  await redis.hset(key('circuit', REPOSITORY), 'until', Date.now() - 1)

  const taken = await Promise.all(Array.from({ length: 10 }, () => circuits.take(REPOSITORY)))

  expect(taken.filter(Boolean)).toEqual([
    { scope: REPOSITORY, reason: 'credentials', detail: 'ended with again', number: 1 },
  ])
})

test('a person need not wait for the pause', async () => {
  const { ends, circuits } = await setup()
  await ends(behindCircuit(60_000))

  expect(await circuits.take(REPOSITORY, { now: true })).toMatchObject({ number: 1 })
})

test('a circuit that is not open is not probed', async () => {
  const { circuits } = await setup()

  expect(await circuits.take(REPOSITORY)).toBeUndefined()
  expect(await circuits.take(REPOSITORY, { now: true })).toBeUndefined()
})

async function due(world: Awaited<ReturnType<typeof setup>>) {
  await world.ends(behindCircuit(60_000))
  const circuit = await world.circuits.take(REPOSITORY, { now: true })
  if (!circuit) throw new Error('it is not open')
  return circuit
}

test('mended, it is closed and everybody may go; told twice it is only closed once', async () => {
  const world = await setup()
  const circuit = await due(world)

  expect(await world.circuits.settle(circuit, { kind: 'close' })).toEqual({ kind: 'closed' })

  expect(await world.open()).toEqual([])
  expect(await world.circuits.settle(circuit, { kind: 'close' })).toEqual({ kind: 'stale' })
  const { id } = await world.accept('1', { model: 'next' })
  expect(await world.claim(id)).toMatchObject({ kind: 'go' })
})

test('not mended, its pause doubles each time, and the reason is what GitHub says now', async () => {
  const world = await setup()
  await due(world)
  const pauses: number[] = []
  for (let probe = 1; probe <= 5; probe++) {
    const circuit = await world.circuits.take(REPOSITORY, { now: true })
    if (!circuit) throw new Error('it is not open')
    const settled = await world.circuits.settle(circuit, {
      kind: 'still_open',
      detail: `no, for time ${probe}`,
    })
    expect(settled).toEqual({ kind: 'open' })
    const [open] = await world.open()
    expect(open).toMatchObject({ number: 1, detail: `no, for time ${probe}` })
    pauses.push(Math.round(((open?.untilMs ?? 0) - (await world.reader.nowMs())) / 1_000))
  }

  expect(pauses).toEqual([120, 240, 480, 600, 600])
})

test('a verdict on an earlier opening does nothing to the present one', async () => {
  const world = await setup()
  const earlier = await due(world)
  await world.circuits.settle(earlier, { kind: 'close' })
  await world.ends(behindCircuit(60_000))

  expect(await world.circuits.settle(earlier, { kind: 'close' })).toEqual({ kind: 'stale' })

  expect(await world.open()).toMatchObject([{ number: 2 }])
})

test('half-open told twice lets one go, not two', async () => {
  const world = await setup()
  const circuit = await due(world)
  await world.redis.hincrby(world.key('circuit', REPOSITORY), 'failedAt', -1_000)
  await world.circuits.settle(circuit, { kind: 'half_open' })
  const [one, two] = [await world.accept('1', { model: 'one' }), await world.accept('1', { model: 'two' })]
  expect(await world.claim(one.id)).toMatchObject({ kind: 'go' })

  expect(await world.circuits.settle(circuit, { kind: 'half_open' })).toEqual({ kind: 'half_open' })

  expect(await world.claim(two.id)).toMatchObject({ kind: 'wait', code: 'circuit' })
})

test('a probe that fails opens it again, with a longer pause and under the same number', async () => {
  const world = await setup()
  await world.ends(behindCircuit(60_000))
  await world.halfOpen()

  const { recorded } = await world.ends(behindCircuit(60_000))

  expect(recorded).not.toHaveProperty('opened')
  const [circuit] = await world.open()
  expect(circuit).toMatchObject({ number: 1 })
  expect((circuit?.untilMs ?? 0) - (await world.reader.nowMs())).toBeGreaterThan(100_000)
  const { id } = await world.accept('1', { model: 'next' })
  expect(await world.claim(id)).toMatchObject({ kind: 'wait', code: 'circuit' })
})

test('an answer that only the workflow is at fault for closes the circuit of the repository', async () => {
  const world = await setup()
  await world.ends(behindCircuit(60_000, REPOSITORY))
  await world.halfOpen()

  const { recorded } = await world.ends(behindCircuit(60_000, CD), { status: 404 })

  expect(recorded).toMatchObject({
    opened: { scope: CD, number: 1 },
    closed: [{ scope: REPOSITORY, number: 1 }],
  })
  expect(await world.open()).toMatchObject([{ scope: CD }])
})

test('a person who asks for a probe ends the pause, for one prober', async () => {
  const { ends, circuits } = await setup()
  await ends(behindCircuit(600_000))
  expect(await circuits.take(REPOSITORY)).toBeUndefined()

  expect(await circuits.ask(REPOSITORY)).toEqual({ kind: 'asked', number: 1 })
  const due = await circuits.take(REPOSITORY)
  expect(due).toMatchObject({ scope: REPOSITORY, number: 1 })
  // While somebody looks already, nobody else does.
  expect(await circuits.ask(REPOSITORY)).toEqual({ kind: 'asked', number: 1 })
  expect(await circuits.take(REPOSITORY)).toBeUndefined()
})

test('a circuit that is closed, or lets a promotion go as its probe, is not probed', async () => {
  const { ends, circuits, halfOpen } = await setup()
  expect(await circuits.ask(REPOSITORY)).toEqual({ kind: 'closed' })
  await ends(behindCircuit(600_000))
  await halfOpen()
  expect(await circuits.ask(REPOSITORY)).toEqual({ kind: 'half_open' })
})
