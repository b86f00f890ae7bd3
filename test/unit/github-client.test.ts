// The adapter to GitHub over real HTTP: the exact requests, one of each and never more, and plain, redacted answers
// whatever comes back.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createRedactor } from '../../shared/redact.ts'
import type { Secret } from '../../shared/secret.ts'
import { createGithub, type DispatchCall, type GithubOptions } from '../../worker/github/client.ts'
import { type Credentials, TokenRefused, tokenCredentials } from '../../worker/github/credentials.ts'
import { createDeadline } from '../../worker/github/deadline.ts'
import { SendError } from '../../worker/github/send-once.ts'
import { listening } from '../support/listening.ts'
import { until } from '../support/until.ts'

const TOKEN = 'ghp_sentinel0123456789'
const REPOSITORY = { owner: 'acme', name: 'models' }
const DISPATCHES = '/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches'
const INPUTS = {
  model_version: '5',
  model_accuracy: '0.9234',
  trigger_source: 'automated_ct_pipeline',
  promotion_id: '019ab000-0000-7000-8000-000000000001',
  model_name: 'fraud-detector',
  environment: 'production',
}
const NOTHING_REFUSED = { droppedInputs: [], noRunDetails: false, noApiVersion: false }

interface Asked {
  method: string
  url: string
  headers: http.IncomingHttpHeaders
  body: string
}

type React = (asked: Asked, response: http.ServerResponse) => void

/** Answers JSON. */
function says(status: number, body: unknown = '', headers: Record<string, string> = {}): React {
  return (_, response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(text)
  }
}

/** Each answer once; the last one for good. */
function inTurn(...reacts: React[]): React {
  let n = 0
  return (asked, response) => reacts[Math.min(n++, reacts.length - 1)]?.(asked, response)
}

const hangUp: React = (_, response) => void response.socket?.resetAndDestroy()

async function serve(react: React) {
  const asked: Asked[] = []
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body }
    asked.push(one)
    react(one, response)
  })
  return { asked, url: await listening(server) }
}

