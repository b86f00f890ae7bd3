// What ops see and do over HTTP: dead letters, circuits, figures, a search; redrive, discard, resolve and probe.
import { describe, expect, test } from 'vitest'
import { createInvalidJobs } from '../../shared/invalid-jobs.ts'
import { createQueue, DEAD_LETTERS } from '../../shared/queues.ts'
import { startRelay } from '../support/relay.ts'
import { problemOf, setup as startServer } from './http-setup.ts'
import { behindCircuit, ledgerOn, REPOSITORY } from './ledger-setup.ts'

const ID = (n: number) => `0198c2a4-0000-7abc-8def-${String(n).padStart(12, '0')}`

async function setup() {
  const api = await startServer()
  const ledger = ledgerOn(api.redis)
  let ids = 0
  const letter = (model = 'fraud-detector', version = '5') =>
    ledger.deadLettered(version, { model, id: ID(++ids) })
  const unresolved = (model = 'churn') => ledger.unresolved('5', { model, id: ID(++ids) })
  const order = (path: string, body: unknown = {}) => api.call('POST', `/v1/${path}`, { body })
  const get = async (path: string) => (await api.call('GET', `/v1/${path}`)).body
  return { api, ...ledger, letter, unresolved, order, get, newId: () => ID(++ids) }
}

describe('GET /v1/dead-letters', () => {
  test('has what waits for a person, with when and why it came there', async () => {
    const { letter, unresolved, get } = await setup()
    const id = await letter()
    const other = await unresolved()
    const { deadLetters, invalidJobs, nextCursor } = await get('dead-letters')
    expect(deadLetters).toMatchObject([
      { id: other, state: 'unresolved', deadLetter: 1, model: 'churn' },
      { id, state: 'dead_lettered', reason: 'nothing was started: ended with dead_letter' },
    ])
    expect(Date.parse(deadLetters[1].buriedAt)).toBeGreaterThanOrEqual(Date.parse(deadLetters[1].acceptedAt))
    expect([invalidJobs, nextCursor]).toEqual([[], undefined])
  })

  test('goes on by the cursor, with its filters given again', async () => {
    const { letter, unresolved, get } = await setup()
    const first = await letter('fraud', '1')
    const second = await letter('fraud', '2')
    await unresolved()
    const page = await get('dead-letters?model=fraud&limit=1')
    expect(page.deadLetters).toMatchObject([{ id: second }])
    const next = await get(`dead-letters?model=fraud&limit=1&cursor=${page.nextCursor}`)
    expect([next.deadLetters, next.nextCursor]).toMatchObject([[{ id: first }], undefined])
    expect((await get('dead-letters?state=unresolved')).deadLetters).toMatchObject([{ model: 'churn' }])
    expect((await get('dead-letters?reason=EXPLAIN')).deadLetters).toMatchObject([{ model: 'churn' }])
    expect((await get('dead-letters?environment=staging')).deadLetters).toEqual([])
  })

  test('tells of jobs that are no promotions, where no target is asked for', async () => {
    const { api, get } = await setup()
    const queue = createQueue(DEAD_LETTERS, api.redis)
    await createInvalidJobs({ redis: api.redis, queue }).note('dl-invalid-7')
    await api.redis.zadd(queue.toKey('failed'), 1_785_600_000_000, 'dl-invalid-7')
    await api.redis.hset(
      queue.toKey('dl-invalid-7'),
      'failedReason',
      'not a valid promotion: model is missing',
    )
    await queue.close()
    const job = {
      id: 'dl-invalid-7',
      reason: 'not a valid promotion: model is missing',
      at: '2026-08-01T16:00:00.000Z',
    }
    expect((await get('dead-letters')).invalidJobs).toEqual([job])
    expect((await get('dead-letters?reason=missing')).invalidJobs).toEqual([job])
    expect((await get('dead-letters?reason=large')).invalidJobs).toEqual([])
    expect(await get('dead-letters?model=fraud')).not.toHaveProperty('invalidJobs')
  })
})

test('GET /v1/circuits has what is open, and when it is looked at', async () => {
  const { get, going, end, halfOpen } = await setup()
  expect(await get('circuits')).toEqual({ circuits: [] })
  await end(await going('5'), behindCircuit(60_000))
  const { circuits } = await get('circuits')
  expect(circuits).toMatchObject([
    { scope: REPOSITORY, reason: 'credentials', detail: 'ended with again', halfOpen: false, opening: 1 },
  ])
  expect(Date.parse(circuits[0].nextProbe) - Date.parse(circuits[0].since)).toBe(60_000)
  await halfOpen()
  expect((await get('circuits')).circuits).toMatchObject([{ halfOpen: true }])
})

