// Who is woken when a circuit closes or turns half-open, and who is not.
import { expect, test } from 'vitest'
import type { Wake } from '../../shared/ledger/steps.ts'
import { createWakeWaiting } from '../../worker/wake-waiting.ts'
import { AGAIN, behindCircuit, setup as ledgerSetup } from './ledger-setup.ts'

async function setup() {
  const ledger = await ledgerSetup()
  const woken: Wake[] = []
  const wakeWaiting = createWakeWaiting({
    ledger: ledger.ledger,
    reader: ledger.reader,
    wake: async (next) => void woken.push(next),
  })
  /** So many promotions wait behind the circuit, each of a target of its own; longest waiting first. */
  async function behind(count: number): Promise<string[]> {
    const ids = [await ledger.going('1', { model: 'm0' })]
    await ledger.end(ids[0] ?? '', behindCircuit(60_000))
    for (let n = 1; n < count; n++) {
      const { id } = await ledger.accept('1', { model: `m${n}` })
      await ledger.claim(id, { token: id })
      ids.push(id)
    }
    return ids
  }
  return { ...ledger, wakeWaiting, woken, behind }
}

test('all that wait behind a circuit are woken, each with a job number of its own', async () => {
  const { behind, wakeWaiting, woken } = await setup()
  const ids = await behind(5)

  expect(await wakeWaiting('all')).toBe(5)

  expect(woken.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect(woken.map(({ job }) => job)).toEqual([2, 2, 2, 2, 2])
})

test('more than are read at once are all woken', async () => {
  const { behind, wakeWaiting, woken } = await setup()
  const ids = await behind(230)

  expect(await wakeWaiting('all')).toBe(230)

  expect(woken.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
})

test('as the probe goes the one that has waited longest, and nobody else', async () => {
  const { behind, wakeWaiting, woken } = await setup()
  const [first] = await behind(3)

  expect(await wakeWaiting('one')).toBe(1)

  expect(woken).toEqual([{ id: first, job: 2 }])
})

test('who waits for something else is not woken', async () => {
  const { accept, claim, going, end, dispatched, wakeWaiting, woken } = await setup()
  await dispatched('5')
  await claim((await accept('6')).id)
  await end(await going('1', { model: 'backing off' }), { ...AGAIN, delayMs: 60_000 })
  await accept('1', { model: 'not claimed yet' })

  expect(await wakeWaiting('all')).toBe(0)
  expect(await wakeWaiting('one')).toBe(0)
  expect(woken).toEqual([])
})

test('woken twice it gets a second number: BullMQ drops an id that still exists', async () => {
  const { behind, wakeWaiting, woken } = await setup()
  await behind(1)

  await wakeWaiting('all')
  await wakeWaiting('all')

  expect(woken.map(({ job }) => job)).toEqual([2, 3])
})
