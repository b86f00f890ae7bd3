// The ledger's outbox: what is to be told is written by the script that moves the promotion, once, whatever is replayed.
import { expect, test } from 'vitest'
import { createOutbox } from '../../shared/ledger/news.ts'
import { setup as ledgerSetup } from './ledger-setup.ts'

async function setup() {
  const ledger = await ledgerSetup()
  const outbox = createOutbox({ redis: ledger.redis })
  const news = async () =>
    (await outbox.waiting(100)).map(({ promotionId, state, number }) => `${promotionId} ${state} ${number}`)
  return { ...ledger, outbox, news }
}

test('a dispatch and an end are news, what leads there is not; told twice by a replay, each is there once', async () => {
  const { accept, claim, end, finish, news } = await setup()
  const { id } = await accept('5', { id: 'p-1' })
  await claim(id)
  await claim(id)
  expect(await news()).toEqual([])

  const dispatch = () => end(id, { kind: 'track', runId: '7', runUrl: 'https://ci/7' })
  await dispatch()
  await dispatch()
  expect(await news()).toEqual(['p-1 dispatched 1'])

  for (let again = 0; again < 3; again++) await finish(id, '7')
  expect(await news()).toEqual(['p-1 dispatched 1', 'p-1 deployed 2'])
})

test.each(['failed', 'cancelled', 'timed_out'] as const)('%s is news', async (state) => {
  const { dispatched, finish, news } = await setup()
  const { id, run } = await dispatched('5')
  await finish(id, run, state)
  await finish(id, run, state)
  expect(await news()).toEqual([`${id} dispatched 1`, `${id} ${state} 2`])
})

test('who gives way is news, by the acceptance of the newer one, also sent again', async () => {
  const { accept, news } = await setup()
  const { id } = await accept('5')
  await accept('6', { id: 'newer' })
  await accept('6', { id: 'newer' })
  expect(await news()).toEqual([`${id} superseded 1`])
})

test('skipped is news', async () => {
  const { accept, claim, news } = await setup()
  const { id } = await accept('5')
  await claim(id, { enabled: false })
  await claim(id, { enabled: false })
  expect(await news()).toEqual([`${id} skipped 1`])
})

test('a dead letter that is put back and comes again is news again, one of its own kind', async () => {
  const { ledger, deadLettered, claim, end, news } = await setup()
  const id = await deadLettered('5')
  expect(await news()).toEqual([`${id} dead_lettered 1`])
  await ledger.redrive(id, 1, 'ops')
  await ledger.redrive(id, 1, 'ops')
  await claim(id, { token: 'second' })
  await end(id, { kind: 'dead_letter', exhausted: false }, { attempt: 2, token: 'second' })
  expect(await news()).toEqual([`${id} dead_lettered 1`, `${id} dead_lettered 2`])
})

test('what nobody can tell is news, and so is the run that a person names', async () => {
  const { ledger, unresolved, news } = await setup()
  const id = await unresolved('5')
  expect(await news()).toEqual([`${id} unresolved 1`])
  await ledger.settle(id, { runId: '9' }, 'ops')
  expect(await news()).toEqual([`${id} unresolved 1`, `${id} dispatched 2`])
})

test('an entry has the time of its step by the clock of the ledger, and is there until it is removed', async () => {
  const { deployed, outbox, reader, news } = await setup()
  const id = await deployed('5')
  const [, ended] = await outbox.waiting(100)
  expect(ended?.at).toBe((await reader.promotion(id))?.endedAt)
  expect(await outbox.waiting(1)).toHaveLength(1)
  if (ended) await outbox.remove(ended)
  expect(await news()).toEqual([`${id} dispatched 1`])
  await outbox.drop()
  expect(await news()).toEqual([])
})

test('a deployed promotion knows the version that was live until then, also one that went live after its acceptance', async () => {
  const { accept, claim, end, finish, deployed, promotion } = await setup()
  const { id } = await accept('5')
  await claim(id)
  await end(id, { kind: 'track', runId: '7', runUrl: 'https://ci/7' })
  const next = await accept('6')
  await finish(id, '7')
  expect((await promotion(id)).replaced).toBeUndefined()
  await claim(next.id)
  await end(next.id, { kind: 'track', runId: '8', runUrl: 'https://ci/8' })
  await finish(next.id, '8')
  expect(await promotion(next.id)).toMatchObject({ liveBefore: '', replaced: '5' })
  expect((await promotion(await deployed('1', { environment: 'staging' }))).replaced).toBeUndefined()
})

test('a later promotion of the same version speaks for it, unless it was never sent', async () => {
  const { deployed, dispatched, accept, claim, finish, outbox, promotion } = await setup()
  const first = await dispatched('5')
  await finish(first.id, first.run, 'failed')
  const standing = async (id: string) => outbox.standing(await promotion(id))
  expect(await standing(first.id)).toEqual({ isLive: false })

  const second = await deployed('5')
  expect(await standing(first.id)).toMatchObject({ isLive: true, later: { id: second } })
  expect(await standing(second)).toEqual({ isLive: true })

  await deployed('6')
  const third = await accept('5', { rollback: true })
  await claim(third.id, { enabled: false })
  expect(await standing(second)).toEqual({ isLive: false })
})
