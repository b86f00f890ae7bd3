// The outcome table, row by row: what each of GitHub's answers means, in its own words.
import { describe, expect, test } from 'vitest'
import { OPTIONAL_INPUTS, type Outcome, outcomeOf, type SentWith } from '../../worker/dispatch/outcome.ts'
import type { DispatchAnswer } from '../../worker/github/client.ts'

const NOW = Date.UTC(2026, 10, 23, 8)
const HOUR = 3_600_000
const REQUIRED = ['model_version', 'model_accuracy', 'trigger_source']
const PERMISSION = 'Resource not accessible by personal access token'

type Headers = Record<string, string>

function setup(overrides: Partial<SentWith> = {}) {
  const sent: SentWith = {
    inputs: [...REQUIRED, ...OPTIONAL_INPUTS],
    runDetails: true,
    apiVersion: true,
    nowMs: NOW,
    ...overrides,
  }
  return { read: (answer: DispatchAnswer) => outcomeOf(answer, sent) }
}

function answered(status: number, body: unknown = '', headers: Headers = {}, repositoryReadable?: boolean) {
  return { kind: 'answered', status, body, headers, repositoryReadable } satisfies DispatchAnswer
}

function noToken(status: number, message: string, headers: Headers = {}) {
  return { kind: 'no_token', status, body: says(message), headers } satisfies DispatchAnswer
}

/** As GitHub words its errors. */
function says(message: string) {
  return { message, documentation_url: 'https://docs.github.com/rest/actions/workflows', status: '422' }
}

/** The outcome without its words, which have tests of their own. */
function bare(outcome: Outcome) {
  const { detail: _, ...rest } = outcome
  return rest
}

