// The whole story of a promotion's turn, ending by ending: what is done, in which order, and what ops read of it.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Promotion, promotionFrom, STATES } from '../../shared/ledger/promotion-record.ts'
import type {
  AttemptEnd,
  CircuitChange,
  Claim,
  ClaimRequest,
  Go,
  Recorded,
  Wake,
} from '../../shared/ledger/steps.ts'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { secretFromValue } from '../../shared/secret.ts'
import { createHandle, type HandleDeps, type Route, SEND_DEADLINE_MS } from '../../worker/dispatch/handle.ts'
import { createGithub, type DispatchAnswer, type DispatchCall } from '../../worker/github/client.ts'
import { tokenCredentials } from '../../worker/github/credentials.ts'

const ID = '019ab000-0000-7000-8000-000000000001'
const NEWER: Wake = { id: '019ab000-0000-7000-8000-000000000002', job: 4 }
const NOW = Date.UTC(2026, 10, 23, 8)

const INITIATING = 'Initiating CT -> CD pipeline linkage'
const TRIGGERED = 'Successfully triggered CD pipeline'
const NOT_TRIGGERED = 'CD pipeline was not triggered. Manual deployment may be required.'

const ROUTE: Route = {
  owner: { owner: 'acme', name: 'models' },
  repository: 'acme/models',
  workflow: 'cd_pipeline.yml',
  ref: 'main',
  enabled: true,
  maxAttempts: 8,
  backoff: { baseMs: 2_000, maxMs: 300_000 },
  circuitPauseMs: 60_000,
  faultPauseMs: 15_000,
  slotMs: 1_000,
  uncertainMs: 40_000,
  recheckMs: 30_000,
}

const DISPATCHED: DispatchAnswer = {
  kind: 'answered',
  status: 200,
  body: { workflow_run_id: 15, html_url: 'https://github.com/acme/models/actions/runs/15' },
  headers: { 'x-github-request-id': 'AB:1' },
}
const SERVER_FAULT: DispatchAnswer = {
  kind: 'answered',
  status: 500,
  body: { message: 'Failed to run workflow dispatch' },
  headers: {},
}
const REFUSED: DispatchAnswer = { kind: 'not_sent', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }
const TOO_LARGE: DispatchAnswer = {
  kind: 'answered',
  status: 422,
  body: { message: 'inputs are too large.' },
  headers: {},
}

const promotion = promotionFrom({
  id: ID,
  state: 'dispatching',
  model: 'fraud-detector',
  version: '5',
  environment: 'production',
  accuracy: '0.9234',
  source: 'automated_ct_pipeline',
}) as Promotion

function go(overrides: Partial<Go> = {}): Go {
  return {
    kind: 'go',
    token: 'claim-1',
    attempt: 1,
    spent: 0,
    promotion,
    refused: '',
    replicated: true,
    ...overrides,
  }
}

interface Situation {
  claim?: Claim
  answer?: DispatchAnswer
  recorded?: Recorded
  route?: Partial<Route>
  deps?: Partial<HandleDeps>
  secrets?: string[]
}

/** The ledger that answers what is most usual after each step. */
function usual(end: AttemptEnd): Recorded {
  switch (end.next.kind) {
    case 'track':
      return { kind: 'track', job: 1, waitedMs: 1_234 }
    case 'again':
      return { kind: 'again', waitMs: end.next.circuit?.waitMs ?? end.next.delayMs }
    case 'dead_letter':
      return { kind: 'dead_letter', deadLetter: 1 }
    case 'unknown':
      return { kind: 'resolving', waitMs: end.recheckMs }
  }
}

