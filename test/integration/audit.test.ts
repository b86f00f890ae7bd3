// Who did what: kept in order, bounded, and read page by page.
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createAudit, REFUSED_LOG_IN } from '../../shared/ledger/audit.ts'
import { testRedis } from '../support/test-redis.ts'

async function setup() {
  const { url } = await testRedis()
  const redis = new Redis(url, { replyMapping: 'legacy' })
  onTestFinished(() => redis.disconnect())
  const audit = createAudit({ redis, prefix: 'test' })
  const note = (what: string, of = 'x') => audit.note({ who: 'vera', via: 'board', what, of, result: 'done' })
  return { redis, audit, note }
}

test('a deed comes back as it was noted, with its time by Redis’s clock', async () => {
  const { redis, audit } = await setup()
  const deed = {
    who: 'vera',
    via: 'cli',
    what: 'hold',
    of: 'production/m',
    why: 'it is Friday',
    result: 'held',
  } as const
  await audit.note(deed)
  await audit.note({ ...deed, why: undefined, result: '' })
  const [second, first] = (await audit.newest(10)).deeds
  expect(first).toEqual({ ...deed, id: expect.any(String), at: expect.any(Number) })
  expect(second).toEqual({
    ...deed,
    why: undefined,
    result: '',
    id: expect.any(String),
    at: expect.any(Number),
  })
  const [seconds] = await redis.time()
  expect(Math.abs((first?.at ?? 0) - Number(seconds) * 1000)).toBeLessThan(10_000)
})

test('pages follow one another without a gap or a repetition, refused log-ins among the deeds', async () => {
  const { audit, redis } = await setup()
  // Many in the same millisecond, on both sides.
  for (let i = 0; i < 12; i++) {
    await redis.xadd('test:audit', `1000-${i}`, 'who', 'a', 'what', `deed ${i}`)
    await redis.xadd('test:audit:refused', `1000-${i}`, 'who', 'b', 'what', `refused ${i}`)
  }
  const all = (await audit.newest(100)).deeds.map(({ what }) => what)
  expect(all).toHaveLength(24)
  for (const size of [1, 2, 3, 5, 7]) {
    const read: string[] = []
    for (let before: string | undefined, more = true; more; ) {
      const page = await audit.newest(size, before)
      expect(page.deeds.length).toBeLessThanOrEqual(size)
      read.push(...page.deeds.map(({ what }) => what))
      before = page.next
      more = before !== undefined
    }
    expect(read).toEqual(all)
  }
})

test('it is bounded, and refused log-ins push out no deed', async () => {
  const { redis, audit, note } = await setup()
  await note('hold')
  const many = redis.pipeline()
  for (let i = 0; i < 3_000; i++) many.xadd('test:audit:refused', '*', 'what', 'x')
  await many.exec()
  for (let i = 0; i < 3; i++) await note(REFUSED_LOG_IN)
  expect(await redis.xlen('test:audit:refused')).toBeLessThan(1_300)
  const { deeds } = await audit.newest(5_000)
  expect(deeds.at(-1)?.what).toBe('hold')
  const more = redis.pipeline()
  for (let i = 0; i < 12_000; i++) more.xadd('test:audit', '*', 'what', 'x')
  await more.exec()
  await note('release')
  expect(await redis.xlen('test:audit')).toBeLessThan(10_300)
})

test('what is no place of a page is as none, and long or broken text is cut', async () => {
  const { audit, note } = await setup()
  await note('hold', `${'a'.repeat(5_000)}`)
  await note('\ud800 alone')
  for (const before of ['', '+', 'x', '1-1-1', '999999999999999999999-0', '../..'])
    expect((await audit.newest(10, before)).deeds).toHaveLength(2)
  const [broken, long] = (await audit.newest(10)).deeds
  expect([long?.of.length, broken?.what]).toEqual([500, '\ufffd alone'])
})