describe('what GitHub answers', () => {
  const rows: [string, DispatchAnswer, object][] = [
    [
      'a 200 with a run is dispatched, run known',
      answered(200, {
        workflow_run_id: 15_212_342_311,
        run_url: 'https://api.github.com/repos/acme/models/actions/runs/15212342311',
        html_url: 'https://github.com/acme/models/actions/runs/15212342311',
      }),
      {
        kind: 'dispatched',
        runId: '15212342311',
        runUrl: 'https://github.com/acme/models/actions/runs/15212342311',
      },
    ],
    ['a 204 is dispatched, run still to be found', answered(204), { kind: 'dispatched' }],
    [
      'a workflow without the trigger is the fault of the workflow',
      answered(422, says("Workflow does not have 'workflow_dispatch' trigger")),
      { kind: 'workflow_fault', reason: 'no_trigger' },
    ],
    [
      'an unknown branch is the fault of the workflow',
      answered(422, says('No ref found for: main')),
      { kind: 'workflow_fault', reason: 'bad_ref' },
    ],
    [
      'a disabled workflow is the fault of the workflow',
      answered(422, says("Cannot trigger a 'workflow_dispatch' on a disabled workflow")),
      { kind: 'workflow_fault', reason: 'workflow_disabled' },
    ],
    [
      'a disabled workflow answered as 403 is not a missing permission',
      answered(403, says("Cannot trigger a 'workflow_dispatch' on a disabled workflow")),
      { kind: 'workflow_fault', reason: 'workflow_disabled' },
    ],
    [
      'one of our optional inputs undeclared is left out from now on',
      answered(422, says('Unexpected inputs provided: ["promotion_id"]')),
      { kind: 'adjusted', drop: { what: 'inputs', names: ['promotion_id'] } },
    ],
    [
      'all of our optional inputs undeclared are left out together',
      answered(422, says('Unexpected inputs provided: ["promotion_id", "model_name", "environment"]')),
      { kind: 'adjusted', drop: { what: 'inputs', names: ['promotion_id', 'model_name', 'environment'] } },
    ],
    [
      'a required input undeclared is nothing that can be left out',
      answered(422, says('Unexpected inputs provided: ["model_version"]')),
      { kind: 'rejected' },
    ],
    [
      'a required input undeclared beside an optional one is not adjusted by half',
      answered(422, says('Unexpected inputs provided: ["promotion_id", "model_accuracy"]')),
      { kind: 'rejected' },
    ],
    [
      'an undeclared input that is not ours at all is rejected',
      answered(422, says('Unexpected inputs provided: ["foo"]')),
      { kind: 'rejected' },
    ],
    [
      'a list of inputs that can not be read is rejected',
      answered(422, says('Unexpected inputs provided: ["promotion_id"')),
      { kind: 'rejected' },
    ],
    [
      'an empty list of inputs is no reason to send the same again',
      answered(422, says('Unexpected inputs provided: []')),
      { kind: 'rejected' },
    ],
    [
      'a list of things that are no names is rejected',
      answered(422, says('Unexpected inputs provided: [{"toString":1}, null]')),
      { kind: 'rejected' },
    ],
    [
      'a missing input is rejected',
      answered(422, says("Required input 'approver' not provided")),
      { kind: 'rejected' },
    ],
    ['too large inputs are rejected', answered(422, says('inputs are too large.')), { kind: 'rejected' }],
    [
      'an input that is not text is rejected',
      answered(
        422,
        says("Invalid request.\n\nFor 'properties/inputs/properties/model_version', 5 is not a string."),
      ),
      { kind: 'rejected' },
    ],
    [
      'a payload too large is rejected',
      answered(413, '<html>Payload Too Large</html>'),
      { kind: 'rejected' },
    ],
    ['a 422 without words is rejected', answered(422, {}), { kind: 'rejected' }],
    [
      'a server that does not know return_run_details is not sent it again',
      answered(422, says('Invalid request.\n\n"return_run_details" is not a permitted key.')),
      { kind: 'adjusted', drop: { what: 'run_details' } },
    ],
    [
      'an Enterprise Server that does not know our API version is not sent it again',
      answered(400, says('The API version requested is not supported: 2026-03-10')),
      { kind: 'adjusted', drop: { what: 'api_version' } },
    ],
    [
      'the same named after its header',
      answered(400, says("Invalid value for header 'X-GitHub-Api-Version'")),
      { kind: 'adjusted', drop: { what: 'api_version' } },
    ],
    [
      'bad credentials are the fault of the repository',
      answered(401, says('Bad credentials')),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'bad credentials while another token is at hand: it goes with that one',
      { ...answered(401, says('Bad credentials')), anotherToken: true },
      { kind: 'transient', ours: true },
    ],
    [
      'bad credentials without another token are the fault of the repository',
      { ...answered(401, says('Bad credentials')), anotherToken: false },
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'a suspended App is a fault of credentials: reading tells when it is back',
      answered(403, says('This installation has been suspended')),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'a token without permission is the fault of the repository',
      answered(403, says(PERMISSION)),
      { kind: 'repository_fault', reason: 'permission' },
    ],
    [
      'an App without permission is the fault of the repository',
      answered(403, says('Resource not accessible by integration')),
      { kind: 'repository_fault', reason: 'permission' },
    ],
    [
      'a 404 in a readable repository: the workflow is missing',
      answered(404, says('Not Found'), {}, true),
      { kind: 'workflow_fault', reason: 'workflow_missing' },
    ],
    [
      'a 404 in a repository that can not be read either: the repository',
      answered(404, says('Not Found'), {}, false),
      { kind: 'repository_fault', reason: 'repository_missing' },
    ],
    [
      'a 404 where nobody could tell blames the smaller part, the workflow',
      answered(404, says('Not Found')),
      { kind: 'workflow_fault', reason: 'workflow_missing' },
    ],
    [
      'a redirect is not followed: the repository has moved',
      answered(307, says('Moved Permanently'), { location: 'https://api.github.com/repositories/1/actions' }),
      { kind: 'repository_fault', reason: 'moved' },
    ],
    ['a 429 is throttled also without any sign', answered(429, ''), { kind: 'throttled' }],
    [
      'GitHub’s own failure is unknown',
      answered(500, says('Failed to run workflow dispatch')),
      { kind: 'unknown' },
    ],
    ['a bad gateway is unknown', answered(502, '<html>Bad Gateway</html>'), { kind: 'unknown' }],
    [
      'a 503 is unknown, also with a retry-after',
      answered(503, '', { 'retry-after': '30' }),
      { kind: 'unknown' },
    ],
    ['a gateway timeout is unknown', answered(504, ''), { kind: 'unknown' }],
    [
      'a 500 is unknown whatever it says of a rate limit',
      answered(500, says('API rate limit exceeded'), { 'x-ratelimit-remaining': '0' }),
      { kind: 'unknown' },
    ],
    [
      'a refused connection: nothing was sent',
      { kind: 'not_sent', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:443' },
      { kind: 'transient', ours: false },
    ],
    [
      'an unknown host: nothing was sent',
      { kind: 'not_sent', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND github.invalid' },
      { kind: 'transient', ours: false },
    ],
    [
      'past the send deadline: nothing was sent',
      { kind: 'not_sent', code: 'SEND_DEADLINE', message: 'the send deadline passed' },
      { kind: 'transient', ours: true },
    ],
    [
      'a token that can not be read is no fault of the promotion',
      { kind: 'not_sent', code: 'CREDENTIALS', message: "GITHUB_TOKEN can't be read: ENOENT" },
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'an App that GitHub does not know: its credentials',
      noToken(401, 'A JSON web token could not be decoded'),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'an installation that is gone: its credentials',
      noToken(404, 'Not Found'),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'an installation that is suspended: its credentials',
      noToken(403, 'This installation has been suspended'),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    [
      'an address that leads elsewhere gives no token either: its credentials',
      noToken(302, ''),
      { kind: 'repository_fault', reason: 'credentials' },
    ],
    ['a limit on tokens is throttled', noToken(429, ''), { kind: 'throttled' }],
    [
      'also as a 403, for as long as GitHub says',
      noToken(403, 'You have exceeded a secondary rate limit', { 'retry-after': '30' }),
      { kind: 'throttled', waitMs: 30_000 },
    ],
    [
      'a fault of GitHub’s where a token is asked for: nothing was sent',
      noToken(502, ''),
      { kind: 'transient', ours: false },
    ],
    [
      'an answer that holds no token: nothing was sent',
      noToken(200, '<p>Log in</p>'),
      { kind: 'transient', ours: false },
    ],
    [
      'no token of the App in time: nothing was sent',
      { kind: 'not_sent', code: 'NO_TOKEN', message: 'GitHub gave no token of the App in time' },
      { kind: 'transient', ours: false },
    ],
    [
      'a reset after sending is unknown',
      { kind: 'no_answer', code: 'ECONNRESET', message: 'socket hang up' },
      { kind: 'unknown' },
    ],
    [
      'a timeout after sending is unknown',
      { kind: 'no_answer', code: 'NO_ANSWER', message: 'no answer within 30 s' },
      { kind: 'unknown' },
    ],
    [
      'a refusal told in `errors` alone is read as well',
      answered(422, { errors: 'No ref found for: main', status: '422' }),
      { kind: 'workflow_fault', reason: 'bad_ref' },
    ],
  ]
  test.each(rows)('%s', (_, answer, expected) => {
    expect(bare(setup().read(answer))).toEqual(expected)
  })

  test('a 5xx is unknown, all hundred of them: the run may have been started', () => {
    const { read } = setup()
    const kinds = new Set(range(500, 600).map((status) => read(answered(status, says('Not Found'))).kind))
    expect([...kinds]).toEqual(['unknown'])
  })

  test.each([
    [100, 'unknown'],
    [101, 'unknown'],
    [199, 'unknown'],
    [201, 'unknown'],
    [202, 'unknown'],
    [205, 'unknown'],
    [301, 'repository_fault'],
    [302, 'repository_fault'],
    [304, 'repository_fault'],
    [405, 'repository_fault'],
    [408, 'repository_fault'],
    [409, 'repository_fault'],
    [410, 'repository_fault'],
    [418, 'repository_fault'],
    [451, 'repository_fault'],
    [499, 'repository_fault'],
    [599, 'unknown'],
    [600, 'unknown'],
    [999, 'unknown'],
  ])('an unusual %i is %s', (status, kind) => {
    expect(setup().read(answered(status, says('?'))).kind).toBe(kind)
  })

  test('an unusual success that names its run is dispatched all the same', () => {
    const { read } = setup()
    for (const status of [200, 201, 202])
      expect(bare(read(answered(status, { workflow_run_id: 7 })))).toEqual({ kind: 'dispatched', runId: '7' })
  })
})

describe('a 200 that can not be read is unknown', () => {
  test.each([
    ['nothing', ''],
    ['null', null],
    ['a number', 15],
    ['a page', '<html>Login</html>'],
    ['a list', [{ workflow_run_id: 1 }]],
    ['no run', { html_url: 'https://github.com/acme/models/actions/runs/1' }],
    ['a run id as text', { workflow_run_id: '15' }],
    ['a run id of 0', { workflow_run_id: 0 }],
    ['a negative run id', { workflow_run_id: -1 }],
    ['half a run', { workflow_run_id: 1.5 }],
    ['a run id beyond what a number holds', { workflow_run_id: 12345678901234567890n }],
    ['NaN', { workflow_run_id: Number.NaN }],
    ['a run one level too deep', { data: { workflow_run_id: 1 } }],
  ])('%s', (_, body) => {
    expect(setup().read(answered(200, body)).kind).toBe('unknown')
  })

  test.each([
    ['no address', undefined],
    ['something else', 15],
    ['a script', 'javascript:alert(1)'],
    ['an address without end', `https://github.com/${'x'.repeat(5_000)}`],
  ])('but a run with %s for a link is dispatched, without the link', (_, html_url) => {
    expect(bare(setup().read(answered(200, { workflow_run_id: 1, html_url })))).toEqual({
      kind: 'dispatched',
      runId: '1',
    })
  })
})

describe('nothing is adjusted twice', () => {
  test('an input that was not sent can not be left out', () => {
    const { read } = setup({ inputs: REQUIRED })
    expect(read(answered(422, says('Unexpected inputs provided: ["promotion_id"]'))).kind).toBe('rejected')
  })

  test('return_run_details that was not sent can not be left out', () => {
    const { read } = setup({ runDetails: false })
    expect(read(answered(422, says('"return_run_details" is not a permitted key.'))).kind).toBe('rejected')
  })

  test('an API version that was not sent can not be left out', () => {
    const { read } = setup({ apiVersion: false })
    expect(read(answered(400, says('The API version is not supported'))).kind).toBe('rejected')
  })
})

describe('rate limits', () => {
  const seconds = (ms: number) => String((NOW + ms) / 1000)
  const past = seconds(-60_000)
  const rows: [string, number, string, Headers, object][] = [
    ['retry-after says for how long', 403, PERMISSION, { 'retry-after': '30' }, { waitMs: 30_000 }],
    ['also with a 429', 429, '', { 'retry-after': '30' }, { waitMs: 30_000 }],
    [
      'retry-after comes before reset',
      403,
      '',
      exhausted(seconds(HOUR), { 'retry-after': '5' }),
      { waitMs: 5_000 },
    ],
    ['a retry-after of 0 is a second, not a storm', 429, '', { 'retry-after': '0' }, { waitMs: 1_000 }],
    ['an exhausted budget waits until its reset', 403, '', exhausted(seconds(60_000)), { waitMs: 61_000 }],
    ['also with a 429', 429, '', exhausted(seconds(60_000)), { waitMs: 61_000 }],
    [
      'by GitHub’s clock where ours is 5 minutes ahead',
      403,
      '',
      exhausted(seconds(-240_000), { date: new Date(NOW - 300_000).toUTCString() }),
      { waitMs: 61_000 },
    ],
    [
      'by GitHub’s clock where ours is 5 minutes behind',
      403,
      '',
      exhausted(seconds(360_000), { date: new Date(NOW + 300_000).toUTCString() }),
      { waitMs: 61_000 },
    ],
    [
      'by our clock where GitHub’s can not be read',
      403,
      '',
      exhausted(seconds(60_000), { date: 'now' }),
      { waitMs: 61_000 },
    ],
    ['a reset that is past leaves the pause to us', 403, '', exhausted(past), {}],
    ['a reset that can not be read as well', 403, '', exhausted('soon'), {}],
    ['an exhausted budget without a reset as well', 403, '', { 'x-ratelimit-remaining': '0' }, {}],
    [
      'a reset counts with an exhausted budget only',
      429,
      '',
      { 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': seconds(HOUR) },
      {},
    ],
    [
      'a date as retry-after leaves the pause to us',
      429,
      '',
      { 'retry-after': 'Mon, 23 Nov 2026 09:00:00 GMT' },
      {},
    ],
    ['an empty retry-after as well', 429, '', { 'retry-after': '' }, {}],
    ['a negative retry-after as well', 429, '', { 'retry-after': '-5' }, {}],
    ['an infinite retry-after as well', 429, '', { 'retry-after': 'Infinity' }, {}],
    ['no pause is longer than two hours', 429, '', { 'retry-after': '99999999999' }, { waitMs: 2 * HOUR }],
    [
      'nor one until a reset by a clock that is wrong',
      403,
      '',
      exhausted(seconds(900 * HOUR)),
      { waitMs: 2 * HOUR },
    ],
    ['the words of the primary limit are a sign', 403, 'API rate limit exceeded for user ID 1.', {}, {}],
    [
      'the words of the secondary limit are a sign',
      403,
      'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      {},
      {},
    ],
    ['the older words as well', 403, 'You have triggered an abuse detection mechanism.', {}, {}],
    [
      'a disabled workflow while limited is throttled first',
      403,
      'on a disabled workflow',
      { 'retry-after': '9' },
      { waitMs: 9_000 },
    ],
  ]
  test.each(rows)('%s (%i)', (_, status, message, headers, expected) => {
    expect(bare(setup().read(answered(status, says(message), headers)))).toEqual({
      kind: 'throttled',
      ...expected,
    })
  })

  test('a 403 is a missing permission without any sign, throttled with one; the pause is always bounded', () => {
    const { read } = setup()
    const retries = [undefined, '', '0', '17', '1e9', '1e308', '-1', '0x10', ' 5', 'tomorrow']
    const remainders = [undefined, '0', '00', '1', '', 'none']
    const resets = [undefined, '', seconds(5_000), past, '1e308', '-1', 'NaN']
    const messages = ['', PERMISSION, 'You have exceeded a secondary RATE LIMIT']
    let seen = 0
    for (const status of [403, 429])
      for (const retryAfter of retries)
        for (const remaining of remainders)
          for (const reset of resets)
            for (const message of messages) {
              const headers = present({
                'retry-after': retryAfter,
                'x-ratelimit-remaining': remaining,
                'x-ratelimit-reset': reset,
              })
              const outcome = read(answered(status, says(message), headers))
              const sign = retryAfter !== undefined || remaining === '0' || /limit/i.test(message)
              const expected = status === 429 || sign ? 'throttled' : 'repository_fault'
              expect(outcome.kind, JSON.stringify({ status, headers, message })).toBe(expected)
              const { waitMs } = outcome as { waitMs?: number }
              if (waitMs !== undefined) expect(waitMs >= 1_000 && waitMs <= 2 * HOUR, `${waitMs}`).toBe(true)
              seen++
            }
    expect(seen).toBe(2 * 10 * 6 * 7 * 3)
  })

  function exhausted(reset: string, more: Headers = {}): Headers {
    return { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset, ...more }
  }
})

describe('the words of an outcome', () => {
  test('say the status and what GitHub said, on one line', () => {
    const { detail } = setup().read(answered(422, says('Invalid request.\n\n"x" is not\ta string.')))
    expect(detail).toBe('GitHub answered 422: Invalid request. "x" is not a string.')
  })

  test('say the status where GitHub said nothing', () => {
    expect(setup().read(answered(204)).detail).toBe('GitHub answered 204')
  })

  test('name the permission that is missing', () => {
    const headers = { 'x-accepted-github-permissions': 'actions=write' }
    const { detail } = setup().read(answered(403, says(PERMISSION), headers))
    expect(detail).toBe(`GitHub answered 403: ${PERMISSION} (needed: actions=write)`)
  })

  test('say whether anything was sent', () => {
    const { read } = setup()
    const fault = { code: 'ECONNRESET', message: 'socket hang up' }
    expect(read({ kind: 'not_sent', ...fault }).detail).toBe('nothing was sent: socket hang up')
    expect(read({ kind: 'no_answer', ...fault }).detail).toBe('sent, but no answer: socket hang up')
    expect(read(noToken(404, 'Not Found')).detail).toBe(
      'nothing was sent: no token of the GitHub App: GitHub answered 404: Not Found',
    )
  })

  test('say which of the two a 404 means', () => {
    const { read } = setup()
    expect(read(answered(404, says('Not Found'), {}, true)).detail).toContain('no such workflow file')
    expect(read(answered(404, says('Not Found'), {}, false)).detail).toContain("repository can't be read")
  })

  test('an answer of ten megabytes leaves five hundred characters', () => {
    const { detail } = setup().read(answered(500, says('no '.repeat(3_500_000))))
    expect(detail.length).toBeLessThanOrEqual(530)
    expect(detail).toContain('no no no')
  })

  test('are cut between characters: a half one is refused by Redis’s JSON reader', () => {
    const { detail } = setup().read(answered(500, says(`${'x'.repeat(499)}😀`)))
    expect(detail.isWellFormed()).toBe(true)
  })

  test('control and invisible characters don’t reach a terminal', () => {
    const { detail } = setup().read(answered(422, says('a\u001b[31mb\u0000c\u202ed\u0007')))
    expect(detail).toBe('GitHub answered 422: a [31mb c d')
  })
})

describe('hostile bodies', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic.message = cyclic
  const bodies: unknown[] = [
    undefined,
    null,
    true,
    0,
    Number.NaN,
    12345678901234567890n,
    '',
    '<!doctype html><title>502 Bad Gateway</title>',
    '\ud800',
    [],
    ['No ref found for: x'],
    {},
    cyclic,
    { message: null },
    { message: ['Bad credentials'] },
    { message: { message: 'x' } },
    { message: 5, errors: [{ code: 'custom' }] },
    { message: '\udfff\ud800', errors: '\u0000' },
    { message: `Unexpected inputs provided: ${'['.repeat(200)}` },
    { message: 'Unexpected inputs provided: [1e999, {"__proto__": "promotion_id"}]' },
    { workflow_run_id: { valueOf: 1 }, html_url: { toString: null } },
    Object.create(null),
    new ArrayBuffer(8),
  ]

  test('whatever comes: nothing is thrown, no class of status is crossed, the words stay fit to keep', () => {
    const { read } = setup()
    const wrong: unknown[] = []
    for (const status of [...range(100, 700), 999])
      for (const body of bodies) {
        const { kind, detail } = read(answered(status, body))
        const fit = detail.isWellFormed() && detail.length < 600 && !/\p{Cc}/u.test(detail)
        if (!allowed(status).includes(kind) || !fit) wrong.push({ status, kind, detail })
      }
    expect(wrong).toEqual([])
  })

  /** Nothing was started by a 3xx or 4xx; nobody knows of a 5xx or of what is no status at all. */
  function allowed(status: number): Outcome['kind'][] {
    if (status === 204) return ['dispatched']
    if (status < 200 || status >= 500 || status < 300) return ['unknown']
    if (status < 400) return ['repository_fault']
    return ['rejected', 'workflow_fault', 'repository_fault', 'throttled', 'adjusted']
  }
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

function present(headers: Record<string, string | undefined>): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Headers
}
