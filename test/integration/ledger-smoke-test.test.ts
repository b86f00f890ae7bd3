// A smoke test in the ledger: what is not to be sent can't be, and neither kind is seen where promotions are counted.
import { describe, expect, test } from 'vitest'
import { createSmokeTest, SMOKE_TEST } from '../../shared/smoke-test.ts'
import { behindCircuit, REJECTED, REPOSITORY, setup as setupLedger, UNKNOWN } from './ledger-setup.ts'

const TARGET = `${SMOKE_TEST.environment}/${SMOKE_TEST.model}`

async function setup() {
  const here = await setupLedger()
  const jobs: string[] = []
  const enqueue = async ({ id }: { id: string }, job: number) => void jobs.push(`${id}-${job}`)
  const send = createSmokeTest({ ledger: here.ledger, enqueue })
  const keys = async () =>
    (await here.redis.keys(here.key('*'))).map((name) => name.slice(here.key('').length))
  return { ...here, jobs, send, keys }
}

/** What metrics, lists, alerts and feedback are made of. */
const SEEN_BY_OPS =
  /^(counters|triggers|deployments|news|targets|promotions|state:accepted|state:dead_lettered|holds)/

describe('a smoke test that is not to be sent', () => {
  test('is ended by the claim, before anything else could become of it', async () => {
    const { send, claim, promotion, told, jobs } = await setup()
    const { id } = await send({ dispatch: false })
    expect(jobs).toEqual([`${id}-1`])
    expect(await claim(id)).toEqual({ kind: 'done', state: 'skipped', test: true })
    expect(await promotion(id)).toMatchObject({ state: 'skipped', attempts: 0, test: 'claim' })
    expect(await told(id)).toEqual(['accepted', 'skipped'])
    expect(await claim(id)).toEqual({ kind: 'done', state: 'skipped' })
  })

  test('is in no list and no figure, and is forgotten by itself', async () => {
    const { send, claim, keys, redis, key } = await setup()
    const { id } = await send({ dispatch: false })
    const left = [`promotion:${id}`, `timeline:${id}`]
    expect((await keys()).sort()).toEqual(left)
    await claim(id)
    expect((await keys()).sort()).toEqual(left)
    for (const name of left) {
      const ttl = await redis.pttl(key(name))
      expect(ttl).toBeGreaterThan(3_500_000)
      expect(ttl).toBeLessThanOrEqual(3_600_000)
    }
  })

  test('forgotten before a worker took it, it is nothing to that worker', async () => {
    const { send, claim, redis, key } = await setup()
    const { id } = await send({ dispatch: false })
    await redis.del(key('promotion', id))
    expect(await claim(id)).toEqual({ kind: 'done', state: 'unknown' })
  })

  test('after a restart of Redis it is ended like before, and not looked for', async () => {
    const { send, claim, redis, key } = await setup()
    const { id } = await send({ dispatch: false })
    await redis.hset(key('promotion', id), 'epoch', 'of another run')
    expect(await claim(id)).toMatchObject({ kind: 'done', state: 'skipped' })
    expect(await redis.exists(key('doubts', 'acme/models/cd_pipeline.yml'))).toBe(0)
  })

  test.each([
    ['the trigger is off', false, /^ENABLE_CD_TRIGGER is off/],
    ['a circuit is open', true, /^promotions wait: acme\/models: ended with again$/],
  ])('tells what a promotion would meet where %s', async (_, enabled, meets) => {
    const { send, claim, reader, going, end } = await setup()
    if (enabled) await end(await going('5'), behindCircuit(60_000))
    const { id } = await send({ dispatch: false })
    await claim(id, { enabled })
    expect((await reader.timeline(id)).at(-1)).toMatchObject({
      what: 'skipped',
      worker: 'w1',
      meets: expect.stringMatching(meets),
    })
  })
})

describe('a smoke test that is to be dispatched', () => {
  test('goes all the way, and neither figures, lists nor news know of it', async () => {
    const { send, claim, end, finish, keys, state, target } = await setup()
    const { id } = await send({ dispatch: true })
    expect((await keys()).filter((name) => SEEN_BY_OPS.test(name))).toEqual([])
    expect(await claim(id)).toMatchObject({
      kind: 'go',
      promotion: { test: 'dispatch', source: 'smoke_test' },
    })
    await end(id, { kind: 'track', runId: '9001' })
    await finish(id, '9001')
    expect(await state(id)).toBe('deployed')
    expect(await target(TARGET)).toMatchObject({ live: `smoke-test-${id}`, inFlight: '' })
    expect((await keys()).filter((name) => SEEN_BY_OPS.test(name))).toEqual([])
  })

  test('a failed one is no dead letter, no alert and no rollback', async () => {
    const { send, claim, end, ledger, state, keys } = await setup()
    const live = await send({ dispatch: true })
    await claim(live.id)
    await end(live.id, { kind: 'track', runId: '9001' })
    const about = { runUrl: '', runAttempt: 1 }
    await ledger.finish({ id: live.id, runId: '9001', state: 'deployed', conclusion: 'success', ...about })

    const failed = await send({ dispatch: true })
    await claim(failed.id)
    await end(failed.id, { kind: 'track', runId: '9002' })
    const finished = await ledger.finish({
      ...{ id: failed.id, runId: '9002', state: 'failed', conclusion: 'failure', ...about },
      rollbackId: '01a20000-0000-7000-8000-000000000000',
    })
    expect([finished.finished, finished.rollback]).toEqual([true, undefined])

    const rejected = await send({ dispatch: true })
    await claim(rejected.id)
    expect(await end(rejected.id, REJECTED)).toMatchObject({ kind: 'dead_letter' })
    expect(await state(rejected.id)).toBe('dead_lettered')
    expect((await keys()).filter((name) => SEEN_BY_OPS.test(name))).toEqual([])
  })

  test('that waits for another try keeps nobody waiting, as far as figures tell', async () => {
    const { send, claim, end, state, reader } = await setup()
    const { id } = await send({ dispatch: true })
    await claim(id)
    await end(id, { kind: 'again', delayMs: 0, spend: true })
    expect([await state(id), await reader.oldestWaitingSince()]).toEqual(['accepted', undefined])
    expect(await claim(id, { token: 'another' })).toMatchObject({ kind: 'go', attempt: 2 })
  })

  test('is not sent ten minutes later, when whoever sent it has gone', async () => {
    const { send, claim, promotion, redis, key, target } = await setup()
    const { id } = await send({ dispatch: true })
    await redis.hincrby(key('promotion', id), 'acceptedAt', -10 * 60_000 - 1_000)
    expect(await claim(id)).toEqual({ kind: 'done', state: 'skipped', test: true })
    expect(await promotion(id)).toMatchObject({ reason: 'a smoke test that nobody waits for', attempts: 0 })
    expect((await target(TARGET)).pending).toBe('')
  })

  test('whose end nobody knows is looked for like any other: a run may be there', async () => {
    const { send, claim, end, reader } = await setup()
    const { id } = await send({ dispatch: true })
    await claim(id)
    await end(id, UNKNOWN)
    expect((await reader.inDoubt(`${REPOSITORY}/cd_pipeline.yml`)).map((one) => one.promotion.id)).toEqual([
      id,
    ])
    expect(await claim(id, { token: 'another' })).toMatchObject({ kind: 'wait', code: 'resolving' })
  })
})