function setup({ claim = go(), answer = DISPATCHED, recorded, route, deps, secrets = [] }: Situation = {}) {
  /** What was done, in order. */
  const done: string[] = []
  const claims: ClaimRequest[] = []
  const calls: DispatchCall[] = []
  const ends: AttemptEnd[] = []
  const seen: object[] = []
  const changes: CircuitChange[] = []
  const lines: Record<string, unknown>[] = []
  const log = createLogger({
    level: 'trace',
    redact: createRedactor(secrets.map((value) => secretFromValue('SECRET', value))),
    destination: {
      write(line) {
        const { time: _, ...fields } = JSON.parse(line)
        lines.push(fields)
        done.push(`log ${fields.msg}`)
      },
    },
  })
  let tokens = 0
  let clock = NOW
  const handle = createHandle({
    ledger: {
      async claim(request) {
        done.push('claim')
        claims.push(request)
        return claim
      },
      async recordOutcome(end) {
        done.push(`record ${end.next.kind}`)
        ends.push(end)
        return recorded ?? usual(end)
      },
    },
    route: { ...ROUTE, ...route },
    async dispatch(call) {
      done.push('dispatch')
      calls.push(call)
      clock += 150
      return answer
    },
    follow: async (followed, job) => void done.push(`follow ${followed.id} ${job}`),
    bury: async (id, deadLetter) => void done.push(`bury ${id} ${deadLetter}`),
    wake: async ({ id, job }) => void done.push(`wake ${id} ${job}`),
    circuitsChanged: async (change) => {
      done.push('circuits changed')
      changes.push(change)
    },
    observe: (what) => void seen.push(what),
    log,
    worker: 'worker-1',
    random: () => 0.5,
    token: () => `claim-${++tokens}`,
    now: () => clock,
    ...deps,
  })
  return {
    handle,
    done,
    claims,
    calls,
    ends,
    seen,
    changes,
    lines,
    /** What was done but for the log. */
    effects: () => done.filter((step) => !step.startsWith('log')),
    line: (msg: string) => lines.filter((one) => one.msg === msg),
  }
}

describe('claim', () => {
  test('is asked under the route’s terms, with a token of its own each time', async () => {
    const { handle, claims } = setup({ claim: { kind: 'done', state: 'deployed' } })
    await handle(ID)
    await handle(ID)
    const terms = {
      id: ID,
      worker: 'worker-1',
      enabled: true,
      repository: 'acme/models',
      workflow: 'cd_pipeline.yml',
      slotMs: 1_000,
      uncertainMs: 40_000,
      recheckMs: 30_000,
      maxClaims: 10,
    }
    expect(claims).toEqual([
      { ...terms, token: 'claim-1' },
      { ...terms, token: 'claim-2' },
    ])
  })

  test('broken by Redis breaks the job, and nothing is sent', async () => {
    const lost = new Error('Redis is away')
    const { handle, effects } = setup({
      deps: { ledger: { claim: () => Promise.reject(lost), recordOutcome: () => Promise.reject(lost) } },
    })
    await expect(handle(ID)).rejects.toBe(lost)
    expect(effects()).toEqual([])
  })
})

describe('done', () => {
  test.each([...STATES.filter((state) => state !== 'skipped'), 'unknown' as const])(
    'a promotion that is %s already completes, quietly',
    async (state) => {
      const { handle, effects, line } = setup({ claim: { kind: 'done', state } })
      expect(await handle(ID)).toEqual({ kind: 'complete', note: `nothing to do: ${state}` })
      expect(effects()).toEqual(['claim'])
      expect(line(NOT_TRIGGERED)).toEqual([])
    },
  )

  test('a promotion skipped since the trigger is off says so in the words that ops look for', async () => {
    const { handle, effects, lines } = setup({
      claim: { kind: 'done', state: 'skipped' },
      route: { enabled: false },
    })
    expect(await handle(ID)).toEqual({ kind: 'complete', note: 'nothing to do: skipped' })
    expect(effects()).toEqual(['claim'])
    expect(lines).toEqual([
      { level: 'warn', promotionId: ID, reason: 'ENABLE_CD_TRIGGER is off', msg: NOT_TRIGGERED },
    ])
  })
})

describe('wait', () => {
  test.each([
    ['held', 'ops: incident 17'],
    ['in_flight', '4'],
    ['back_off', 'connect ECONNREFUSED'],
    ['circuit', 'acme/models: Bad credentials'],
    ['rate', ''],
    ['earlier_attempt', 'worker-2'],
    ['resolving', ''],
    ['resolving_other', ''],
  ] as const)('%s waits for as long as the ledger says, and nothing else happens', async (code, detail) => {
    const { handle, effects, lines } = setup({ claim: { kind: 'wait', waitMs: 777, code, detail } })
    expect(await handle(ID)).toEqual({ kind: 'wait', waitMs: 777, note: `waits: ${code} ${detail}`.trim() })
    expect(effects()).toEqual(['claim'])
    // A line a look would flood the log during an outage.
    expect(lines.map(({ level }) => level)).toEqual(['debug'])
  })
})

