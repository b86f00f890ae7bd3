// Lists by the page: filters, cursors that hold while things change, work that is bounded, and what is refused.
import { describe, expect, test } from 'vitest'
import { createListing } from '../../shared/ledger/listing.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { type Api, problemOf, setup } from './http-setup.ts'

type Item = Record<string, string>

/** Every page from the first to the last. */
async function pages(api: Api, path: 'promotions' | 'targets', query: Record<string, string> = {}) {
  const all: Item[][] = []
  let cursor: string | undefined
  do {
    const asked = { ...query, ...(cursor === undefined ? {} : { cursor }) }
    const search = new URLSearchParams(asked)
    const { status, body } = await api.call('GET', `/v1/${path}?${search}`)
    expect([status, body]).toEqual([200, expect.anything()])
    all.push(body[path])
    cursor = body.nextCursor
    if (all.length > 500) throw new Error('there is no end of it')
  } while (cursor !== undefined)
  return all
}

const named = (items: Item[]) =>
  items.map(({ model, environment, version }) => `${model} ${environment} ${version}`)

async function setupWith(promotions: [model: string, environment: string, version: string][]) {
  const api = await setup()
  for (const [model, environment, version] of promotions)
    expect((await api.promote({ model, environment, version })).status).toBe(202)
  return api
}

const MIXED: [string, string, string][] = [
  ['fraud', 'production', '1'],
  ['churn', 'production', '1'],
  ['fraud', 'staging', '1'],
  ['fraud', 'production', '2'],
  ['fraud', 'staging', '2'],
  ['churn', 'production', '2'],
]

describe('GET /v1/promotions', () => {
  test.each<[query: Record<string, string>, versions: string[]]>([
    [{ model: 'churn' }, ['churn production 2', 'churn production 1']],
    [{ model: 'fraud', environment: 'staging' }, ['fraud staging 2', 'fraud staging 1']],
    [{ environment: 'staging' }, ['fraud staging 2', 'fraud staging 1']],
    [{ version: '1' }, ['fraud staging 1', 'churn production 1', 'fraud production 1']],
    [{ state: 'accepted' }, ['churn production 2', 'fraud staging 2', 'fraud production 2']],
    [{ state: 'accepted', model: 'fraud' }, ['fraud staging 2', 'fraud production 2']],
    [
      { state: 'superseded', model: 'fraud', version: '1', environment: 'production' },
      ['fraud production 1'],
    ],
    [{ state: 'deployed' }, []],
    [{ model: 'nothing' }, []],
  ])('with %o has these and no others, the newest first', async (query, expected) => {
    const api = await setupWith(MIXED)
    const all = await pages(api, 'promotions', query)
    expect(all.map(named)).toEqual([expected])
    const oneByOne = await pages(api, 'promotions', { ...query, limit: '1' })
    expect(oneByOne.flat().length).toBe(expected.length)
    expect(named(oneByOne.flat())).toEqual(expected)
  })

  test('goes on where it was, whatever is accepted or forgotten meanwhile', async () => {
    const api = await setupWith(MIXED)
    const first = (await api.call('GET', '/v1/promotions?limit=2')).body
    const whole = (await api.call('GET', '/v1/promotions')).body.promotions
    await api.promote({ model: 'late', version: '1' })
    // The last one of the first page, to which the cursor points.
    await api.redis.zrem(`${KEY_PREFIX}:promotions`, first.promotions[1].id)
    const second = (await api.call('GET', `/v1/promotions?limit=2&cursor=${first.nextCursor}`)).body
    expect([...named(first.promotions), ...named(second.promotions)]).toEqual(named(whole.slice(0, 4)))
  })

  test('has each once where many came in within one millisecond', async () => {
    const api = await setup()
    const versions = Array.from({ length: 250 }, (_, i) => String(i))
    await Promise.all(versions.map((version) => api.promote({ model: 'fraud', version })))
    const list = `${KEY_PREFIX}:promotions`
    for (const id of await api.redis.zrange(list, 0, '-1')) await api.redis.zadd(list, 1_785_600_000_000, id)

    for (const limit of [7, 100]) {
      const all = await pages(api, 'promotions', { limit: String(limit) })
      const seen = all.flat().map(({ version }) => version)
      expect(new Set(seen).size).toBe(250)
      expect(seen).toHaveLength(250)
      expect(all.slice(0, -1).every((page) => page.length === limit)).toBe(true)
    }
  })

  test('looks at so many at the most in one call, and goes on with the next', async () => {
    const api = await setup()
    const write = api.redis.pipeline()
    for (let n = 0; n < 2_500; n++) {
      write.zadd(`${KEY_PREFIX}:promotions`, n, `p${n}`)
      write.hset(
        `${KEY_PREFIX}:promotion:p${n}`,
        'id',
        `p${n}`,
        'state',
        'deployed',
        'version',
        n === 3 ? 'x' : 'y',
      )
    }
    await write.exec()
    const listing = createListing({ redis: api.redis })
    const first = await listing.promotions({ version: 'x', limit: 10 })
    expect(first).toEqual({ items: [], next: expect.anything() })
    const second = await listing.promotions({ version: 'x', limit: 10, after: first.next })
    const third = await listing.promotions({ version: 'x', limit: 10, after: second.next })
    expect([second.items, third.items.map(({ id }) => id), third.next]).toEqual([[], ['p3'], undefined])
  })
})