test('GET /v1/stats has figures from the first, and those of what happened', async () => {
  const { get, deployed, letter } = await setup()
  expect(await get('stats')).toMatchObject({ deadLetters: 0, latency: { toLive: { of: 0 } }, ever: {} })
  await deployed('5', { model: 'fine' })
  await letter()
  const stats = await get('stats')
  expect(stats).toMatchObject({
    deadLetters: 1,
    promotions: { dead_lettered: 1, accepted: 0 },
    triggers: { '1h': { dispatched: 1, notDispatched: 1 } },
    deployments: { '24h': { succeeded: 1, failed: 0 } },
    latency: { toDispatch: { of: 1, p50: expect.any(Number) }, toLive: { of: 1 } },
    ever: { accepted: 2 },
  })
  expect(stats.latency.toLive.p99).toBeLessThan(60)
})

test('GET /v1/search finds promotions and targets', async () => {
  const { get, letter } = await setup()
  const id = await letter()
  expect(await get(`search?text=${id.slice(0, 30)}`)).toMatchObject({ promotions: [{ id }], targets: [] })
  expect(await get('search?text=fraud')).toMatchObject({ targets: [{ model: 'fraud-detector' }] })
})

test.each([
  ['dead-letters?state=deployed', 'state', 'must be one of dead_lettered, unresolved'],
  ['dead-letters?limit=0', 'limit', 'must be a whole number'],
  ['dead-letters?reason=', 'reason', 'must not be empty'],
  ['dead-letters?cursor=x', 'cursor', 'must be the nextCursor'],
  ['circuits?scope=a', 'scope', 'is not a known field'],
  ['stats?hours=2', 'hours', 'is not a known field'],
  ['search', 'text', 'is missing'],
  ['search?text=', 'text', 'must not be empty'],
])('GET /v1/%s is refused by the name of its field', async (path, field, problem) => {
  const { api } = await setup()
  const refused = await api.call('GET', `/v1/${path}`)
  expect([refused.status, problemOf(refused).fields]).toEqual([400, [field]])
  expect(problemOf(refused).errors[field]).toContain(problem)
})

describe('POST /v1/promotions/{id}/redrive', () => {
  test('puts a dead letter back: it goes, and is told who has done so', async () => {
    const relay = await startRelay()
    relay.simulator.fault({ kind: 'status-before', status: 422, message: "Required input 'x' not provided" })
    const id = await relay.promote('5')
    await relay.reaches(id, 'dead_lettered')
    const api = await startServer({ redisUrl: relay.redisUrl })
    const redriven = await api.call('POST', `/v1/promotions/${id.toUpperCase()}/redrive`, {
      body: { by: 'alice', why: 'the workflow is mended' },
    })
    expect(redriven).toMatchObject({ status: 200, body: { status: 'accepted', id } })
    expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
    const { timeline } = (await api.call('GET', `/v1/promotions/${id}`)).body
    expect(timeline).toContainEqual(
      expect.objectContaining({ what: 'redriven', by: 'alice', why: 'the workflow is mended' }),
    )
  })

  test('as a dry run only says what would come of it', async () => {
    const { letter, unresolved, order, state, told } = await setup()
    const id = await letter()
    const before = await told(id)
    expect((await order(`promotions/${id}/redrive`, { dryRun: true })).body).toMatchObject({
      status: 'accepted',
      text: 'It goes back into the queue',
    })
    expect([await state(id), await told(id)]).toEqual(['dead_lettered', before])
    const other = await unresolved()
    expect((await order(`promotions/${other}/redrive`, { dryRun: true })).body.status).toBe('resolving')
    expect(await state(other)).toBe('unresolved')
  })

  test('never lets an older version overtake', async () => {
    const { letter, order, accept, state, newId } = await setup()
    const id = await letter()
    const newer = await accept('6', { id: newId() })
    const { body } = await order(`promotions/${id}/redrive`)
    expect(body).toMatchObject({ status: 'superseded', id: newer.id, version: '6' })
    expect(await state(id)).toBe('superseded')
  })
})