describe('dead letter', () => {
  const claim: Claim = { kind: 'dead_letter', deadLetter: 3, wake: NEWER }

  test('after claims without an outcome it is buried, the next one woken, and nothing is sent', async () => {
    const { handle, effects } = setup({ claim })
    const end = await handle(ID)
    expect(effects()).toEqual(['claim', `bury ${ID} 3`, `wake ${NEWER.id} 4`])
    expect(end).toEqual({
      kind: 'complete',
      note: 'dead_letter: no attempt ever had an outcome',
    })
  })

  test('is told to ops in their words', async () => {
    const { handle, lines, seen } = setup({ claim })
    await handle(ID)
    expect(lines).toEqual([
      {
        level: 'error',
        promotionId: ID,
        worker: 'worker-1',
        reason: 'no attempt ever had an outcome',
        msg: NOT_TRIGGERED,
      },
    ])
    expect(seen).toEqual([])
  })
})

describe('go', () => {
  test('sends exactly this', async () => {
    const { handle, calls } = setup()
    await handle(ID)
    expect(calls).toEqual([
      {
        repository: { owner: 'acme', name: 'models' },
        workflow: 'cd_pipeline.yml',
        ref: 'main',
        inputs: {
          model_version: '5',
          model_accuracy: '0.9234',
          trigger_source: 'automated_ct_pipeline',
          promotion_id: ID,
          model_name: 'fraud-detector',
          environment: 'production',
        },
        adjustments: { droppedInputs: [], noRunDetails: false, noApiVersion: false },
        sendBefore: expect.anything(),
        signal: undefined,
      },
    ])
  })

  test('leaves out what the workflow refused before', async () => {
    const { handle, calls } = setup({ claim: go({ refused: 'input:environment,run_details' }) })
    await handle(ID)
    expect(calls[0]?.adjustments).toEqual({
      droppedInputs: ['environment'],
      noRunDetails: true,
      noApiVersion: false,
    })
  })

  test('the send deadline runs from before the claim: time that it took is gone', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW })
    onTestFinished(() => void vi.useRealTimers())
    let left = -1
    const ledger = {
      async claim() {
        vi.setSystemTime(Date.now() + 4_900)
        return go()
      },
      recordOutcome: async (end: AttemptEnd) => usual(end),
    }
    const { handle } = setup({
      deps: {
        ledger,
        async dispatch({ sendBefore }) {
          left = sendBefore.leftMs()
          vi.setSystemTime(Date.now() + 200)
          expect(sendBefore.passed()).toBe(true)
          return REFUSED
        },
      },
    })
    await handle(ID)
    expect(left).toBe(SEND_DEADLINE_MS - 4_900)
  })

  test('a cancelled job’s signal reaches the call', async () => {
    const { signal } = new AbortController()
    const { handle, calls } = setup()
    await handle(ID, signal)
    expect(calls[0]?.signal).toBe(signal)
  })

  test('a call that breaks records nothing: the attempt stays visible as unknown', async () => {
    const bug = new TypeError('a bug')
    const { handle, effects } = setup({ deps: { dispatch: () => Promise.reject(bug) } })
    await expect(handle(ID)).rejects.toBe(bug)
    expect(effects()).toEqual(['claim'])
  })
})