describe('GET /v1/targets', () => {
  test('has those of a model, of all environments, and each once by the page', async () => {
    const api = await setupWith([...MIXED, ['a/b', 'staging', '1'], ['b', 'staging', '1']])
    const of = async (query: Record<string, string>) =>
      (await pages(api, 'targets', query)).flat().map(({ model, environment }) => `${environment}/${model}`)
    expect(await of({ model: 'fraud' })).toEqual(['staging/fraud', 'production/fraud'])
    expect(await of({ model: 'b' })).toEqual(['staging/b'])
    expect(await of({ model: 'a/b', limit: '1' })).toEqual(['staging/a/b'])
    expect(await of({ model: 'nothing' })).toEqual([])
    const all = ['staging/b', 'staging/a/b', 'production/churn', 'staging/fraud', 'production/fraud']
    for (const limit of [1, 2, 5, 100]) expect(await of({ limit: String(limit) })).toEqual(all)
  })
})

describe('a query that is not valid', () => {
  test.each([
    ['promotions', 'limit=0', 'limit', 'must be a whole number from 1 to 100'],
    ['promotions', 'limit=101', 'limit', 'must be a whole number from 1 to 100'],
    ['promotions', 'limit=many', 'limit', 'must be a number'],
    ['promotions', 'limit=', 'limit', 'must be a whole number from 1 to 100'],
    ['promotions', 'limit=1&limit=2', 'limit', 'must be a number'],
    ['promotions', 'cursor=nonsense', 'cursor', 'must be the nextCursor of an answer'],
    ['promotions', `cursor=${'a'.repeat(1001)}`, 'cursor', 'must be the nextCursor of an answer'],
    ['promotions', 'state=live', 'state', 'must be one of accepted, '],
    ['promotions', 'model=', 'model', 'must not be empty'],
    ['promotions', 'model=a&model=b', 'model', 'must be a string'],
    ['promotions', 'environment=a%2Fb', 'environment', 'letters, digits'],
    ['promotions', 'version=%00', 'version', 'control characters'],
    ['promotions', 'modle=fraud', 'modle', 'is not a known field'],
    ['targets', 'state=accepted', 'state', 'is not a known field'],
    ['targets', 'cursor=!', 'cursor', 'must be the nextCursor of an answer'],
  ])('is refused by the name of its field: %s?%s', async (path, query, field, problem) => {
    const api = await setup()
    const refused = await api.call('GET', `/v1/${path}?${query}`)
    expect([refused.status, problemOf(refused).fields]).toEqual([400, [field]])
    expect(problemOf(refused).errors[field]).toContain(problem)
  })
})
