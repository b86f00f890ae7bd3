// Whatever is wrong with a request is said as a problem that names every wrong field; nothing of it is kept or
// queued, and no stack, file or secret shows.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, type Call, problemOf, type Reply, setup, TOKEN } from './http-setup.ts'

const GOOD = { model: 'fraud-detector', version: '5' }

// One server for all of them: what one refused request leaves behind in it would fail a later one.
let api: Api
const undo: (() => void | Promise<void>)[] = []
beforeAll(async () => {
  api = await setup({ atEnd: (step) => undo.push(step) })
})
afterAll(async () => {
  for (const step of undo.reverse()) await step()
})

/** Sends it, and makes sure that it left no trace and no fault in the log. */
async function refused(send: (api: Api) => Promise<Reply>) {
  await api.empty()
  const reply = await send(api)
  const problem = problemOf(reply)
  expect(await api.traces()).toEqual([])
  expect(await api.queue.getJobCounts('waiting', 'delayed', 'active', 'failed', 'completed')).toEqual({
    waiting: 0,
    delayed: 0,
    active: 0,
    failed: 0,
    completed: 0,
  })
  expect(api.lines.filter((line) => /"level":"(error|warn)"/.test(line))).toEqual([])
  // And it has harmed nothing: a good one passes.
  expect((await api.promote(GOOD)).status).toBe(202)
  return { status: reply.status, ...problem, reply }
}

const refusedBody = (body: unknown, call: Call = {}) => refused((api) => api.promote(body, call))

const TOO_MANY_METRICS = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`m${i}`, i]))

test.each<[what: string, change: Record<string, unknown>, field: string, problem: string]>([
  ['an empty model', { model: '' }, 'model', 'must not be empty'],
  ['an overlong model', { model: 'm'.repeat(251) }, 'model', 'at most 250 characters'],
  ['a model that is a number', { model: 7 }, 'model', 'must be a string'],
  ['a model that is null', { model: null }, 'model', 'must be a string'],
  ['a model with a line break', { model: 'a\nb' }, 'model', 'control characters'],
  ['a model with a zero byte', { model: 'a\u0000b' }, 'model', 'control characters'],
  ['a model with an escape sequence', { model: '\u001b[31mred' }, 'model', 'control characters'],
  ['a model that runs backwards', { model: 'a\u202eb' }, 'model', 'control characters'],
  ['a model with half a character', { model: '\ud800' }, 'model', 'control characters'],
  ['a model of spaces', { model: '   ' }, 'model', 'white space'],
  ['an empty version', { version: '' }, 'version', 'must not be empty'],
  ['an overlong version', { version: '1'.repeat(101) }, 'version', 'at most 100 characters'],
  ['a version that is an object', { version: {} }, 'version', 'must be text, or a whole number'],
  ['a version with a fraction', { version: 1.5 }, 'version', 'must be text, or a whole number'],
  ['a version below zero', { version: -1 }, 'version', 'must be text, or a whole number'],
  ['an accuracy above 1', { accuracy: 1.01 }, 'accuracy', 'between 0 and 1'],
  ['an accuracy below 0', { accuracy: -0.01 }, 'accuracy', 'between 0 and 1'],
  ['an accuracy in per cent', { accuracy: 92.34 }, 'accuracy', 'between 0 and 1'],
  ['an accuracy that is text', { accuracy: '0.9' }, 'accuracy', 'must be a number'],
  ['an accuracy that is null', { accuracy: null }, 'accuracy', 'must be a number'],
  ['an environment with a slash', { environment: 'a/b' }, 'environment', 'letters, digits'],
  ['an empty environment', { environment: '' }, 'environment', 'must not be empty'],
  ['an overlong source', { source: 's'.repeat(101) }, 'source', 'at most 100 characters'],
  ['a rollback that is text', { rollback: 'yes' }, 'rollback', 'must be a boolean'],
  ['a figure that is text', { metrics: { auc: '0.9' } }, 'metrics.auc', 'must be a number'],
  ['too many figures', { metrics: TOO_MANY_METRICS }, 'metrics', 'at most 50'],
  ['an unknown field', { modle: 'x' }, 'modle', 'is not a known field'],
  ['an unknown field with a control character', { 'a\u0007b': 1 }, 'a?b', 'is not a known field'],
  ['an unknown field with a long name', { ['f'.repeat(500)]: 1 }, 'f'.repeat(60), 'is not a known field'],
  ['an id that is none', { id: '../../5' }, 'id', 'must be a UUIDv7'],
  ['a time that is none', { promotedAt: 'yesterday' }, 'promotedAt', 'must be a time'],
  ['a state of its own', { state: 'deployed' }, 'state', 'is not a known field'],
])('%s is refused by the name of its field', async (_what, change, field, problem) => {
  const { status, errors } = await refusedBody({ ...GOOD, ...change })
  expect(status).toBe(400)
  expect(Object.keys(errors)).toEqual([field])
  expect(errors[field]).toContain(problem)
})