describe('each ending, in the order of its effects', () => {
  const rows: [string, Situation, string[], object][] = [
    [
      'dispatched: follow the run, complete',
      {},
      ['record track', `follow ${ID} 1`],
      { kind: 'complete', note: 'track: GitHub answered 200' },
    ],
    [
      'dispatched by a 204: followed as well',
      { answer: { kind: 'answered', status: 204, body: '', headers: {} } },
      ['record track', `follow ${ID} 1`],
      { kind: 'complete', note: 'track: GitHub answered 204' },
    ],
    [
      'nothing was sent: wait for as long as the ledger says',
      { answer: REFUSED, recorded: { kind: 'again', waitMs: 1_000 } },
      ['record again'],
      { kind: 'wait', waitMs: 1_000, note: 'again: nothing was sent: connect ECONNREFUSED' },
    ],
    [
      'nothing was sent and a newer one waits: wake that one, complete',
      { answer: REFUSED, recorded: { kind: 'superseded', by: NEWER.id, wake: NEWER } },
      ['record again', `wake ${NEWER.id} 4`],
      { kind: 'complete', note: 'superseded: nothing was sent: connect ECONNREFUSED' },
    ],
    [
      'superseded by one that was woken already: complete',
      { answer: REFUSED, recorded: { kind: 'superseded', by: NEWER.id } },
      ['record again'],
      { kind: 'complete', note: 'superseded: nothing was sent: connect ECONNREFUSED' },
    ],
    [
      'rejected: bury, wake the next one, complete',
      { answer: TOO_LARGE, recorded: { kind: 'dead_letter', deadLetter: 2, wake: NEWER } },
      ['record dead_letter', `bury ${ID} 2`, `wake ${NEWER.id} 4`],
      { kind: 'complete', note: 'dead_letter: GitHub answered 422: inputs are too large.' },
    ],
    [
      'rejected with nobody waiting: bury, complete',
      { answer: TOO_LARGE },
      ['record dead_letter', `bury ${ID} 1`],
      { kind: 'complete', note: 'dead_letter: GitHub answered 422: inputs are too large.' },
    ],
    [
      'the eighth failure: bury, complete',
      { claim: go({ attempt: 8, spent: 7 }), answer: REFUSED },
      ['record dead_letter', `bury ${ID} 1`],
      { kind: 'complete', note: 'dead_letter: nothing was sent: connect ECONNREFUSED' },
    ],
    [
      'unknown: wait for what the resolver finds, and wake nobody: the place is kept',
      { answer: SERVER_FAULT },
      ['record unknown'],
      {
        kind: 'wait',
        waitMs: 30_000,
        note: 'resolving: GitHub answered 500: Failed to run workflow dispatch',
      },
    ],
    [
      'a circuit opened or closed by it: shown among the dead letters before anything else',
      {
        answer: REFUSED,
        recorded: {
          kind: 'superseded',
          by: NEWER.id,
          wake: NEWER,
          opened: { scope: 'acme/models', number: 2 },
        },
      },
      ['record again', 'circuits changed', `wake ${NEWER.id} 4`],
      { kind: 'complete', note: 'superseded: nothing was sent: connect ECONNREFUSED' },
    ],
    [
      'too late to tell: nothing more',
      { recorded: { kind: 'stale', state: 'unresolved' } },
      ['record track'],
      { kind: 'complete', note: 'stale: GitHub answered 200' },
    ],
  ]
  test.each(rows)('%s', async (_, situation, after, end) => {
    const { handle, effects } = setup(situation)
    expect(await handle(ID)).toEqual(end)
    expect(effects()).toEqual(['claim', 'dispatch', ...after])
  })

  test.each<[string, DispatchAnswer]>([
    ['dispatched', DISPATCHED],
    ['rejected', TOO_LARGE],
    ['unknown', SERVER_FAULT],
    ['transient', REFUSED],
  ])('%s that can not be recorded breaks the job, and nothing follows from it', async (_, answer) => {
    const lost = new Error('Redis is away')
    const { handle, effects, line } = setup({
      answer,
      deps: { ledger: { claim: async () => go(), recordOutcome: () => Promise.reject(lost) } },
    })
    await expect(handle(ID)).rejects.toBe(lost)
    expect(effects()).toEqual(['dispatch'])
    expect([...line(TRIGGERED), ...line(NOT_TRIGGERED)]).toEqual([])
  })
})