describe('POST /v1/promotions/{id}/discard', () => {
  test('ends a dead letter; as a dry run it does not', async () => {
    const { letter, order, state, promotion } = await setup()
    const id = await letter()
    expect((await order(`promotions/${id}/discard`, { dryRun: true })).body.status).toBe('discarded')
    expect(await state(id)).toBe('dead_lettered')
    const discarded = await order(`promotions/${id}/discard`, { by: 'eve', why: 'wrong data' })
    expect(discarded).toMatchObject({ status: 200, body: { status: 'discarded', id } })
    expect(await promotion(id)).toMatchObject({ state: 'skipped', reason: 'discarded by eve: wrong data' })
  })

  test('is refused where a run may exist, with what to do instead', async () => {
    const { unresolved, order, state } = await setup()
    const id = await unresolved()
    const refused = await order(`promotions/${id}/discard`)
    expect(refused.status).toBe(409)
    expect(refused.body).toMatchObject({
      title: 'A run of it may exist: say first what became of it',
      detail: 'Resolve it, with its run or as absent.',
    })
    expect(await state(id)).toBe('unresolved')
  })
})

describe('POST /v1/promotions/{id}/resolve', () => {
  test('with a run has it followed; as absent it may be sent again', async () => {
    const { unresolved, order, promotion, state } = await setup()
    const [first, second] = [await unresolved('a'), await unresolved('b')]
    const track = await order(`promotions/${first}/resolve`, { run: '777' })
    expect(track).toMatchObject({ status: 200, body: { status: 'track', id: first } })
    expect(await promotion(first)).toMatchObject({ state: 'dispatched', runId: '777' })
    expect((await order(`promotions/${second}/resolve`, { absent: true })).body.status).toBe('accepted')
    expect(await state(second)).toBe('accepted')
  })

  test('is refused where it is not unresolved, and where the run is that of another', async () => {
    const { letter, unresolved, dispatched, order, newId } = await setup()
    const id = await letter()
    expect(await order(`promotions/${id}/resolve`, { absent: true })).toMatchObject({ status: 409 })
    const { run } = await dispatched('1', { model: 'other', id: newId() })
    const refused = await order(`promotions/${await unresolved()}/resolve`, { run })
    expect([refused.status, problemOf(refused).title]).toEqual([409, expect.stringContaining('another')])
  })
})

test('POST /v1/circuits/probe has it looked at now, and says so where none is open', async () => {
  const { api, order, going, end, halfOpen, key } = await setup()
  expect((await order('circuits/probe', { scope: REPOSITORY })).status).toBe(404)
  await end(await going('5'), behindCircuit(60_000))
  const asked = await order('circuits/probe', { scope: REPOSITORY, why: 'rotated the token' })
  expect(asked).toMatchObject({ status: 200, body: { status: 'asked' } })
  expect(Number(await api.redis.hget(key('circuit', REPOSITORY), 'until'))).toBeLessThanOrEqual(
    Date.now() + 1_000,
  )
  await halfOpen()
  expect((await order('circuits/probe', { scope: REPOSITORY })).body.status).toBe('half_open')
})

describe('an order', () => {
  test.each([
    ['redrive', {}],
    ['discard', {}],
    ['resolve', { absent: true }],
  ])('to %s what is not there, or is over, says so', async (verb, body) => {
    const { order, deployed, newId } = await setup()
    const unknown = await order(`promotions/${ID(999)}/${verb}`, body)
    expect([unknown.status, problemOf(unknown).title]).toEqual([404, expect.stringMatching(/^No such /)])
    const id = await deployed('5', { id: newId() })
    const over = await order(`promotions/${id}/${verb}`, body)
    // Of one that was never dead-lettered there is no dead letter.
    expect(over.status).toBe(verb === 'resolve' ? 409 : 404)
  })

  test.each([
    [`promotions/${ID(1)}/redrive`, { deadLetter: 0 }, ['deadLetter']],
    [`promotions/${ID(1)}/redrive`, { dryRun: 'yes' }, ['dryRun']],
    [`promotions/${ID(1)}/discard`, { why: 5, extra: 1 }, ['extra', 'why']],
    ['promotions/not-an-id/discard', {}, ['id']],
    [`promotions/${ID(1)}/resolve`, {}, ['']],
    [`promotions/${ID(1)}/resolve`, { run: '7', absent: true }, ['']],
    [`promotions/${ID(1)}/resolve`, { run: 'seven' }, ['run']],
    ['circuits/probe', {}, ['scope']],
    ['circuits/probe', { scope: 7 }, ['scope']],
  ])('to %s with %o is refused by the names of its fields', async (path, body, fields) => {
    const { order } = await setup()
    const refused = await order(path, body)
    expect([refused.status, problemOf(refused).fields]).toEqual([400, fields])
  })
})