/** Where nothing listens any more. */
async function addressOfNobody(): Promise<string> {
  const server = http.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

type Overrides = Partial<GithubOptions> & { path?: string; token?: Secret }

async function setup(react: React, { path = '', token, ...overrides }: Overrides = {}) {
  const { asked, url } = await serve(react)
  const secret: Secret = token ?? { name: 'GITHUB_TOKEN', read: () => TOKEN }
  const redact = createRedactor([secret])
  const github = createGithub({
    credentials: tokenCredentials(secret, redact),
    baseUrl: `${url}${path}`,
    apiVersion: '2022-11-28',
    redact,
    ...overrides,
  })
  const dispatch = (call: Partial<DispatchCall> = {}) =>
    github.dispatch({
      repository: REPOSITORY,
      workflow: 'cd_pipeline.yml',
      ref: 'main',
      inputs: INPUTS,
      adjustments: NOTHING_REFUSED,
      sendBefore: createDeadline(10_000),
      ...call,
    })
  return { github, dispatch, asked, url, lines: () => asked.map(({ method, url }) => `${method} ${url}`) }
}

describe('a dispatch', () => {
  test('is exactly this request', async () => {
    const { dispatch, asked, url } = await setup(says(204))
    await dispatch()
    const body = JSON.stringify({ ref: 'main', inputs: INPUTS, return_run_details: true })
    expect(asked).toEqual([
      {
        method: 'POST',
        url: DISPATCHES,
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${TOKEN}`,
          connection: 'close',
          'content-length': String(body.length),
          'content-type': 'application/json; charset=utf-8',
          host: url.replace('http://', ''),
          'user-agent': expect.stringMatching(/^promotion-relay /),
          'x-github-api-version': '2022-11-28',
        },
        body,
      },
    ])
  })

  test('carries its inputs to the letter, as texts', async () => {
    const { dispatch, asked } = await setup(says(204))
    // Some libraries read 5n as a number of any size.
    const inputs = { ...INPUTS, model_version: '5n', model_name: '"-7n"\\ 検知 🔑', model_accuracy: '' }
    await dispatch({ inputs })
    expect(JSON.parse(asked[0]?.body ?? '').inputs).toEqual(inputs)
  })

  test('keeps the path of the base address, as an Enterprise Server has one', async () => {
    const { dispatch, lines } = await setup(says(204), { path: '/api/v3' })
    await dispatch()
    expect(lines()).toEqual([`POST /api/v3${DISPATCHES}`])
  })

  test('says the API version it was given', async () => {
    const { dispatch, asked } = await setup(says(204), { apiVersion: '2026-03-10' })
    await dispatch()
    expect(asked[0]?.headers['x-github-api-version']).toBe('2026-03-10')
  })

  test('can’t be led elsewhere by a name', async () => {
    const { dispatch, lines } = await setup(says(204))
    await dispatch({ workflow: '../../../user?x=#' })
    expect(lines()).toEqual([
      'POST /repos/acme/models/actions/workflows/..%2F..%2F..%2Fuser%3Fx%3D%23/dispatches',
    ])
  })

  test('leaves out the inputs that were refused', async () => {
    const { dispatch, asked } = await setup(says(204))
    await dispatch({ adjustments: { ...NOTHING_REFUSED, droppedInputs: ['promotion_id', 'environment'] } })
    const { promotion_id: _, environment: __, ...rest } = INPUTS
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ ref: 'main', inputs: rest, return_run_details: true })
  })

  test('leaves out return_run_details where it was refused', async () => {
    const { dispatch, asked } = await setup(says(204))
    await dispatch({ adjustments: { ...NOTHING_REFUSED, noRunDetails: true } })
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ ref: 'main', inputs: INPUTS })
    expect(asked[0]?.headers).toHaveProperty('x-github-api-version')
  })

  test('leaves out the API version where it was refused', async () => {
    const { dispatch, asked } = await setup(says(204))
    await dispatch({ adjustments: { ...NOTHING_REFUSED, noApiVersion: true } })
    expect(asked[0]?.headers).not.toHaveProperty('x-github-api-version')
    expect(JSON.parse(asked[0]?.body ?? '')).toHaveProperty('return_run_details')
  })

  test('can be passed along by itself', async () => {
    const { github, asked } = await setup(says(404, { message: 'Not Found' }))
    const { dispatch } = github
    const call = {
      repository: REPOSITORY,
      workflow: 'w.yml',
      ref: 'main',
      inputs: {},
      adjustments: NOTHING_REFUSED,
    }
    const answer = await dispatch({ ...call, sendBefore: createDeadline(10_000) })
    expect(answer).toMatchObject({ status: 404, repositoryReadable: false })
    expect(asked).toHaveLength(2)
  })
})

describe('its answer', () => {
  test('is the status, the body and the headers in small letters', async () => {
    const body = { workflow_run_id: 15, run_url: 'https://api/15', html_url: 'https://web/15' }
    const { dispatch } = await setup(says(200, body, { 'X-GitHub-Request-Id': 'A:1' }))
    expect(await dispatch()).toMatchObject({
      kind: 'answered',
      status: 200,
      body,
      headers: { 'x-github-request-id': 'A:1' },
    })
  })

  test('is an answer for each status, refusals included', async () => {
    for (const status of [
      200, 201, 202, 204, 301, 304, 307, 400, 401, 403, 409, 413, 422, 429, 451, 500, 502, 503, 599,
    ]) {
      const { dispatch } = await setup(says(status, status === 204 || status === 304 ? '' : { message: 'x' }))
      expect(await dispatch()).toMatchObject({ kind: 'answered', status })
    }
  })

  test('keeps the headers that tell of limits and permissions', async () => {
    const headers = {
      'retry-after': '30',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '1795420800',
      'x-accepted-github-permissions': 'actions=write',
    }
    const { dispatch } = await setup(says(403, { message: 'x' }, headers))
    expect(await dispatch()).toMatchObject({ headers })
  })

  test.each<[string, React, unknown]>([
    ['text', says(500, '<html>oops</html>', { 'content-type': 'text/html' }), '<html>oops</html>'],
    ['JSON that is none', says(500, '{"message": "cut o'), '{"message": "cut o'],
    ['JSON null', says(500, 'null'), null],
    ['a JSON list', says(500, '[1]'), [1]],
    ['text without a type', says(500, 'oops', { 'content-type': '' }), 'oops'],
    [
      'a number too large for a number',
      says(500, '{"message": "x", "id": 12345678901234567890}'),
      { message: 'x', id: 12345678901234567890n },
    ],
    ['bytes', says(500, 'oops', { 'content-type': 'application/octet-stream' }), {}],
    ['nothing', says(500, ''), ''],
  ])('whose body is %s comes through', async (_, react, body) => {
    const { dispatch } = await setup(react)
    expect(await dispatch()).toMatchObject({ kind: 'answered', status: 500, body })
  })

  test.each([200, 422])(
    'nested without end (%i) neither breaks the worker nor passes for a run',
    async (status) => {
      const deep = `{"message":"x","deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
      const { dispatch } = await setup(says(status, deep))
      expect(await dispatch()).toMatchObject({ kind: 'answered', status, body: { message: 'x' } })
    },
  )

  test('with half a character is made whole: the ledger would refuse it', async () => {
    const { dispatch } = await setup(says(422, '{"message":"a \\ud800 b","\\udfff":1}'))
    expect(await dispatch()).toMatchObject({ body: { message: 'a \ufffd b', '\ufffd': 1 } })
  })

  test('has octokit print nothing, also where GitHub calls the endpoint deprecated', async () => {
    const printed = (['debug', 'info', 'log', 'warn', 'error'] as const).map((name) =>
      vi.spyOn(console, name).mockReturnValue(undefined),
    )
    onTestFinished(() => {
      for (const spy of printed) spy.mockRestore()
    })
    const deprecated = {
      deprecation: 'Sat, 01 Jan 2028 00:00:00 GMT',
      link: `<https://x/${TOKEN}>; rel="deprecation"`,
    }
    for (const status of [200, 204, 404, 422, 500]) {
      const { dispatch, github } = await setup(
        says(status, status === 204 ? '' : { message: 'x' }, deprecated),
      )
      await dispatch()
      await github.getRun(REPOSITORY, '1')
    }
    expect(printed.flatMap((spy) => spy.mock.calls)).toEqual([])
  })
})

describe('one request only, whatever comes back', () => {
  const rows: [string, React, object][] = [
    ['500', says(500, { message: 'Failed to run workflow dispatch' }), { kind: 'answered', status: 500 }],
    ['502', says(502, 'Bad Gateway'), { kind: 'answered', status: 502 }],
    ['503 with a retry-after', says(503, '', { 'retry-after': '0' }), { kind: 'answered', status: 503 }],
    ['429 with a retry-after', says(429, '', { 'retry-after': '0' }), { kind: 'answered', status: 429 }],
    [
      '403 of a secondary limit',
      says(403, { message: 'secondary rate limit' }),
      { kind: 'answered', status: 403 },
    ],
    ['401', says(401, { message: 'Bad credentials' }), { kind: 'answered', status: 401 }],
    ['409', says(409, ''), { kind: 'answered', status: 409 }],
    ['422', says(422, { message: 'x' }), { kind: 'answered', status: 422 }],
    ['a redirect to itself', says(307, '', { location: '/' }), { kind: 'answered', status: 307 }],
    ['a reset', hangUp, { kind: 'no_answer', code: 'ECONNRESET' }],
    ['an end without an answer', (_, response) => void response.socket?.end(), { kind: 'no_answer' }],
    ['silence', () => {}, { kind: 'no_answer', code: 'NO_ANSWER' }],
    [
      'an answer that breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': 99 }).write('{', () => response.socket?.destroy())
      },
      { kind: 'no_answer' },
    ],
  ]
  test.each(rows)('%s', async (_, react, expected) => {
    const { dispatch, asked } = await setup(react, { dispatchTimeoutMs: 100 })
    expect(await dispatch()).toMatchObject(expected)
    expect(asked).toHaveLength(1)
  })

  test('an abort after sending is no answer', async () => {
    const controller = new AbortController()
    const { dispatch, asked } = await setup(() => controller.abort())
    expect(await dispatch({ signal: controller.signal })).toMatchObject({
      kind: 'no_answer',
      code: 'ABORTED',
    })
    expect(asked).toHaveLength(1)
  })
})

describe('not sent', () => {
  test('when the connection is refused', async () => {
    const { dispatch, asked } = await setup(says(204), { baseUrl: await addressOfNobody() })
    expect(await dispatch()).toMatchObject({ kind: 'not_sent', code: 'ECONNREFUSED' })
    expect(asked).toEqual([])
  })

  test('when the send deadline has passed', async () => {
    const { dispatch, asked } = await setup(says(204))
    expect(await dispatch({ sendBefore: createDeadline(0) })).toMatchObject({
      kind: 'not_sent',
      code: 'SEND_DEADLINE',
    })
    expect(asked).toEqual([])
  })

  test('when the job was cancelled before', async () => {
    const { dispatch, asked } = await setup(says(204))
    expect(await dispatch({ signal: AbortSignal.abort() })).toMatchObject({
      kind: 'not_sent',
      code: 'ABORTED',
    })
    expect(asked).toEqual([])
  })

  test('when the token can not be read: a fault of credentials, not of the promotion', async () => {
    const read = () => {
      throw Object.assign(new Error(`ENOENT: no such file, stat '/run/secrets/${TOKEN}'`), { code: 'ENOENT' })
    }
    const { dispatch, asked } = await setup(says(204), { token: { name: 'GITHUB_TOKEN', read } })
    expect(await dispatch()).toEqual({
      kind: 'not_sent',
      code: 'CREDENTIALS',
      message: "GITHUB_TOKEN can't be read: ENOENT",
    })
    expect(asked).toEqual([])
  })

  test.each([
    ['empty', ''],
    ['of two lines', `${TOKEN}\n${TOKEN}`],
    ['with a space', `${TOKEN} x`],
    ['with a NUL', `${TOKEN}\u0000`],
    ['with letters that no header holds', `${TOKEN}ü`],
  ])('when the token is %s, which is not shown', async (_, value) => {
    const { dispatch, asked } = await setup(says(204), { token: { name: 'GITHUB_TOKEN', read: () => value } })
    const answer = await dispatch()
    expect(answer).toMatchObject({ kind: 'not_sent', code: 'CREDENTIALS' })
    expect(JSON.stringify(answer)).not.toContain('ghp_')
    expect(asked).toEqual([])
  })
})

describe('after a 404 the repository is asked for', () => {
  const rows: [string, React, boolean | undefined][] = [
    ['readable', says(200, { full_name: 'acme/models' }), true],
    ['not there', says(404, { message: 'Not Found' }), false],
    ['forbidden', says(403, { message: 'Resource not accessible by personal access token' }), false],
    ['forbidden by bad credentials', says(401, { message: 'Bad credentials' }), false],
    ['not told, for the rate limit', says(429, ''), undefined],
    ['not told, for a fault', says(503, ''), undefined],
    ['not told, for the network', hangUp, undefined],
    ['not told in time', () => {}, undefined],
  ]
  test.each(rows)('%s', async (_, ofRepository, repositoryReadable) => {
    const react: React = (asked, response) =>
      (asked.method === 'POST' ? says(404, { message: 'Not Found' }) : ofRepository)(asked, response)
    const { dispatch, asked, lines } = await setup(react, { readTimeoutMs: 1_000 })
    expect(await dispatch()).toMatchObject({ kind: 'answered', status: 404, repositoryReadable })
    expect(lines()).toEqual([`POST ${DISPATCHES}`, 'GET /repos/acme/models'])
    expect(asked[1]?.headers).toMatchObject({
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${TOKEN}`,
      'x-github-api-version': '2022-11-28',
    })
  })

  test('and after no other answer', async () => {
    for (const status of [200, 204, 307, 403, 410, 422, 500]) {
      const { dispatch, asked } = await setup(says(status, status === 204 ? '' : { message: 'Not Found' }))
      await dispatch()
      expect(asked).toHaveLength(1)
    }
  })
})

describe('the token', () => {
  test('is read anew for each call', async () => {
    let value = 'first-token'
    const { github, dispatch, asked } = await setup(says(204), {
      token: { name: 'GITHUB_TOKEN', read: () => value },
    })
    await dispatch()
    value = 'second-token'
    await dispatch()
    value = 'third-token'
    await github.getRun(REPOSITORY, '1')
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first-token',
      'Bearer second-token',
      'Bearer third-token',
    ])
  })

  test('that is refused is read anew: where another one is there by now, a read is asked once more', async () => {
    // The second one came within the same tick of the clock: its file looks as before.
    let onDisk = 'first-token'
    let seen = ''
    const read = ({ anew = false } = {}) => {
      if (anew || seen === '') seen = onDisk
      return seen
    }
    const react = inTurn(says(200, run()), says(401, { message: 'Bad credentials' }), says(200, run()))
    const { github, asked } = await setup(react, { token: { name: 'GITHUB_TOKEN', read } })
    await github.getRun(REPOSITORY, '1')
    onDisk = 'second-token'
    expect(await github.getRun(REPOSITORY, '1')).toMatchObject({ kind: 'run' })
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first-token',
      'Bearer first-token',
      'Bearer second-token',
    ])
  })

  test('that is refused is not asked with again, and two that are refused end it', async () => {
    const unchanged = await setup(says(401, { message: 'Bad credentials' }))
    const detail = 'GitHub answered 401: Bad credentials'
    expect(await unchanged.github.repositoryState(REPOSITORY)).toEqual({ ok: false, detail })
    expect(unchanged.asked).toHaveLength(1)
    let n = 0
    const changing = { name: 'GITHUB_TOKEN', read: () => `token-number-${++n}` }
    const { github, asked } = await setup(says(401, { message: 'Bad credentials' }), { token: changing })
    expect(await github.repositoryState(REPOSITORY)).toEqual({ ok: false, detail })
    expect(asked).toHaveLength(2)
  })

  test('that is refused at a dispatch is never sent again; whether another one is there now is told', async () => {
    let value = 'first-token'
    const react: React = (asked, response) => {
      if (asked.headers.authorization === 'Bearer first-token') value = 'second-token'
      says(401, { message: 'Bad credentials' })(asked, response)
    }
    const { dispatch, asked } = await setup(react, { token: { name: 'GITHUB_TOKEN', read: () => value } })
    expect(await dispatch()).toMatchObject({ status: 401, anotherToken: true })
    expect(await dispatch()).toMatchObject({ status: 401, anotherToken: false })
    expect(asked).toHaveLength(2)
  })

  test('echoed back leaves neither in the body, nor in a header, nor in a name', async () => {
    const echo = {
      message: `bad token ${TOKEN}`,
      errors: [{ [TOKEN]: [`Bearer ${TOKEN}`] }],
      url: `https://x/?t=${encodeURIComponent(TOKEN)}`,
      basic: Buffer.from(`x-access-token:${TOKEN}`).toString('base64'),
    }
    for (const status of [200, 307, 401, 404, 422, 500]) {
      const { dispatch } = await setup(
        says(status, echo, { 'x-echo': `Bearer ${TOKEN}`, [`x-${TOKEN}`]: '1' }),
      )
      const answer = JSON.stringify(await dispatch())
      expect(answer).toContain('[redacted]')
      expect(answer).not.toContain(TOKEN)
      expect(answer).not.toContain(echo.basic.slice(24, 40))
    }
  })

  test('echoed back in what is no JSON does not come through', async () => {
    const { dispatch } = await setup(
      says(502, `<p>Authorization: Bearer ${TOKEN}</p>`, { 'content-type': 'text/html' }),
    )
    expect(await dispatch()).toMatchObject({ body: '<p>Authorization: Bearer [redacted]</p>' })
  })

  test('echoed back after it was rotated in mid-call does not come through', async () => {
    let value = TOKEN
    const { dispatch } = await setup(
      (asked, response) => {
        value = 'another-token-by-now'
        says(401, { message: `bad ${asked.headers.authorization}` })(asked, response)
      },
      { token: { name: 'GITHUB_TOKEN', read: () => value } },
    )
    expect(await dispatch()).toMatchObject({ body: { message: 'bad Bearer [redacted]' } })
  })

  test('in the message of a broken connection does not come through', async () => {
    const { dispatch } = await setup(says(204), { baseUrl: `http://${TOKEN}.${'x'.repeat(70)}.invalid` })
    const answer = await dispatch()
    expect(answer).toMatchObject({ kind: 'not_sent', code: 'ENOTFOUND' })
    expect(JSON.stringify(answer)).not.toContain(TOKEN)
  })

  test('does not follow a redirect to another host', async () => {
    const elsewhere = await serve(says(200, run()))
    const { github, dispatch } = await setup(says(302, '', { location: `${elsewhere.url}/` }))
    await dispatch()
    expect(elsewhere.asked).toEqual([])
    await github.getRun(REPOSITORY, '1')
    expect(elsewhere.asked.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })
})

describe('a token that must be got first', () => {
  /** Answers as it is told, and notes what it is told. */
  function source(give: (signal: AbortSignal) => Promise<string>, another = false) {
    const told: string[] = []
    const credentials: Credentials = {
      token: give,
      async refused(token) {
        told.push(`refused ${token}`)
        return another
      },
      known: (token) => void told.push(`known ${token}`),
    }
    return { credentials, told }
  }
  const never = (signal: AbortSignal) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => reject(new SendError('NO_TOKEN', 'none in time')))
    })

  test('is awaited no longer than something may be sent: then nothing was', async () => {
    const { dispatch, asked } = await setup(says(204), source(never))
    const began = performance.now()
    const answer = await dispatch({ sendBefore: createDeadline(150) })
    expect(answer).toEqual({ kind: 'not_sent', code: 'NO_TOKEN', message: 'none in time' })
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(asked).toEqual([])
  })

  test('that came in the last moment is not sent beyond it', async () => {
    const sendBefore = createDeadline(100)
    const late = async () => until('the deadline has passed', () => sendBefore.passed() && 'late-token')
    const { dispatch, asked } = await setup(says(204), source(late))
    expect(await dispatch({ sendBefore })).toMatchObject({ kind: 'not_sent', code: 'SEND_DEADLINE' })
    expect(asked).toEqual([])
  })

  test('is not asked for past the send deadline, nor by a job that was cancelled', async () => {
    const { dispatch } = await setup(says(204), source(never))
    const late = await dispatch({ sendBefore: createDeadline(0) })
    expect(late).toMatchObject({ kind: 'not_sent', code: 'SEND_DEADLINE' })
    const cancelled = await dispatch({ signal: AbortSignal.abort() })
    expect(cancelled).toMatchObject({ kind: 'not_sent', code: 'ABORTED' })
  })

  test('is not awaited by a job that is cancelled meanwhile', async () => {
    const controller = new AbortController()
    const give = (signal: AbortSignal) => {
      setImmediate(() => controller.abort())
      return never(signal)
    }
    const { dispatch } = await setup(says(204), source(give))
    const began = performance.now()
    const answer = await dispatch({ signal: controller.signal })
    expect(answer).toMatchObject({ kind: 'not_sent', code: 'ABORTED' })
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test('and that GitHub does not give is told in its words', async () => {
    const gone = { kind: 'answered', status: 404, body: { message: 'Not Found' }, headers: {} } as const
    const give = () => Promise.reject(new TokenRefused('no token: GitHub answered 404: Not Found', gone))
    const { github, dispatch, asked } = await setup(says(204), source(give))
    expect(await dispatch()).toEqual({ ...gone, kind: 'no_token' })
    expect(await github.repositoryState(REPOSITORY)).toEqual({
      ok: false,
      detail: 'no token: GitHub answered 404: Not Found',
    })
    expect(asked).toEqual([])
  })

  test('is awaited by a read within its limit', async () => {
    const { github } = await setup(says(200, run()), { ...source(never), readTimeoutMs: 50 })
    expect(await github.getRun(REPOSITORY, '7')).toEqual({ kind: 'unavailable', message: 'none in time' })
  })

  test.each([
    [204, 'known first-token'],
    [422, 'known first-token'],
    [401, 'refused first-token'],
  ])('is told what came of it: %i', async (status, expected) => {
    const { credentials, told } = source(async () => 'first-token')
    const { dispatch } = await setup(says(status, status === 204 ? '' : { message: 'x' }), { credentials })
    await dispatch()
    expect(told).toEqual([expected])
  })

  test('is told nothing where something before GitHub may have answered', async () => {
    const { credentials, told } = source(async () => 'first-token')
    const { dispatch } = await setup(says(502, 'Bad Gateway'), { credentials })
    await dispatch()
    expect(told).toEqual([])
  })
})

test('every answer is shown to who watches them, and nothing but answers', async () => {
  const seen: [number, string | undefined][] = []
  const observe: GithubOptions['observe'] = ({ status, headers }) =>
    void seen.push([status, headers['x-ratelimit-remaining']])
  const react = inTurn(
    says(204, '', { 'x-ratelimit-remaining': '7' }),
    says(401, { message: 'x' }, { 'x-ratelimit-remaining': '6' }),
    hangUp,
  )
  const { github, dispatch } = await setup(react, { observe })
  await dispatch()
  await github.getRun(REPOSITORY, '1')
  await github.getRun(REPOSITORY, '1')
  expect(seen).toEqual([
    [204, '7'],
    [401, '6'],
  ])
})

/** A run, as GitHub describes it. */
function run(overrides: object = {}) {
  return {
    id: 15_212_342_311,
    name: 'CD',
    display_title: 'Deploy fraud-detector 5 (019ab000)',
    status: 'in_progress',
    conclusion: null,
    html_url: 'https://github.com/acme/models/actions/runs/15212342311',
    run_attempt: 2,
    created_at: '2026-11-23T08:00:00Z',
    updated_at: '2026-11-23T08:01:00Z',
    ...overrides,
  }
}

/** What we make of it. */
const RUN = {
  id: '15212342311',
  htmlUrl: 'https://github.com/acme/models/actions/runs/15212342311',
  displayTitle: 'Deploy fraud-detector 5 (019ab000)',
  status: 'in_progress',
  conclusion: '',
  runAttempt: 2,
  createdAt: Date.UTC(2026, 10, 23, 8),
  updatedAt: Date.UTC(2026, 10, 23, 8, 1),
}

/** Answers of which nothing can be made. */
const UNUSABLE: [string, React][] = [
  ['a server fault', says(500, { message: 'x' })],
  ['bad credentials', says(401, { message: 'Bad credentials' })],
  ['a rate limit', says(403, { message: 'rate limit' })],
  ['not modified', says(304)],
  ['no content', says(204)],
  ['a page instead of JSON', says(200, '<html>Login</html>', { 'content-type': 'text/html' })],
  ['JSON cut off', says(200, '{"id": 15')],
  ['null', says(200, 'null')],
  ['a list', says(200, '[]')],
  ['a number', says(200, '5')],
  ['an empty object', says(200, {})],
  ['a reset', hangUp],
  ['silence', () => {}],
  [
    'a body that breaks off',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 99 })
      response.write('{"id":', () => response.socket?.destroy())
    },
  ],
]

