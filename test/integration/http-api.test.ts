// The HTTP way in, as a caller sees it: what is answered to good promotions, and what can be asked afterwards.
import { expect, test } from 'vitest'
import { type Api, setup } from './http-setup.ts'

const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Takes a promotion through the ledger as the workers would. */
async function deploy({ ledger }: Api, id: string, runId: string): Promise<void> {
  const terms = { worker: 'test', enabled: true, repository: 'acme/models', workflow: 'cd_pipeline.yml' }
  const pauses = { slotMs: 1, uncertainMs: 40_000, recheckMs: 60_000, maxClaims: 10 }
  const claim = await ledger.claim({ id, token: `token-${id}`, ...terms, ...pauses })
  expect(claim.kind).toBe('go')
  const runUrl = `https://github.com/acme/models/actions/runs/${runId}`
  await ledger.recordOutcome({
    id,
    attempt: 1,
    token: `token-${id}`,
    outcome: 'dispatched',
    detail: 'GitHub answered 200',
    status: 200,
    next: { kind: 'track', runId, runUrl },
    scopes: [],
    fault: false,
    faultPauseMs: 15_000,
    recheckMs: 60_000,
  })
  await ledger.finish({ id, runId, runUrl, runAttempt: 1, state: 'deployed', conclusion: 'success' })
}

test('a first promotion is accepted with 202, its id and state, and no version live before it', async () => {
  const api = await setup()
  const reply = await api.promote(V5)
  expect(reply.status).toBe(202)
  expect(reply.body).toEqual({
    id: expect.stringMatching(UUID),
    status: 'accepted',
    state: 'accepted',
    live: null,
  })
  expect(reply.headers.get('location')).toBe(`/v1/promotions/${reply.body.id}`)
})

test('an accepted promotion has one readable job in the queue', async () => {
  const api = await setup()
  const { id } = (await api.promote(V5)).body
  const jobs = await api.queue.getJobs()
  expect(jobs.map(({ name, data }) => ({ name, data }))).toEqual([
    { name: 'promoted', data: { promotionId: id, ...V5, environment: 'production' } },
  ])
})

test('an upgrade is told which version is live', async () => {
  const api = await setup()
  await deploy(api, (await api.promote(V5)).body.id, '101')
  const upgrade = await api.promote({ ...V5, version: '6' })
  expect(upgrade.body).toMatchObject({ status: 'accepted', live: '5' })
  const elsewhere = await api.promote({ ...V5, environment: 'staging' })
  expect(elsewhere.body).toMatchObject({ status: 'accepted', live: null })
})

test('the same version again is a duplicate of the first, and makes no second job', async () => {
  const api = await setup()
  const first = await api.promote(V5)
  const again = await api.promote({ ...V5, accuracy: 0.1 })
  expect(again.status).toBe(202)
  expect(again.body).toEqual({ ...first.body, status: 'duplicate' })
  expect(await api.queue.getJobs()).toHaveLength(1)
})

test('a version given as a number is the same as its text', async () => {
  const api = await setup()
  const first = await api.promote(V5)
  expect((await api.promote({ ...V5, version: 5 })).body).toEqual({ ...first.body, status: 'duplicate' })
})

test('the same Idempotency-Key gives the first answer, also once another version came in between', async () => {
  const api = await setup()
  const headers = { 'idempotency-key': 'run-2041' }
  const first = await api.promote(V5, { headers })
  await api.promote({ ...V5, version: '6' })
  const again = await api.promote(V5, { headers })
  expect(again.status).toBe(202)
  expect(again.body).toMatchObject({ id: first.body.id, status: 'duplicate', state: 'superseded' })
})

test('an Idempotency-Key used for another promotion is refused with 422, and nothing of it is kept', async () => {
  const api = await setup()
  const headers = { 'idempotency-key': 'run-2041' }
  const first = await api.promote(V5, { headers })
  const before = await api.traces()
  const other = await api.promote({ ...V5, version: '6' }, { headers })
  expect(other.status).toBe(422)
  expect(other.headers.get('content-type')).toContain('application/problem+json')
  expect(other.body.detail).toContain(first.body.id)
  expect(await api.traces()).toEqual(before)
})

test('a promotion is shown by its id with its reason and timeline', async () => {
  const api = await setup()
  const { id } = (await api.promote({ ...V5, metrics: { auc: 0.97 }, source: 'nightly' })).body
  const { status, body } = await api.call('GET', `/v1/promotions/${id}`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    id,
    state: 'accepted',
    reason: 'recorded, waiting for its turn',
    ...V5,
    environment: 'production',
    metrics: { auc: 0.97 },
    source: 'nightly',
    seq: 1,
    attempts: 0,
    liveBefore: null,
    run: null,
  })
  expect(Date.parse(body.acceptedAt)).toBeGreaterThan(Date.now() - 60_000)
  expect(body.timeline).toEqual([
    expect.objectContaining({ what: 'accepted', text: 'accepted, the first of its target' }),
  ])
})

