// What the doctor makes of what it was told: Redis, the ledger, GitHub and credentials, clocks, the spool.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { judgeClock } from '../../standalone/doctor/clock.ts'
import { judgeGithub, type RepositoryFacts } from '../../standalone/doctor/github.ts'
import {
  judgeCorrelation,
  judgeLedger,
  judgeMark,
  judgeWebhooks,
  judgeWorkers,
  type LedgerFacts,
} from '../../standalone/doctor/ledger.ts'
import { judgeRedis, type RedisFacts } from '../../standalone/doctor/redis.ts'
import { lookAtSettings } from '../../standalone/doctor/settings.ts'
import { checkDisk, checkFeedback, checkSpool } from '../../standalone/doctor/surroundings.ts'
import type { Answer } from '../../worker/github/answer.ts'
import { temporaryDir } from '../support/up.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

describe('Redis', () => {
  const INFO = {
    redis_version: '7.4.1',
    role: 'master',
    maxmemory: '0',
    maxmemory_policy: 'noeviction',
    used_memory: String(50 * 2 ** 20),
    aof_enabled: '1',
    connected_slaves: '0',
  }
  function judged(
    change: Partial<Record<keyof typeof INFO | 'valkey_version', string>>,
    more: Partial<RedisFacts> = {},
    replicas = 0,
  ) {
    const info = Object.entries({ ...INFO, ...change })
      .map(([name, value]) => `${name}:${value}`)
      .join('\r\n')
    const findings = judgeRedis({ info, fsync: 'always', aheadMs: 0, roundTripMs: 1, ...more }, replicas)
    return Object.fromEntries(findings.map((one) => [one.name, one]))
  }

  test('as it is shipped is right in everything', () => {
    expect(Object.values(judged({})).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
  })

  test.each([
    ['Redis', { redis_version: '6.2.14' }, 'fault'],
    ['Redis', { redis_version: '7.2.4', valkey_version: '8.0.1' }, 'ok'],
    ['Redis', { redis_version: '8.0.0' }, 'ok'],
    ['Redis', { role: 'slave' }, 'fault'],
    ['Redis eviction', { maxmemory_policy: 'allkeys-lru', maxmemory: '1000000000' }, 'fault'],
    ['Redis eviction', { maxmemory_policy: 'volatile-lru' }, 'warning'],
    ['Redis persistence', { aof_enabled: '0' }, 'fault'],
    ['Redis memory', { maxmemory: String(60 * 2 ** 20) }, 'warning'],
    ['Redis memory', { maxmemory: String(52 * 2 ** 20) }, 'fault'],
    ['Redis memory', { maxmemory: String(500 * 2 ** 20) }, 'ok'],
  ])('%s with %j: %s', (name, change, status) => {
    expect(judged(change)[name]?.status).toBe(status)
  })

  test('everysec is a warning, unless replicas acknowledge; what is not told is none', () => {
    const persistence = (fsync: string | undefined, slaves: string, replicas: number) =>
      judged({ connected_slaves: slaves }, { fsync }, replicas)['Redis persistence']?.status
    expect(persistence('everysec', '0', 0)).toBe('warning')
    expect(persistence('everysec', '1', 1)).toBe('ok')
    expect(persistence(undefined, '0', 0)).toBe('ok')
    expect(persistence('always', '0', 1)).toBe('fault')
  })
})

describe('clocks', () => {
  test.each([
    [0, 'ok'],
    [-29_000, 'ok'],
    [40_000, 'warning'],
    [-40_000, 'warning'],
    [6 * MINUTE, 'fault'],
  ])('%i ms apart: %s', (aheadMs, status) => {
    expect(judgeClock('clock', "Redis's", aheadMs, 0).status).toBe(status)
  })

  test('what the round trip took, and what is told in whole seconds, is no difference', () => {
    expect(judgeClock('clock', "GitHub's", 35_000, 6_000).status).toBe('ok')
  })
})

describe('the ledger', () => {
  const WELL: LedgerFacts = {
    workers: 1,
    oldestWaitingMs: undefined,
    deadLetters: 0,
    unresolved: 0,
    circuits: [],
    simulated: undefined,
    proven: true,
    hooked: true,
    dispatched: 3,
    ended: 3,
  }
  const circuit = {
    scope: 'acme/models',
    number: 1,
    reason: 'credentials',
    detail: 'Bad credentials',
    sinceMs: 0,
    untilMs: 0,
  }

  test.each<[Partial<LedgerFacts>, string, string]>([
    [{}, 'ok', 'nothing waits'],
    [{ oldestWaitingMs: MINUTE }, 'ok', 'the oldest has waited for 60 s'],
    [{ oldestWaitingMs: 60 * MINUTE }, 'warning', 'the oldest has waited for 60 min'],
    [{ deadLetters: 2 }, 'warning', '2 dead letters'],
    [{ unresolved: 1 }, 'warning', '1 unresolved'],
    [{ circuits: [circuit] }, 'warning', 'open: acme/models (Bad credentials)'],
  ])('%j: %s', (change, status, words) => {
    expect(judgeLedger({ ...WELL, ...change })).toMatchObject({
      status,
      detail: expect.stringContaining(words),
    })
  })

  test('no worker is a warning that says how to start one', () => {
    expect(judgeWorkers(WELL).status).toBe('ok')
    expect(judgeWorkers({ ...WELL, workers: 0 })).toMatchObject({
      status: 'warning',
      mend: expect.stringContaining('promotion-relay work'),
    })
  })

  test('simulated promotions are a fault where GitHub would get them', () => {
    const judged = (simulated: number | undefined, dispatches: boolean) =>
      judgeMark({ ...WELL, simulated }, dispatches).map(({ status }) => status)
    expect([judged(undefined, true), judged(0, true), judged(3, true), judged(3, false)]).toEqual([
      [],
      [],
      ['fault'],
      ['ok'],
    ])
  })

  test('correlation is proven, will be, or can not be', () => {
    const judged = (proven: boolean, shows: boolean | undefined) =>
      judgeCorrelation({ ...WELL, proven }, shows).status
    expect([judged(true, true), judged(true, undefined), judged(false, true)]).toEqual(['ok', 'ok', 'ok'])
    expect([judged(true, false), judged(false, false), judged(false, undefined)]).toEqual([
      'warning',
      'warning',
      'unknown',
    ])
  })

  test('webhooks are missed only where some were to come', () => {
    const judged = (hooked: boolean, isSet: boolean, ended: number) =>
      judgeWebhooks({ ...WELL, hooked, ended }, isSet, 5).status
    expect([
      judged(true, true, 3),
      judged(true, false, 3),
      judged(false, false, 3),
      judged(false, true, 0),
    ]).toEqual(['ok', 'ok', 'ok', 'ok'])
    expect(judged(false, true, 3)).toBe('warning')
  })
})

describe('GitHub', () => {
  const NOW = Date.parse('2026-11-23T10:00:00Z')
  const HEADERS = {
    date: new Date(NOW).toUTCString(),
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '4000',
    'x-ratelimit-reset': String(NOW / 1000 + 600),
  }
  const answered = (status: number, body: unknown, headers = {}): Answer => ({
    kind: 'answered',
    status,
    body,
    headers: { ...HEADERS, ...headers },
  })
  const readable = (headers = {}, body = {}) =>
    answered(200, { full_name: 'acme/models', private: true, ...body }, headers)
  function judged(answer: Answer, more: Partial<RepositoryFacts> = {}) {
    const findings = judgeGithub({
      answer,
      askedAt: NOW,
      answeredAt: NOW + 100,
      repository: 'acme/models',
      baseUrl: 'https://api.github.com',
      ofApp: false,
      permissions: undefined,
      dispatched: 1,
      ...more,
    })
    return Object.fromEntries(findings.map((one) => [one.name, one]))
  }
  const statuses = (answer: Answer, more?: Partial<RepositoryFacts>) =>
    Object.fromEntries(Object.entries(judged(answer, more)).map(([name, { status }]) => [name, status]))

  test('that lets us in is right in everything', () => {
    expect(new Set(Object.values(statuses(readable())))).toEqual(new Set(['ok']))
  })

  test.each<[string, Answer, Partial<RepositoryFacts>, string, string]>([
    ['another token', answered(401, { message: 'Bad credentials' }), {}, 'credentials', 'fault'],
    [
      'a token that ends soon',
      readable({ 'github-authentication-token-expiration': '2026-11-25 10:00:00 UTC' }),
      {},
      'credentials',
      'warning',
    ],
    [
      'one that ends later',
      readable({ 'github-authentication-token-expiration': '2027-11-25 10:00:00 UTC' }),
      {},
      'credentials',
      'ok',
    ],
    [
      'an end that is that of the answer',
      readable({ 'github-authentication-token-expiration': '2026-11-23 10:00:01 UTC' }),
      {},
      'credentials',
      'ok',
    ],
    ['a classic token without scope', readable({ 'x-oauth-scopes': '' }), {}, 'permissions', 'fault'],
    [
      'one for public repositories',
      readable({ 'x-oauth-scopes': 'gist, public_repo' }),
      {},
      'permissions',
      'fault',
    ],
    [
      'the same, and it is public',
      readable({ 'x-oauth-scopes': 'gist, public_repo' }, { private: false }),
      {},
      'permissions',
      'ok',
    ],
    ['one with repo', readable({ 'x-oauth-scopes': 'repo' }), {}, 'permissions', 'ok'],
    ['a fine-grained one that dispatched', readable(), { dispatched: 2 }, 'permissions', 'ok'],
    ['a fine-grained one that has not yet', readable(), { dispatched: 0 }, 'permissions', 'unknown'],
    [
      'an App that may write',
      readable(),
      { ofApp: true, permissions: { actions: 'write' } },
      'permissions',
      'ok',
    ],
    [
      'an App that may read',
      readable(),
      { ofApp: true, permissions: { actions: 'read' } },
      'permissions',
      'fault',
    ],
    [
      'an App that may neither',
      readable(),
      { ofApp: true, permissions: { metadata: 'read' } },
      'permissions',
      'fault',
    ],
    [
      'an App that gets no token',
      { kind: 'failed', code: 'TOKEN_REFUSED', message: 'x' },
      { ofApp: true },
      'credentials',
      'fault',
    ],
    [
      'a file without a token',
      { kind: 'failed', code: 'CREDENTIALS', message: 'x' },
      {},
      'credentials',
      'fault',
    ],
    ['nobody there', { kind: 'failed', code: 'ECONNREFUSED', message: 'x' }, {}, 'GitHub', 'fault'],
    ['an outage', answered(503, {}), {}, 'GitHub', 'fault'],
    ['a repository that is not seen', answered(404, {}), {}, 'repository', 'fault'],
    [
      'one that access is refused to',
      answered(403, { message: 'Resource protected by organization SAML enforcement' }),
      {},
      'repository',
      'fault',
    ],
    ['an archived one', readable({}, { archived: true }), {}, 'repository', 'fault'],
    ['one that has moved', readable({}, { full_name: 'acme/others' }), {}, 'repository', 'fault'],
    ['one in other letters', readable({}, { full_name: 'Acme/Models' }), {}, 'repository', 'ok'],
    ['few requests left', readable({ 'x-ratelimit-remaining': '100' }), {}, 'rate limit', 'warning'],
    ['none left', answered(403, {}, { 'x-ratelimit-remaining': '0' }), {}, 'rate limit', 'warning'],
    ['no limit', readable({ 'x-ratelimit-limit': '' }), {}, 'rate limit', 'ok'],
    [
      'another time',
      readable({ date: new Date(NOW - 2 * MINUTE).toUTCString() }),
      {},
      'GitHub clock',
      'warning',
    ],
  ])('%s', (_, answer, more, name, status) => {
    expect(statuses(answer, more)[name]).toBe(status)
  })

  test('without credentials that are valid nothing behind them is judged', () => {
    const { permissions, repository } = judged(answered(401, { message: 'Bad credentials' }))
    expect([permissions?.detail, repository?.detail]).toEqual(
      Array(2).fill('not looked at: the credentials are not valid'),
    )
  })
})

describe('settings', () => {
  test('each problem is a fault, and the rest can be looked at', () => {
    const env = {
      REDIS_URL: 'redis://localhost',
      GITHUB_WEBHOOK_SECRET: 'abc',
      PORT: 'x',
      GITHUB_REPO_NAME: 'models',
    }
    const { settings, findings } = lookAtSettings(env)
    expect(findings.map(({ status }) => status)).toEqual(['fault', 'fault'])
    expect([settings.REDIS_URL?.read(), settings.GITHUB_REPO_NAME, settings.PORT]).toEqual([
      'redis://localhost',
      'models',
      8080,
    ])
  })

  test('a credential that is there twice is neither', () => {
    const { settings, findings } = lookAtSettings({
      GITHUB_TOKEN: 'ghp_000001',
      GITHUB_TOKEN_FILE: '/nowhere',
    })
    expect([findings.length, settings.GITHUB_TOKEN]).toEqual([1, undefined])
  })

  test('what only a server needs is told, and no fault', () => {
    const { findings } = lookAtSettings({})
    expect(findings).toEqual([
      expect.objectContaining({ status: 'ok', detail: expect.stringContaining('OPS_PASSWORD') }),
    ])
  })
})

describe('the spool', () => {
  const NOW = Date.parse('2026-11-23T10:00:00Z')
  /** As the spool names what was kept at a time. */
  const nameAt = (at: number) => {
    const time = at.toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000001-0123456789abcdef.json`
  }
  function directory(...names: string[]) {
    const dir = temporaryDir('doctor-spool')
    for (const name of names) writeFileSync(path.join(dir, name), '{}')
    return dir
  }

  test.each([
    ['nothing', [], 'ok', 'nothing waits'],
    ['what came just now', [nameAt(NOW - MINUTE)], 'ok', '1 wait, the oldest for 60 s'],
    ['what came yesterday', [nameAt(NOW), nameAt(NOW - DAY)], 'warning', '2 wait, the oldest for 24 h'],
    [
      'what was put aside',
      [`${nameAt(NOW)}.refused`, `${nameAt(NOW)}.bad`],
      'warning',
      '2 were refused or torn',
    ],
    ["files of somebody else's", ['notes.json', '.hidden.tmp'], 'ok', 'nothing waits'],
  ])('with %s', async (_, names, status, words) => {
    expect(await checkSpool(directory(...names), NOW)).toMatchObject({
      status,
      detail: expect.stringContaining(words),
    })
  })

  test('that is not there yet is well, one that is a file is a fault', async () => {
    const dir = directory('file')
    expect((await checkSpool(path.join(dir, 'none'), NOW)).status).toBe('ok')
    expect((await checkSpool(path.join(dir, 'file'), NOW)).status).toBe('fault')
  })
})

test('the disk is told of for a directory that is not there yet', async () => {
  const dir = temporaryDir('doctor-disk')
  mkdirSync(path.join(dir, 'a'))
  expect(await checkDisk(path.join(dir, 'a', 'b', 'c'))).toEqual([expect.objectContaining({ name: 'disk' })])
})

test.each([
  ['http://127.0.0.1:1/x', 'false', 'fault'],
  ['http://127.0.0.1:1/x', 'true', 'ok'],
  ['https://[::1]/x', 'false', 'fault'],
  ['https://nowhere.invalid/secret-path', 'false', 'warning'],
])('feedback to %s with FEEDBACK_ALLOW_PRIVATE=%s: %s', async (url, allow, status) => {
  const { settings } = lookAtSettings({ FEEDBACK_ALLOW_PRIVATE: allow })
  const [finding] = await checkFeedback({ ...settings, FEEDBACK_WEBHOOK_URL: url })
  expect(finding?.status).toBe(status)
  expect(JSON.stringify(finding)).not.toContain('secret-path')
})
