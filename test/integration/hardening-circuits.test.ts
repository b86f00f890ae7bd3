// Attempts that were in the air when a circuit last failed: what they tell is older than what is known.
import { expect, test } from 'vitest'
import { behindCircuit, CD, setup as ledgerSetup, REPOSITORY } from './ledger-setup.ts'

const TAKEN = { kind: 'track', runId: '1' } as const

async function setup() {
  const ledger = await ledgerSetup()
  const { redis, key, going, end, reader } = ledger
  /** Two in the air, of which the second opens the circuit. */
  async function opened(first: Parameters<typeof behindCircuit> = [60_000]) {
    const early = await going('1', { model: 'early' })
    await end(await going('1', { model: 'failing' }), behindCircuit(...first), { status: 401 })
    return early
  }
  const circuit = async (scope = REPOSITORY) =>
    redis.hgetall(key('circuit', scope)) as Promise<Record<string, string>>
  return {
    ...ledger,
    opened,
    circuit,
    leftMs: async () => Number((await circuit()).until) - (await reader.nowMs()),
  }
}

test('a success of one that was in the air does not close it', async () => {
  const { opened, end, claim, accept, reader } = await setup()
  const early = await opened()

  const recorded = await end(early, TAKEN, { status: 200 })

  expect(recorded).toMatchObject({ kind: 'track' })
  expect(recorded).not.toHaveProperty('closed')
  expect(await reader.openCircuits()).toHaveLength(1)
  expect(await claim((await accept('1')).id)).toMatchObject({ kind: 'wait', code: 'circuit' })
})

test('a failure of one that was in the air neither counts nor stretches the pause', async () => {
  const { opened, end, circuit, leftMs } = await setup()
  const early = await opened()

  expect(await end(early, behindCircuit(60_000), { status: 401 })).not.toHaveProperty('opened')

  expect(await circuit()).toMatchObject({ failures: '1' })
  expect(await leftMs()).toBeLessThanOrEqual(60_000)
})

test('a later time that GitHub names is kept all the same, an earlier one is not', async () => {
  const { opened, going, end, leftMs } = await setup()
  const early = await opened([60_000, REPOSITORY, true])
  await end(early, behindCircuit(1_000, REPOSITORY, true), { status: 429 })
  expect(await leftMs()).toBeGreaterThan(55_000)

  const later = await setup()
  const other = await later.opened([1_000, REPOSITORY, true])
  await later.end(other, behindCircuit(60_000, REPOSITORY, true), { status: 429 })
  expect(await later.leftMs()).toBeGreaterThan(55_000)
  void going
})

test('the failure of one that was in the air does not take the probe of a half-open circuit away', async () => {
  const { opened, end, halfOpen, claim, accept, redis, key } = await setup()
  const early = await opened()
  await halfOpen()
  await redis.hincrby(key('circuit', REPOSITORY), 'failedAt', 1_000)
  const probe = await accept('1', { model: 'probe' })
  expect(await claim(probe.id)).toMatchObject({ kind: 'go' })

  await end(early, behindCircuit(60_000), { status: 401 })

  const third = await accept('1', { model: 'third' })
  expect(await claim(third.id)).toMatchObject({ kind: 'wait', code: 'circuit' })
  await redis.hincrby(key('circuit', REPOSITORY), 'failedAt', -2_000)
  expect(await end(probe.id, TAKEN, { status: 200 })).toMatchObject({
    closed: [{ scope: REPOSITORY, number: 1 }],
  })
  expect(await claim(third.id)).toMatchObject({ kind: 'go' })
})

test.each([
  ['backs off', { kind: 'again', delayMs: 0, spend: false }],
  ['has had its last try', { kind: 'dead_letter', exhausted: true }],
] as const)('a probe that sent nothing and %s leaves the circuit to the next one', async (_, next) => {
  const { opened, halfOpen, accept, claim, end, reader, redis, key } = await setup()
  await opened([0, CD])
  await halfOpen(CD)
  const probe = await accept('1', { model: 'probe' })
  expect(await claim(probe.id)).toMatchObject({ kind: 'go' })

  await end(probe.id, next, { status: 0 })

  expect(await reader.openCircuits()).toHaveLength(1)
  const third = await accept('1', { model: 'third' })
  expect(await claim(third.id)).toMatchObject({ kind: 'wait', code: 'circuit' })
  await redis.hset(key('circuit', CD), 'probeUntil', Date.now() - 1)
  expect(await claim(third.id)).toMatchObject({ kind: 'go' })
})
