// What the relay remembers of the registry: hints that come at once, by several servers.
import { expect, onTestFinished, test } from 'vitest'
import { createNotes, type Hint } from '../../producer/registry/notes.ts'
import { setup as ledgerSetup } from './ledger-setup.ts'

const AT = 1_785_000_000_000
const hint = (version: string, afterMs: number, model = 'fraud-detector'): Hint => ({
  ...{ mapping: 'alias:champion:production', model, version },
  at: AT + afterMs,
})
const OLDER = hint('6', 0)
const NEWER = hint('7', 1_000)

/** Two servers. */
async function setup() {
  const { redis } = await ledgerSetup()
  const second = redis.duplicate()
  onTestFinished(() => second.disconnect())
  return { here: createNotes({ redis }), there: createNotes({ redis: second }) }
}

test('of several about one alias the latest is kept, in whatever order they come', async () => {
  const { here } = await setup()
  const other = hint('1', 0, 'churn')
  for (const one of [OLDER, NEWER, OLDER, other]) await here.keepHint(one)
  expect((await here.hints()).toSorted((a, b) => b.at - a.at)).toEqual([NEWER, other])
})

test('and also when they come at once', async () => {
  const { here, there } = await setup()
  for (let round = 0; round < 50; round++) {
    const [older, newer] = [hint('6', round * 10), hint('7', round * 10 + 5)]
    await Promise.all([there.keepHint(newer), here.keepHint(older)])
    expect(await here.hints()).toEqual([newer])
  }
})

test('what was looked into is dropped; a later hint that comes just then is not', async () => {
  const { here, there } = await setup()
  for (let round = 0; round < 50; round++) {
    const [older, newer] = [hint('6', round * 10), hint('7', round * 10 + 5)]
    await here.keepHint(older)
    await Promise.all([there.keepHint(newer), here.dropHint(older)])
    expect(await here.hints()).toEqual([newer])
    await here.dropHint(newer)
    expect(await here.hints()).toEqual([])
  }
})
