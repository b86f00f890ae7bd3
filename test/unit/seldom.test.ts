import { expect, test } from 'vitest'
import { seldom } from '../../shared/seldom.ts'

function setup() {
  const done: string[] = []
  const clock = { now: 0 }
  const call = seldom(
    1_000,
    async (key) => {
      done.push(key)
      if (key === 'broken') throw new Error('not now')
    },
    () => clock.now,
  )
  return { done, clock, call }
}

test('is done once for each key within the time, also when many ask at once', async () => {
  const { done, clock, call } = setup()
  await Promise.all([call('a'), call('a'), call('b')])
  clock.now = 999
  await call('a')
  expect(done).toEqual(['a', 'b'])
  clock.now = 1_000
  await call('a')
  expect(done).toEqual(['a', 'b', 'a'])
})

test('what failed is tried again by the next one', async () => {
  const { done, call } = setup()
  await expect(call('broken')).rejects.toThrow('not now')
  await expect(call('broken')).rejects.toThrow('not now')
  expect(done).toEqual(['broken', 'broken'])
})