test.each(['model', 'version'])('a promotion without its %s says that it is missing', async (field) => {
  const { errors } = await refusedBody({ ...GOOD, [field]: undefined })
  expect(errors).toEqual({ [field]: 'is missing' })
})

test('every wrong field is named at once', async () => {
  const { status, fields } = await refusedBody({
    version: '',
    accuracy: 7,
    environment: 'a b',
    rollback: 1,
    colour: 'red',
  })
  expect(status).toBe(400)
  expect(fields).toEqual(['accuracy', 'colour', 'environment', 'model', 'rollback', 'version'])
})

test.each([
  ['__proto__', '{"model":"m","version":"1","__proto__":{"state":"deployed"}}'],
  ['constructor', '{"model":"m","version":"1","constructor":{"prototype":{"x":1}}}'],
])('a field named %s is refused as any unknown one', async (field, body) => {
  const { status, errors } = await refusedBody(body)
  expect(status).toBe(400)
  expect(Object.entries(errors)).toEqual([[field, 'is not a known field']])
  expect(Object.hasOwn(Object.prototype, 'state')).toBe(false)
})

test.each([
  ['NaN', '{"model":"m","version":"1","accuracy":NaN}'],
  ['Infinity', '{"model":"m","version":"1","accuracy":Infinity}'],
  ['single quotes', "{'model':'m'}"],
  ['half an object', '{"model":"m"'],
  ['two objects', '{"model":"m","version":"1"}{}'],
  ['a form', 'model=m&version=1'],
  ['a raw control character', '{"model":"a\u0001b","version":"1"}'],
  ['bytes', '\u0000\u0001\u0002'],
])('a body that is not JSON is refused: %s', async (_what, body) => {
  const { status, title } = await refusedBody(body)
  expect([status, title]).toEqual([400, 'The body is not valid JSON'])
})

test('an accuracy too large for a number is refused by name', async () => {
  const { errors } = await refusedBody('{"model":"m","version":"1","accuracy":1e999}')
  expect(errors).toEqual({ accuracy: 'must be a number' })
})

test.each([
  ['an array', [GOOD]],
  ['null', null],
  ['a string', '"fraud-detector"'],
  ['a number', '5'],
  ['a thousand brackets', `${'['.repeat(1000)}${']'.repeat(1000)}`],
])('a body that is no object is refused: %s', async (_what, body) => {
  const { status, errors } = await refusedBody(body)
  expect([status, errors]).toEqual([400, { '': 'must be an object' }])
})

test('an empty body is refused as empty', async () => {
  const { status, title } = await refusedBody('')
  expect([status, title]).toEqual([400, 'The body is empty'])
})

test('no body at all is refused', async () => {
  const { status } = await refused((api) => api.call('POST', '/v1/promotions'))
  expect(status).toBe(400)
})

test('a body of 1 MB is refused with 413, whether it says its length or not', async () => {
  const { status } = await refusedBody({ ...GOOD, model: 'm'.repeat(1_000_000) })
  expect(status).toBe(413)
  const chunk = `${(60_000).toString(16)}\r\n${' '.repeat(60_000)}\r\n`
  const chunked = await refused(({ raw }) =>
    raw(`${head('Content-Type: application/json', 'Transfer-Encoding: chunked')}${chunk.repeat(3)}0\r\n\r\n`),
  )
  expect(chunked.status).toBe(413)
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'application/xml',
  'nonsense',
])('a body sent as %s is refused with 415', async (type) => {
  const { status, title } = await refusedBody(GOOD, { headers: { 'content-type': type } })
  expect([status, title]).toEqual([415, 'The body must be application/json'])
})

test('JSON with a charset is taken', async () => {
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  expect((await api.promote(GOOD, { headers })).status).toBe(202)
})

test.each<[what: string, headers: Record<string, string>]>([
  ['none', {}],
  ['a wrong one', { authorization: 'Bearer not-the-token' }],
  ['one that begins rightly', { authorization: `Bearer ${TOKEN}x` }],
  ['one cut short', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
  ['an empty one', { authorization: 'Bearer ' }],
  ['another scheme', { authorization: `Basic ${btoa(`ops:${TOKEN}`)}` }],
  ['the token without a scheme', { authorization: TOKEN }],
  ['an enormous one', { authorization: `Bearer ${'x'.repeat(10_000)}` }],
])('without the right token the answer is 401, before anything is looked at: %s', async (_what, headers) => {
  const { status, title, reply } = await refused((api) => api.promote('{nonsense', { token: null, headers }))
  expect([status, title]).toEqual([401, 'A valid bearer token is needed'])
  expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer /)
})