describe('what is recorded', () => {
  test('is the attempt under its own claim, with what GitHub said', async () => {
    const { handle, ends } = setup({ claim: go({ token: 'claim-of-the-go', attempt: 3, spent: 2 }) })
    await handle(ID)
    expect(ends).toEqual([
      {
        id: ID,
        attempt: 3,
        token: 'claim-of-the-go',
        outcome: 'dispatched',
        detail: 'GitHub answered 200',
        status: 200,
        next: { kind: 'track', runId: '15', runUrl: 'https://github.com/acme/models/actions/runs/15' },
        scopes: ['acme/models', 'acme/models/cd_pipeline.yml'],
        fault: false,
        faultPauseMs: 15_000,
        recheckMs: 30_000,
      },
    ])
  })

  test('of a call without an answer has status 0', async () => {
    const { handle, ends } = setup({
      answer: { kind: 'no_answer', code: 'NO_ANSWER', message: 'no answer within 30 s' },
    })
    await handle(ID)
    expect(ends).toMatchObject([{ outcome: 'unknown', status: 0, next: { kind: 'unknown' }, fault: true }])
  })

  test.each<[string, DispatchAnswer, boolean]>([
    ['a 5xx', SERVER_FAULT, true],
    ['a call without an answer', { kind: 'no_answer', code: 'NO_ANSWER', message: 'no answer' }, true],
    ['a refused connection', REFUSED, true],
    ['a 200', DISPATCHED, false],
    ['a 422', TOO_LARGE, false],
    ['a passed send deadline', { kind: 'not_sent', code: 'SEND_DEADLINE', message: 'late' }, false],
    ['a lost lock', { kind: 'not_sent', code: 'ABORTED', message: 'the job was cancelled' }, false],
  ])('%s counts as a fault of the repository, or not', async (_, answer, fault) => {
    const { handle, ends } = setup({ answer })
    await handle(ID)
    expect(ends).toMatchObject([{ fault }])
  })

  test('an intent that no replica has acknowledged is sent by nobody, and spends nothing', async () => {
    const { handle, effects, ends } = setup({ claim: go({ replicated: false }) })
    expect(await handle(ID)).toMatchObject({ kind: 'wait' })
    expect(effects()).toEqual(['claim', 'record again'])
    expect(ends).toMatchObject([
      {
        outcome: 'transient',
        detail: 'nothing was sent: not enough replicas of Redis acknowledged the intent',
        next: { kind: 'again', spend: false },
        fault: false,
      },
    ])
  })

  test('what it did to circuits is handed on as the ledger told it', async () => {
    const closed = [{ scope: 'acme/models', number: 4 }]
    const { handle, changes } = setup({ recorded: { kind: 'track', job: 1, waitedMs: 5, closed } })
    await handle(ID)
    expect(changes).toMatchObject([{ closed }])
  })

  test('backs off by the attempts that counted', async () => {
    const { handle, ends } = setup({ claim: go({ attempt: 9, spent: 3 }), answer: REFUSED })
    await handle(ID)
    expect(ends[0]?.next).toEqual({ kind: 'again', delayMs: 8_000, spend: true })
  })

  test('an input that the workflow does not declare is remembered for this workflow', async () => {
    const body = { message: 'Unexpected inputs provided: ["model_name", "environment"]' }
    const { handle, ends } = setup({ answer: { kind: 'answered', status: 422, body, headers: {} } })
    expect(await handle(ID)).toMatchObject({ kind: 'wait', waitMs: 0 })
    expect(ends[0]).toMatchObject({
      outcome: 'adjusted',
      next: { kind: 'again', delayMs: 0, spend: false },
      adjust: { scope: 'acme/models/cd_pipeline.yml', fields: ['input:model_name', 'input:environment'] },
    })
  })

  test('the same input refused again, though it was left out, is not adjusted for ever', async () => {
    const body = { message: 'Unexpected inputs provided: ["model_name"]' }
    const { handle, ends } = setup({
      claim: go({ refused: 'input:model_name' }),
      answer: { kind: 'answered', status: 422, body, headers: {} },
    })
    await handle(ID)
    expect(ends[0]).toMatchObject({ outcome: 'rejected', next: { kind: 'dead_letter' } })
    expect(ends[0]).not.toHaveProperty('adjust')
  })

  test('a reset of the rate limit is read by the worker’s clock', async () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String((NOW + 60_000) / 1000) }
    const { handle, ends } = setup({ answer: { kind: 'answered', status: 403, body: '', headers } })
    await handle(ID)
    expect(ends[0]?.next).toMatchObject({
      circuit: { scope: 'acme/models', waitMs: 60_850, untilReset: true },
    })
  })
})