describe('getRun', () => {
  test('asks for the run', async () => {
    const { github, asked } = await setup(says(200, run()))
    expect(await github.getRun(REPOSITORY, '15212342311')).toEqual({ kind: 'run', run: RUN })
    expect(asked).toMatchObject([
      {
        method: 'GET',
        url: '/repos/acme/models/actions/runs/15212342311',
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${TOKEN}`,
          'x-github-api-version': '2022-11-28',
        },
      },
    ])
  })

  test('asks again under the condition that it has changed, and then knows it as it was', async () => {
    const { github, asked } = await setup((request, response) => {
      const etag = 'W/"one"'
      const known = request.headers['if-none-match'] === etag
      response.writeHead(known ? 304 : 200, { 'content-type': 'application/json', etag })
      response.end(known ? undefined : JSON.stringify(run()))
    })
    for (const _ of [1, 2]) expect(await github.getRun(REPOSITORY, '1')).toEqual({ kind: 'run', run: RUN })
    expect(await github.getRun(REPOSITORY, '2')).toMatchObject({ kind: 'run' })
    expect(asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, 'W/"one"', undefined])
  })

  test('a run that has completed tells its conclusion', async () => {
    const { github } = await setup(says(200, run({ status: 'completed', conclusion: 'success' })))
    expect(await github.getRun(REPOSITORY, '1')).toEqual({
      kind: 'run',
      run: { ...RUN, status: 'completed', conclusion: 'success' },
    })
  })

  test('what a run does not say is empty, and its first attempt', async () => {
    const { github } = await setup(says(200, { id: 7, status: 'queued' }))
    expect(await github.getRun(REPOSITORY, '7')).toEqual({
      kind: 'run',
      run: {
        id: '7',
        htmlUrl: '',
        displayTitle: '',
        status: 'queued',
        conclusion: '',
        runAttempt: 1,
        createdAt: Number.NaN,
        updatedAt: 0,
      },
    })
  })

  test('what a run says in another type than text is not taken for text', async () => {
    const odd = {
      html_url: 5,
      display_title: ['x'],
      conclusion: { a: 1 },
      run_attempt: '2',
      created_at: null,
    }
    const { github } = await setup(says(200, run(odd)))
    expect(await github.getRun(REPOSITORY, '7')).toMatchObject({
      run: { htmlUrl: '', displayTitle: '', conclusion: '', runAttempt: 1, createdAt: Number.NaN },
    })
  })

  test('a link that is no web address is not taken for one', async () => {
    const { github } = await setup(says(200, run({ html_url: 'javascript:alert(1)' })))
    expect(await github.getRun(REPOSITORY, '7')).toMatchObject({ run: { htmlUrl: '' } })
  })

  test('a 404 is gone, or not there yet', async () => {
    const { github } = await setup(says(404, { message: 'Not Found' }))
    expect(await github.getRun(REPOSITORY, '7')).toEqual({ kind: 'gone' })
  })

  test.each<[string, React]>([
    ...UNUSABLE,
    ['a run without an id', says(200, run({ id: undefined }))],
    ['a run with an id as text', says(200, run({ id: '7' }))],
    ['a run with an id beyond numbers', says(200, '{"id": 12345678901234567890, "status": "queued"}')],
    ['a run without a status', says(200, run({ status: null }))],
  ])('%s means to ask again later', async (_, react) => {
    const { github } = await setup(react, { readTimeoutMs: 200 })
    expect(await github.getRun(REPOSITORY, '7')).toEqual({
      kind: 'unavailable',
      message: expect.stringMatching(/./),
    })
  })

  test('a secret within a run does not come through', async () => {
    const { github } = await setup(says(200, run({ display_title: `Deploy ${TOKEN}` })))
    expect(await github.getRun(REPOSITORY, '7')).toMatchObject({ run: { displayTitle: 'Deploy [redacted]' } })
  })

  test('nobody there is told, not thrown', async () => {
    const { github } = await setup(says(200), { baseUrl: await addressOfNobody() })
    const answer = await github.getRun(REPOSITORY, '7')
    expect(answer).toEqual({ kind: 'unavailable', message: expect.stringMatching(/ECONNREFUSED/) })
  })

  test('a token that can not be read is told, not thrown', async () => {
    const read = () => {
      throw new Error('gone')
    }
    const { github, asked } = await setup(says(200), { token: { name: 'GITHUB_TOKEN', read } })
    expect(await github.getRun(REPOSITORY, '7')).toMatchObject({ kind: 'unavailable' })
    expect(asked).toEqual([])
  })
})

describe('listRuns', () => {
  test('asks for the dispatched runs of the workflow since a second', async () => {
    const { github, asked } = await setup(says(200, { total_count: 1, workflow_runs: [run()] }))
    const list = await github.listRuns(REPOSITORY, 'cd_pipeline.yml', Date.UTC(2026, 10, 23, 8, 0, 0, 999))
    expect(list).toEqual({ kind: 'runs', runs: [RUN], complete: true })
    const url = new URL(asked[0]?.url ?? '', 'http://x')
    expect(url.pathname).toBe('/repos/acme/models/actions/workflows/cd_pipeline.yml/runs')
    expect(Object.fromEntries(url.searchParams)).toEqual({
      event: 'workflow_dispatch',
      created: '>=2026-11-23T08:00:00Z',
      per_page: '100',
      page: '1',
    })
  })

  test('the time is encoded, so that no + or : changes it', async () => {
    const { github, asked } = await setup(says(200, { workflow_runs: [] }))
    expect(await github.listRuns(REPOSITORY, 'w.yml', 0)).toEqual({ kind: 'runs', runs: [], complete: true })
    expect(asked[0]?.url).toContain('created=%3E%3D1970-01-01T00%3A00%3A00Z')
  })

  test('keeps GitHub’s order, newest first', async () => {
    const runs = [3, 2, 1].map((id) => run({ id }))
    const { github } = await setup(says(200, { workflow_runs: runs }))
    const list = await github.listRuns(REPOSITORY, 'w.yml', 0)
    expect(list.kind === 'runs' && list.runs.map(({ id }) => id)).toEqual(['3', '2', '1'])
  })

  test.each([[null], [5], ['x'], [[]], [{}], [run({ id: 'x' })]])(
    'an entry that can not be read (%j) is passed over, and the listing is not complete: it may be any run',
    async (entry) => {
      const { github } = await setup(says(200, { workflow_runs: [entry, run()] }))
      expect(await github.listRuns(REPOSITORY, 'w.yml', 0)).toEqual({
        kind: 'runs',
        runs: [RUN],
        complete: false,
      })
    },
  )

  test('a run whose status GitHub does not tell is there all the same', async () => {
    const { github } = await setup(says(200, { workflow_runs: [run({ status: null })] }))
    expect(await github.listRuns(REPOSITORY, 'w.yml', 0)).toEqual({
      kind: 'runs',
      runs: [{ ...RUN, status: '' }],
      complete: true,
    })
  })

  const page = (...ids: number[]) => says(200, { workflow_runs: ids.map((id) => run({ id })) })
  const hundred = (from: number) => Array.from({ length: 100 }, (_, n) => from - n)

  test('a full page is followed by the next one, until one is not full', async () => {
    const { github, asked } = await setup(inTurn(page(...hundred(250)), page(...hundred(150)), page(50, 49)))
    const list = await github.listRuns(REPOSITORY, 'w.yml', 0)
    expect(list).toMatchObject({ kind: 'runs', complete: true })
    expect(list.kind === 'runs' && list.runs).toHaveLength(202)
    const pages = asked.map(({ url }) => new URL(url ?? '', 'http://x').searchParams.get('page'))
    expect(pages).toEqual(['1', '2', '3'])
  })

  test('more than GitHub lists is not complete: what is not there may have been cut off', async () => {
    const { github, asked } = await setup(page(...hundred(100)))
    const list = await github.listRuns(REPOSITORY, 'w.yml', 0)
    expect(list).toMatchObject({ kind: 'runs', complete: false })
    expect(asked).toHaveLength(10)
  })

  test('a page that fails makes the whole listing unavailable, whatever came before it', async () => {
    const { github } = await setup(inTurn(page(...hundred(100)), says(502, {})))
    expect(await github.listRuns(REPOSITORY, 'w.yml', 0)).toMatchObject({ kind: 'unavailable' })
  })

  test.each<[string, React]>([
    ...UNUSABLE,
    ['a workflow that is not there', says(404, { message: 'Not Found' })],
    ['runs that are no list', says(200, { workflow_runs: { 0: run() } })],
  ])('%s means to ask again later, not that there is none', async (_, react) => {
    const { github } = await setup(react, { readTimeoutMs: 200 })
    expect(await github.listRuns(REPOSITORY, 'w.yml', 0)).toEqual({
      kind: 'unavailable',
      message: expect.stringMatching(/./),
    })
  })
})

describe('what a circuit is probed by', () => {
  test('the repository, by a GET', async () => {
    const { github, lines } = await setup(says(200, { id: 1 }))
    expect(await github.repositoryState(REPOSITORY)).toEqual({ ok: true })
    expect(lines()).toEqual(['GET /repos/acme/models'])
  })

  test('the workflow, by a GET', async () => {
    const { github, lines } = await setup(says(200, { state: 'active' }))
    expect(await github.workflowState(REPOSITORY, 'cd_pipeline.yml')).toEqual({ ok: true })
    expect(lines()).toEqual(['GET /repos/acme/models/actions/workflows/cd_pipeline.yml'])
  })

  test.each(['disabled_manually', 'disabled_inactivity', 'deleted', undefined])(
    'a workflow that is %s is not mended, and says why',
    async (state) => {
      const { github } = await setup(says(200, { state }))
      expect(await github.workflowState(REPOSITORY, 'w.yml')).toEqual({
        ok: false,
        detail: `the workflow is ${state}`,
      })
    },
  )

  test.each<[string, React]>(UNUSABLE)('%s is no sign that anything is mended', async (_, react) => {
    const { github } = await setup(react, { readTimeoutMs: 200 })
    const detail = expect.stringMatching(/./)
    expect(await github.workflowState(REPOSITORY, 'w.yml')).toEqual({ ok: false, detail })
  })

  test.each([401, 403, 404, 429, 500, 503])('a repository that answers %i is not mended', async (status) => {
    const { github } = await setup(says(status, { message: 'no' }))
    const detail = `GitHub answered ${status}: no`
    expect(await github.repositoryState(REPOSITORY)).toEqual({ ok: false, detail })
  })
})

describe('cancelRun', () => {
  test.each<[string, React, boolean]>([
    ['taken', says(202, {}), true],
    [
      'too late, it has ended',
      says(409, { message: 'Cannot cancel a workflow run that is completed.' }),
      true,
    ],
    ['forbidden', says(403, { message: 'x' }), false],
    ['not there', says(404, { message: 'x' }), false],
    ['a fault', says(500, { message: 'x' }), false],
    ['a reset', hangUp, false],
  ])('%s', async (_, react, asked) => {
    const { github, lines } = await setup(react)
    expect(await github.cancelRun(REPOSITORY, '7')).toBe(asked)
    expect(lines()).toEqual(['POST /repos/acme/models/actions/runs/7/cancel'])
  })
})