test('without the token nobody learns which paths and promotions there are', async () => {
  for (const path of ['/v1/promotions', '/v1/targets', '/v1/nothing', '/v1/promotions/x']) {
    const { status } = await refused((api) => api.call('GET', path, { token: null }))
    expect([path, status]).toEqual([path, 401])
  }
})

test.each<[what: string, key: string, problem: string]>([
  ['empty', '', 'must not be empty'],
  ['overlong', 'k'.repeat(256), 'at most 255 characters'],
])('an Idempotency-Key that is %s is refused by name', async (_what, key, problem) => {
  const { errors } = await refusedBody(GOOD, { headers: { 'idempotency-key': key } })
  expect(Object.keys(errors)).toEqual(['Idempotency-Key'])
  expect(errors['Idempotency-Key']).toContain(problem)
})

test('a wrong Idempotency-Key is named beside the wrong fields of the body', async () => {
  const { fields } = await refusedBody({ ...GOOD, model: '' }, { headers: { 'idempotency-key': '' } })
  expect(fields).toEqual(['Idempotency-Key', 'model'])
})

test('two Idempotency-Keys are refused, since nobody knows which one is meant', async () => {
  const { errors } = await refused(({ raw }) => raw(post(GOOD, 'Idempotency-Key: a', 'Idempotency-Key: b')))
  expect(errors).toEqual({ 'Idempotency-Key': 'is given more than once' })
})

test.each<[what: string, request: string, status: number]>([
  ['two lengths', post(GOOD, 'Content-Length: 5'), 400],
  ['a control character in a header', post(GOOD, 'Idempotency-Key: a\u0001b'), 400],
  ['huge headers', post(GOOD, `X-Padding: ${'x'.repeat(40_000)}`), 431],
  ['bytes that are no HTTP', 'what is this\r\n\r\n', 400],
  ['an address that can not be decoded', `GET /v1/promotions/%zz HTTP/1.1\r\n${common()}\r\n`, 400],
])('a request that can not be read is answered as a problem: %s', async (_what, request, wanted) => {
  const { status } = await refused(({ raw }) => raw(request))
  expect(status).toBe(wanted)
})

test.each([
  ['PUT', '/v1/promotions', 'GET, HEAD, OPTIONS, POST'],
  ['DELETE', '/v1/promotions', 'GET, HEAD, OPTIONS, POST'],
  ['PATCH', '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d', 'GET, HEAD, OPTIONS'],
  ['POST', '/v1/targets', 'GET, HEAD, OPTIONS'],
  ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
  ['DELETE', '/metrics', 'GET, HEAD, OPTIONS'],
])('%s %s is refused with 405 and the methods that are allowed', async (method, path, allow) => {
  const { status, reply } = await refused((api) => api.call(method, path))
  expect(status).toBe(405)
  expect(reply.headers.get('allow')?.split(', ').toSorted().join(', ')).toBe(allow)
})

test.each([
  ['QUERY', '/healthz', undefined, 405],
  ['PUT', '/healthz', '<xml/>', 405],
  ['PUT', '/v1/promotions', '<xml/>', 405],
  ['POST', '/nothing', '{nonsense', 404],
] as const)(
  'what no route takes is refused for that, whatever its body is: %s %s',
  async (method, path, body, wanted) => {
    const headers = body?.startsWith('<') ? { 'content-type': 'application/xml' } : {}
    const { status } = await refused((api) => api.call(method, path, { ...(body ? { body } : {}), headers }))
    expect(status).toBe(wanted)
  },
)

test.each(['/nothing', '/v1/nothing', '/v2/promotions', '/v1', '/.env', '/v1/promotions/a/b'])(
  'an unknown path is a 404 problem: %s',
  async (path) => {
    const { status, title } = await refused((api) => api.call('GET', path))
    expect([status, title]).toEqual([404, 'Not found'])
  },
)

function common(): string {
  return `Host: relay\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n`
}

function head(...headers: string[]): string {
  return `POST /v1/promotions HTTP/1.1\r\n${common()}${headers.map((line) => `${line}\r\n`).join('')}\r\n`
}

function post(body: object, ...headers: string[]): string {
  const text = JSON.stringify(body)
  const own = ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]
  return `${head(...own, ...headers)}${text}`
}
