// Promotions that come as CloudEvents, in the body or in headers: the event's identity makes it the same news.
import { describe, expect, test } from 'vitest'
import { type Api, problemOf, setup } from './http-setup.ts'

const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }
const EVENT = {
  specversion: '1.0',
  id: 'run-2041',
  source: '/pipelines/fraud',
  type: 'ml.model.promoted',
  time: '2026-08-01T12:00:00Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  data: V5,
}
const HEADERS = {
  'ce-specversion': '1.0',
  'ce-id': 'run-2041',
  'ce-source': '/pipelines/fraud',
  'ce-type': 'ml.model.promoted',
  'ce-subject': 'fraud-detector',
}

const STRUCTURED = 'application/cloudevents+json'
const structured = (api: Api, event: unknown, headers: Record<string, string> = {}) =>
  api.promote(event, { headers: { 'content-type': `${STRUCTURED}; charset=utf-8`, ...headers } })

describe('a CloudEvent', () => {
  test('is a promotion in its body, or with its attributes in headers', async () => {
    const api = await setup()
    const first = await structured(api, EVENT)
    expect([first.status, first.body.status]).toEqual([202, 'accepted'])
    const { body } = await api.call('GET', `/v1/promotions/${first.body.id}`)
    expect(body).toMatchObject(V5)
    const binary = await api.promote(
      { ...V5, version: '6' },
      { headers: { ...HEADERS, 'ce-id': 'run-2042' } },
    )
    expect([binary.status, binary.body.status]).toEqual([202, 'accepted'])
  })

  test('delivered again, in whichever mode, is the same promotion, also after a newer one', async () => {
    const api = await setup()
    const first = await structured(api, EVENT)
    await api.promote({ ...V5, version: '6' })
    const again = await structured(api, EVENT)
    const binary = await api.promote(V5, { headers: HEADERS })
    for (const reply of [again, binary])
      expect(reply.body).toMatchObject({ id: first.body.id, status: 'duplicate', state: 'superseded' })
  })

  test('of another source with the same id is another one', async () => {
    const api = await setup()
    await structured(api, EVENT)
    const other = await structured(api, {
      ...EVENT,
      source: '/pipelines/churn',
      data: { ...V5, model: 'churn' },
    })
    expect(other.body.status).toBe('accepted')
  })

  test('with an Idempotency-Key goes by that', async () => {
    const api = await setup()
    const headers = { 'idempotency-key': 'mine' }
    const first = await structured(api, EVENT, headers)
    await api.promote({ ...V5, version: '6' })
    const again = await structured(api, { ...EVENT, id: 'another' }, headers)
    expect(again.body).toMatchObject({ id: first.body.id, status: 'duplicate' })
  })

  test('has what is beyond ASCII percent-encoded in headers', async () => {
    const api = await setup()
    const first = await structured(api, { ...EVENT, source: '/Röntgen' })
    await api.promote({ ...V5, version: '6' })
    const headers = { ...HEADERS, 'ce-source': '/R%C3%B6ntgen' }
    expect((await api.promote(V5, { headers })).body).toMatchObject({
      id: first.body.id,
      status: 'duplicate',
    })
  })
})

describe('what is wrong with an event', () => {
  test.each<[what: string, change: object, errors: object]>([
    ['no id', { id: undefined }, { id: 'is missing' }],
    ['an empty source', { source: '' }, { source: 'must not be empty' }],
    ['another version', { specversion: '0.3' }, { specversion: 'must be 1.0' }],
    ['no data', { data: undefined }, { data: 'is missing' }],
    ['data in base64', { data_base64: 'e30=' }, { data_base64: 'is not taken: data must be JSON' }],
    [
      'data of another type',
      { datacontenttype: 'text/xml' },
      { datacontenttype: 'must be application/json' },
    ],
    [
      'a wrong promotion',
      { data: { ...V5, accuracy: 7, modle: 1 } },
      { 'data.accuracy': 'must be between 0 and 1', 'data.modle': 'is not a known field' },
    ],
  ])('is told by the name of its field: %s', async (_what, change, errors) => {
    const api = await setup()
    const refused = await structured(api, { ...EVENT, ...change })
    expect([refused.status, problemOf(refused).errors]).toEqual([400, errors])
    expect(await api.traces()).toEqual([])
  })

  test('is told by the name of its header', async () => {
    const api = await setup()
    const refused = await api.promote(V5, { headers: { 'ce-id': 'x', 'ce-specversion': '2.0' } })
    expect([refused.status, problemOf(refused).errors]).toEqual([
      400,
      { 'ce-specversion': 'must be 1.0', 'ce-source': 'is missing', 'ce-type': 'is missing' },
    ])
  })

  test.each([
    ['/v1/promotions', 'application/cloudevents-batch+json', [EVENT]],
    ['/v1/promotions:batch', STRUCTURED, EVENT],
    ['/v1/targets/hold', STRUCTURED, EVENT],
  ])('on %s as %s it is not taken', async (path, type, body) => {
    const api = await setup()
    const refused = await api.call('POST', path, { body, headers: { 'content-type': type } })
    expect([refused.status, problemOf(refused).title]).toEqual([415, 'The body must be application/json'])
  })
})