test('a deployed promotion is shown with its run, its times and every step', async () => {
  const api = await setup()
  const { id } = (await api.promote(V5)).body
  await deploy(api, id, '101')
  const { body } = await api.call('GET', `/v1/promotions/${id}`)
  expect(body).toMatchObject({ state: 'deployed', reason: 'live', attempts: 1 })
  const url = 'https://github.com/acme/models/actions/runs/101'
  expect(body.run).toEqual({ id: '101', url, status: 'completed', conclusion: 'success' })
  const times = [body.acceptedAt, body.dispatchedAt, body.endedAt].map(Date.parse)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  const steps = body.timeline.map(({ what }: { what: string }) => what)
  expect(steps).toEqual(['accepted', 'dispatching', 'outcome', 'dispatched', 'deployed'])
  for (const { at, text } of body.timeline) {
    expect(Date.parse(at)).toBeGreaterThan(0)
    expect(text).not.toBe('')
  }
})

test('a superseded promotion says by which one', async () => {
  const api = await setup()
  const old = (await api.promote(V5)).body
  const newer = (await api.promote({ ...V5, version: '6' })).body
  const { body } = await api.call('GET', `/v1/promotions/${old.id}`)
  expect(body).toMatchObject({ state: 'superseded', supersededBy: newer.id })
})

test.each([
  '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d',
  '/v1/promotions/nonsense',
  `/v1/promotions/${'a'.repeat(300)}`,
  '/v1/promotions/..%2f..%2fetc',
  '/v1/promotions/',
])('an id that is not there is a 404 problem: %s', async (path) => {
  const api = await setup()
  const reply = await api.call('GET', path)
  expect(reply.status).toBe(404)
  expect(reply.body).toMatchObject({
    status: 404,
    title: expect.stringMatching(/^(No such promotion|Not found)$/),
  })
})

test('the list of promotions begins with the newest', async () => {
  const api = await setup()
  for (const version of ['1', '2', '3']) await api.promote({ ...V5, version })
  await api.promote({ ...V5, model: 'churn', version: '9' })
  const { status, body } = await api.call('GET', '/v1/promotions')
  expect(status).toBe(200)
  const seen = body.promotions.map(
    (one: Record<string, string>) => `${one.model} ${one.version} ${one.state}`,
  )
  expect(seen).toEqual([
    'churn 9 accepted',
    'fraud-detector 3 accepted',
    'fraud-detector 2 superseded',
    'fraud-detector 1 superseded',
  ])
})

test('targets show what is live, in flight and pending', async () => {
  const api = await setup()
  await deploy(api, (await api.promote(V5)).body.id, '101')
  const pending = (await api.promote({ ...V5, version: '6' })).body.id
  const { body } = await api.call('GET', '/v1/targets')
  expect(body.targets).toEqual([
    {
      model: 'fraud-detector',
      environment: 'production',
      live: '5',
      liveSince: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      previous: null,
      inFlight: null,
      pending,
      hold: null,
    },
  ])
})

test('an empty relay has empty lists', async () => {
  const api = await setup()
  expect((await api.call('GET', '/v1/promotions')).body).toEqual({ promotions: [] })
  expect((await api.call('GET', '/v1/targets')).body).toEqual({ targets: [] })
})

test('HEAD and OPTIONS change nothing and need the token', async () => {
  const api = await setup()
  const head = await api.call('HEAD', '/v1/promotions')
  expect([head.status, head.text]).toEqual([200, ''])
  const options = await api.call('OPTIONS', '/v1/promotions')
  expect([options.status, options.text]).toEqual([204, ''])
  expect(options.headers.get('allow')?.split(', ').toSorted()).toEqual(['GET', 'HEAD', 'OPTIONS', 'POST'])
  expect((await api.call('OPTIONS', '/v1/promotions', { token: null })).status).toBe(401)
  expect(await api.traces()).toEqual([])
})

test('a hundred promotions at once are each accepted, and one of a target stays pending', async () => {
  const api = await setup()
  const versions = Array.from({ length: 100 }, (_, i) => String(i + 1))
  const replies = await Promise.all(versions.map((version) => api.promote({ ...V5, version })))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]))
  expect(new Set(replies.map(({ body }) => body.id)).size).toBe(100)
  const states = (await api.call('GET', '/v1/promotions')).body.promotions.map(
    ({ state }: { state: string }) => state,
  )
  expect(states.filter((state: string) => state === 'accepted')).toHaveLength(1)
  expect(states.filter((state: string) => state === 'superseded')).toHaveLength(99)
})

test('an id that its producer gave is known however its letters are written', async () => {
  const api = await setup()
  const id = 'FFCC03D6-D6D0-72A9-AB13-36CFF7533A34'
  expect((await api.promote({ ...V5, id })).body).toMatchObject({ id: id.toLowerCase() })
  for (const written of [id, id.toLowerCase()])
    expect((await api.call('GET', `/v1/promotions/${written}`)).body).toMatchObject({ version: '5' })
})