describe('what ops read', () => {
  test('the intent, before anything is sent', async () => {
    const { handle, done, line } = setup()
    await handle(ID)
    expect(done.slice(0, 3)).toEqual(['claim', `log ${INITIATING}`, 'dispatch'])
    expect(line(INITIATING)).toEqual([
      {
        level: 'info',
        promotionId: ID,
        model: 'fraud-detector',
        version: '5',
        environment: 'production',
        attempt: 1,
        worker: 'worker-1',
        repository: 'acme/models',
        workflow: 'cd_pipeline.yml',
        ref: 'main',
        msg: INITIATING,
      },
    ])
  })

  test('one wide line of a success, after it was recorded', async () => {
    const { handle, done, line } = setup()
    await handle(ID)
    expect(done.indexOf(`log ${TRIGGERED}`)).toBe(done.indexOf('record track') + 1)
    expect(line(TRIGGERED)).toEqual([
      {
        level: 'info',
        promotionId: ID,
        model: 'fraud-detector',
        version: '5',
        environment: 'production',
        attempt: 1,
        worker: 'worker-1',
        status: 200,
        tookMs: 150,
        requestId: 'AB:1',
        outcome: 'dispatched',
        detail: 'GitHub answered 200',
        runId: '15',
        runUrl: 'https://github.com/acme/models/actions/runs/15',
        next: 'track',
        waitedMs: 1_234,
        msg: TRIGGERED,
      },
    ])
  })

  test('one wide line of a dead letter', async () => {
    const { handle, line } = setup({ answer: TOO_LARGE })
    await handle(ID)
    expect(line(NOT_TRIGGERED)).toEqual([
      {
        level: 'error',
        promotionId: ID,
        model: 'fraud-detector',
        version: '5',
        environment: 'production',
        attempt: 1,
        worker: 'worker-1',
        status: 422,
        tookMs: 150,
        outcome: 'rejected',
        detail: 'GitHub answered 422: inputs are too large.',
        next: 'dead_letter',
        msg: NOT_TRIGGERED,
      },
    ])
  })

  const levels: [string, Situation, string, RegExp][] = [
    ['a success is information', {}, 'info', /^Successfully triggered CD pipeline$/],
    ['another try is a warning', { answer: REFUSED }, 'warn', /tried again$/],
    ['one in doubt is a warning: its run is looked for', { answer: SERVER_FAULT }, 'warn', /looked for$/],
    ['a dead letter is an error', { answer: TOO_LARGE }, 'error', /^CD pipeline was not triggered\. Manual/],
    [
      'one superseded is information: nothing is lost',
      { answer: REFUSED, recorded: { kind: 'superseded', by: NEWER.id } },
      'info',
      /newer version/,
    ],
    [
      'one that was told too late is an error, and not called untriggered: GitHub took it',
      { recorded: { kind: 'stale', state: 'unresolved' } },
      'error',
      /ledger had moved on$/,
    ],
  ]
  test.each(levels)('%s', async (_, situation, level, msg) => {
    const { handle, lines } = setup(situation)
    await handle(ID)
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatchObject({ level, msg: expect.stringMatching(msg) })
  })

  test('the wait until the next try', async () => {
    const { handle, lines } = setup({ answer: REFUSED, recorded: { kind: 'again', waitMs: 4_321 } })
    await handle(ID)
    expect(lines[1]).toMatchObject({ outcome: 'transient', next: 'again', waitMs: 4_321 })
  })

  test('each attempt is counted by its outcome, a success with its wait', async () => {
    const seen = []
    for (const answer of [DISPATCHED, SERVER_FAULT, REFUSED, TOO_LARGE]) {
      const one = setup({ answer })
      await one.handle(ID)
      seen.push(...one.seen)
    }
    expect(seen).toEqual([
      { outcome: 'dispatched', waitedMs: 1_234 },
      { outcome: 'unknown' },
      { outcome: 'transient' },
      { outcome: 'rejected' },
    ])
  })

  test('a look that sends nothing is not counted as an attempt', async () => {
    const { handle, seen } = setup({ claim: { kind: 'wait', waitMs: 1, code: 'rate', detail: '' } })
    await handle(ID)
    expect(seen).toEqual([])
  })
})

test('a token that GitHub echoes back reaches neither the log, nor the ledger, nor the job', async () => {
  const TOKEN = 'ghp_sentinel0123456789'
  const server = http.createServer((request, response) => {
    response.writeHead(422, { 'content-type': 'application/json', 'x-github-request-id': TOKEN })
    response.end(JSON.stringify({ message: `You sent ${request.headers.authorization}`, [TOKEN]: TOKEN }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const token = secretFromValue('GITHUB_TOKEN', TOKEN)
  const redact = createRedactor([token])
  const github = createGithub({
    credentials: tokenCredentials(token, redact),
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiVersion: '2022-11-28',
    redact,
  })
  const { handle, lines, ends } = setup({ deps: { dispatch: github.dispatch } })
  const end = await handle(ID)
  expect(end.note).toBe('dead_letter: GitHub answered 422: You sent Bearer [redacted]')
  expect(JSON.stringify({ end, lines, ends })).not.toContain(TOKEN)
})
