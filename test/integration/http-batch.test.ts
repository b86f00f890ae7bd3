// Many promotions in one request: each is taken or refused by itself, in the order in which they are given.
import { expect, onTestFinished, test } from 'vitest'
import { acceptEach } from '../../producer/http/batch.ts'
import type { AcceptResult } from '../../shared/accept.ts'
import { silentLogger } from '../../shared/logger.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { type Api, problemOf, setup } from './http-setup.ts'

const V5 = { model: 'fraud-detector', version: '5' }

const batch = (api: Api, promotions: unknown) =>
  api.call('POST', '/v1/promotions:batch', { body: { promotions } })

test('good ones are all accepted, in their order, and each has its job', async () => {
  const api = await setup()
  const { status, body } = await batch(api, [V5, { ...V5, version: '6' }, { model: 'churn', version: '1' }])
  expect([status, body.results.map((one: { status: string }) => one.status)]).toEqual([
    200,
    ['accepted', 'accepted', 'accepted'],
  ])
  const seen = (await api.call('GET', '/v1/promotions')).body.promotions
  expect(seen.map((one: Record<string, string>) => [one.id, one.state, one.seq])).toEqual([
    [body.results[2].id, 'accepted', 1],
    [body.results[1].id, 'accepted', 2],
    [body.results[0].id, 'superseded', 1],
  ])
  expect(await api.queue.getJobCountByTypes('waiting')).toBe(3)
})

test('a wrong one is refused by itself, with its problem, and takes nothing from the others', async () => {
  const api = await setup()
  await batch(api, [{ ...V5, idempotencyKey: 'run-1' }])
  const { status, headers, body } = await batch(api, [
    { model: '', version: '1' },
    V5,
    { model: 'churn', version: '1', idempotencyKey: 'run-1' },
    { model: 'churn', version: '2', idempotencyKey: '' },
    { model: 'churn', version: '3', idempotencyKey: 7 },
    'fraud-detector',
    { model: 'churn', version: '4' },
  ])
  expect([status, headers.get('content-type')]).toEqual([207, 'application/json; charset=utf-8'])
  const refused = (problem: object) => ({ status: 'refused', problem: expect.objectContaining(problem) })
  const wrong = (field: string, problem: string) =>
    refused({ status: 400, title: 'Not a valid promotion', errors: [{ field, problem }] })
  expect(body.results).toEqual([
    wrong('model', 'must not be empty'),
    expect.objectContaining({ status: 'duplicate' }),
    refused({ status: 422, title: 'The Idempotency-Key was used for another promotion' }),
    wrong('idempotencyKey', 'must not be empty'),
    wrong('idempotencyKey', 'must be a string'),
    wrong('', 'must be an object'),
    expect.objectContaining({ status: 'accepted' }),
  ])
})

test('a batch sent again makes nothing twice', async () => {
  const api = await setup()
  const promotions = [1, 2, 3].map((n) => ({ model: `m${n}`, version: '1', idempotencyKey: `run-${n}` }))
  const first = await batch(api, promotions)
  const again = await batch(api, promotions)
  expect(again.body.results).toEqual(
    first.body.results.map((one: object) => ({ ...one, status: 'duplicate' })),
  )
})

test('a hundred of the largest fit, one more is too many', async () => {
  const api = await setup()
  const metrics = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`${i}-${'\u00fc'.repeat(97)}`, 1.234567890123e-300]),
  )
  const large = Array.from({ length: 100 }, (_, i) => ({
    model: `${'\u{1f600}'.repeat(120)}${i}`,
    version: '1',
    metrics,
    idempotencyKey: `k-${'x'.repeat(240)}${i}`,
  }))
  const taken = await batch(api, large)
  expect([taken.status, taken.body.results.length]).toEqual([200, 100])
  const tooMany = await batch(api, [...large, V5])
  expect([tooMany.status, problemOf(tooMany).errors]).toEqual([
    400,
    { promotions: 'must hold at most 100 promotions' },
  ])
  const tooLarge = await batch(api, ['x'.repeat(7_000_000)])
  expect([tooLarge.status, problemOf(tooLarge).title]).toEqual([413, 'The body must be at most 6400 KiB'])
})

test.each<[what: string, body: unknown, errors: object]>([
  ['an empty one', { promotions: [] }, { promotions: 'must not be empty' }],
  ['none', {}, { promotions: 'is missing' }],
  ['one that is no list', { promotions: V5 }, { promotions: 'must be a list' }],
  ['one with more in it', { promotions: [V5], atomic: true }, { atomic: 'is not a known field' }],
  ['a list by itself', [V5], { '': 'must be an object' }],
])('is refused as a whole, and nothing of it is kept: %s', async (_what, body, errors) => {
  const api = await setup()
  const refused = await api.call('POST', '/v1/promotions:batch', { body })
  expect([refused.status, problemOf(refused).errors]).toEqual([400, errors])
  expect(await api.traces()).toEqual([])
})

test('while Redis is away it is refused as a whole', async () => {
  const redis = await startPrivateRedis()
  onTestFinished(redis.stop)
  const api = await setup({ redisUrl: redis.url })
  await redis.kill()

  const refused = await batch(api, [V5, V5])

  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
})

test('once Redis is away what was taken is said, and the rest is not tried', async () => {
  const asked: unknown[] = []
  const accept = async (input: unknown): Promise<AcceptResult> => {
    asked.push(input)
    if (input === 3) throw new Error('Connection is closed.')
    return { status: 'accepted', id: `p${input}`, state: 'accepted', live: '', job: 1 }
  }
  const { results, away } = await acceptEach([1, 2, 3, 4], accept, silentLogger)
  const refused = { status: 'refused', problem: expect.objectContaining({ status: 503 }) }
  const taken = (id: string) => ({ id, status: 'accepted', state: 'accepted', live: null })
  expect(results).toEqual([taken('p1'), taken('p2'), refused, refused])
  expect([asked, away]).toEqual([[1, 2, 3], 'from some time on'])
})
