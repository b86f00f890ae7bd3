// Settings: defaults, every problem at once by name and never by secret value, secrets from files, and the example
// that operators copy.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  anyGithubSetting,
  type Environment,
  loadSettings,
  type Need,
  SETTING_NAMES,
  secretsOf,
} from '../../shared/config.ts'
import { newUserLine } from '../../shared/ops-users.ts'
import { createRedactor } from '../../shared/redact.ts'
import { APP_KEY } from '../support/app-key.ts'

const SENTINEL = 'sentinel-value-of-a-secret'
const SECRETS = [
  'GITHUB_TOKEN',
  'GITHUB_APP_PRIVATE_KEY',
  'GITHUB_WEBHOOK_SECRET',
  'REDIS_URL',
  'RELAY_API_TOKEN',
  'OPS_PASSWORD',
  'MLFLOW_WEBHOOK_SECRET',
]

/** Everything that a server and worker with a real GitHub need. */
const COMPLETE = {
  ENABLE_CD_TRIGGER: 'true',
  GITHUB_TOKEN: SENTINEL,
  GITHUB_REPO_OWNER: 'acme',
  GITHUB_REPO_NAME: 'models',
  REDIS_URL: 'redis://localhost:6379',
  RELAY_API_TOKEN: SENTINEL,
  OPS_PASSWORD: SENTINEL,
}
/** The same with a GitHub App. */
const { GITHUB_TOKEN: _token, ...WITHOUT_TOKEN } = COMPLETE
const WITH_APP = {
  ...WITHOUT_TOKEN,
  GITHUB_APP_ID: '17',
  GITHUB_APP_PRIVATE_KEY: APP_KEY.pkcs1,
  GITHUB_APP_INSTALLATION_ID: '4711',
}
const EVERYTHING: Need[] = ['redis', 'server', 'dispatch']

function settingsOf(env: Environment, needs: Need[] = []) {
  const loaded = loadSettings(env, needs)
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return loaded.settings
}

function problemsOf(env: Environment, needs: Need[] = []): string[] {
  const loaded = loadSettings(env, needs)
  return loaded.ok ? [] : loaded.problems
}

function withPassphrase(): string {
  const key = createPrivateKey(APP_KEY.pkcs8)
  return key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: SENTINEL }).toString()
}

function file(content: string) {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'secret')
  writeFileSync(path, content)
  return path
}

describe('defaults', () => {
  test('nothing set is a relay that sends nothing', () => {
    expect(settingsOf({})).toEqual({
      ENABLE_CD_TRIGGER: false,
      CD_WORKFLOW_NAME: 'cd_pipeline.yml',
      CD_WORKFLOW_REF: 'main',
      GITHUB_API_URL: 'https://api.github.com',
      GITHUB_API_VERSION: '2022-11-28',
      PORT: 8080,
      HOST: '127.0.0.1',
      WORKER_PORT: 8081,
      WORKER_CONCURRENCY: 16,
      API_RATE_PER_MINUTE: 600,
      OPS_USER: 'ops',
      OPS_TRUSTED_PROXIES: [],
      OPS_PROXY_OPERATORS: [],
      DISPATCH_RATE_PER_SECOND: 1,
      DISPATCH_MAX_ATTEMPTS: 8,
      DISPATCH_BACKOFF_BASE_SECONDS: 2,
      DISPATCH_BACKOFF_MAX_SECONDS: 300,
      RESOLVE_PATIENCE_SECONDS: 120,
      REDIS_WAIT_REPLICAS: 0,
      TRACK_INTERVAL_SECONDS: 5,
      DEPLOY_TIMEOUT_MINUTES: 60,
      CANCEL_WAITING_RUNS: true,
      LATENCY_WITHOUT_APPROVAL: false,
      ROLLBACK_ON_FAILURE: false,
      MLFLOW_ALIASES: [],
      MLFLOW_STAGES: [],
      MLFLOW_TAGS: [],
      MLFLOW_ACCURACY_METRIC: 'accuracy',
      REGISTRY_INTERVAL_SECONDS: 60,
      MLFLOW_FEEDBACK: false,
      FEEDBACK_ALLOW_PRIVATE: false,
      FEEDBACK_AT_DISPATCH: false,
      DATA_DIR: '.relay',
      METRICS_TARGET_LABELS: false,
      LOG_LEVEL: 'info',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_SERVICE_NAME: 'promotion-relay',
      OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_SDK_DISABLED: 'false',
    })
  })

  test('empty variables, as compose files pass them along, count as not set', () => {
    const empty = Object.fromEntries(
      SETTING_NAMES.flatMap((name) => [
        [name, ''],
        [`${name}_FILE`, ' '],
      ]),
    )
    expect(settingsOf(empty)).toEqual(settingsOf({}))
    expect(anyGithubSetting(empty)).toBe(false)
  })

  test('white space around a value is no part of it', () => {
    expect(settingsOf({ PORT: ' 9090 ', GITHUB_REPO_OWNER: '\tacme\n' })).toMatchObject({
      PORT: 9090,
      GITHUB_REPO_OWNER: 'acme',
    })
  })

  test('variables of others are passed over', () => {
    expect(settingsOf({ PATH: '/bin', GITHUB_ACTIONS: 'true', ENABLE_OTHER: 'x' })).toEqual(settingsOf({}))
  })
})

describe('values', () => {
  test.each([
    ['true', true],
    ['1', true],
    ['yes', true],
    ['on', true],
    ['false', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])('ENABLE_CD_TRIGGER=%s is %s', (word, expected) => {
    expect(settingsOf({ ENABLE_CD_TRIGGER: word }).ENABLE_CD_TRIGGER).toBe(expected)
  })

  test.each([
    ['https://github.example.com/api/v3', 'https://github.example.com/api/v3'],
    ['https://github.example.com/api/v3/', 'https://github.example.com/api/v3'],
    ['http://127.0.0.1:4000//', 'http://127.0.0.1:4000'],
  ])('GITHUB_API_URL=%s leaves room for a path', (url, expected) => {
    expect(settingsOf({ GITHUB_API_URL: url }).GITHUB_API_URL).toBe(expected)
  })

  test('a port of 0 asks for any that is free', () => {
    expect(settingsOf({ PORT: '0' }).PORT).toBe(0)
  })

  test('less than one dispatch a second can be asked for', () => {
    expect(settingsOf({ DISPATCH_RATE_PER_SECOND: '0.1' }).DISPATCH_RATE_PER_SECOND).toBe(0.1)
  })
})

describe('a wrong value', () => {
  const rows: [string, string, string][] = [
    ['ENABLE_CD_TRIGGER', 'maybe', 'must be true or false'],
    ['ENABLE_CD_TRIGGER', '2', 'must be true or false'],
    ...['..', 'a/b', 'a b', 'x'.repeat(101), 'ü', '%2e'].flatMap((value): [string, string, string][] => [
      [
        'GITHUB_REPO_OWNER',
        value,
        value === '..' ? 'must be a name' : "may hold letters, digits, '.', '_' and '-' only",
      ],
      [
        'GITHUB_REPO_NAME',
        value,
        value === '..' ? 'must be a name' : "may hold letters, digits, '.', '_' and '-' only",
      ],
      [
        'CD_WORKFLOW_NAME',
        value,
        value === '..' ? 'must be a name' : "may hold letters, digits, '.', '_' and '-' only",
      ],
    ]),
    ['CD_WORKFLOW_REF', 'r'.repeat(256), 'must be at most 255 characters long'],
    ['OPS_USER', 'o'.repeat(101), 'must be at most 100 characters long'],
    ['GITHUB_API_URL', 'api.github.com', 'must be an http(s) address'],
    ['GITHUB_API_URL', 'ftp://api.github.com', 'must be an http(s) address'],
    ['GITHUB_API_URL', 'https://', 'must be an http(s) address'],
    ['GITHUB_API_URL', 'https://me:word@github.example.com', 'must not hold a user, a query or a fragment'],
    ['GITHUB_API_URL', 'https://github.example.com/?a=b', 'must not hold a user, a query or a fragment'],
    ['GITHUB_API_VERSION', 'latest', 'must be a date such as 2022-11-28'],
    ['GITHUB_APP_ID', 'my app', 'must be the number or the client id of a GitHub App'],
    ['GITHUB_APP_INSTALLATION_ID', 'acme', 'must be the number of an installation'],
    ['GITHUB_APP_INSTALLATION_ID', '0', 'must be the number of an installation'],
    ...['PORT', 'WORKER_PORT'].flatMap((name) =>
      ['-1', '65536', '80.5', 'http', 'NaN', 'Infinity'].map((value): [string, string, string] => [
        name,
        value,
        'must be a port',
      ]),
    ),
    ...['WORKER_CONCURRENCY', 'DISPATCH_MAX_ATTEMPTS'].flatMap((name): [string, string, string][] => [
      [name, '0', 'must be 1 or more'],
      [name, '1.5', 'must be a whole number'],
      [name, 'many', 'must be a whole number'],
      [name, '100000', name === 'WORKER_CONCURRENCY' ? 'must be at most 1000' : 'must be at most 100'],
    ]),
    ['API_RATE_PER_MINUTE', '0', 'must be 1 or more'],
    ['RELAY_API_TOKENS_FILE', '/nowhere/tokens', "can't be read: ENOENT"],
    ['REDIS_WAIT_REPLICAS', '-1', 'must be 0 or more'],
    ['REDIS_WAIT_REPLICAS', '1.5', 'must be a whole number'],
    ['REDIS_WAIT_REPLICAS', 'all', 'must be a whole number'],
    ['REDIS_WAIT_REPLICAS', '11', 'must be at most 10'],
    ...[
      ['DISPATCH_RATE_PER_SECOND', 'dispatches per second', '10000'],
      ['DISPATCH_BACKOFF_BASE_SECONDS', 'seconds', '3600'],
      ['DISPATCH_BACKOFF_MAX_SECONDS', 'seconds', '86400'],
      ['RESOLVE_PATIENCE_SECONDS', 'seconds', '86400'],
      ['TRACK_INTERVAL_SECONDS', 'seconds', '3600'],
      ['DEPLOY_TIMEOUT_MINUTES', 'minutes', '50000'],
    ].flatMap(([name = '', unit, max]): [string, string, string][] => [
      [name, '0', `must be above 0 ${unit}`],
      [name, '-1', `must be above 0 ${unit}`],
      [name, '1h', `must be a number of ${unit}`],
      [name, 'Infinity', `must be a number of ${unit}`],
      [name, '1e9', `must be at most ${max} ${unit}`],
    ]),
    [
      'LOG_LEVEL',
      'loud',
      'Invalid option: expected one of "trace"|"debug"|"info"|"warn"|"error"|"fatal"|"silent"',
    ],
    ['REDIS_URL', 'localhost:6379', 'must begin with redis:// or rediss://'],
    ['REDIS_URL', 'http://localhost:6379', 'must begin with redis:// or rediss://'],
    ...SECRETS.map((name): [string, string, string] => [name, 'short', 'must be at least 6 characters long']),
    ...SECRETS.filter((name) => !/KEY|URL/.test(name)).map((name): [string, string, string] => [
      name,
      'two words',
      'must not hold white space',
    ]),
    ['GITHUB_TOKEN', 'with\u0000control', 'must not hold white space'],
  ]
  test.each(rows)('%s=%s is told by its name', (name, value, problem) => {
    expect(problemsOf({ [name]: value })).toEqual([`${name} ${problem}`])
  })

  test('and all others at once', () => {
    const env = {
      ENABLE_CD_TRIGGER: 'perhaps',
      PORT: 'x',
      WORKER_CONCURRENCY: '0',
      LOG_LEVEL: 'loud',
      GITHUB_TOKEN: 'abc',
      REDIS_URL: 'http://localhost',
      OPS_PASSWORD_FILE: '/nowhere/password',
    }
    const named = problemsOf(env, EVERYTHING).map((problem) => problem.split(' ')[0])
    expect(named).toEqual([
      'ENABLE_CD_TRIGGER',
      'PORT',
      'WORKER_CONCURRENCY',
      'LOG_LEVEL',
      'GITHUB_TOKEN',
      'REDIS_URL',
      'OPS_PASSWORD_FILE',
      'RELAY_API_TOKEN',
    ])
  })

  test('of a secret is never shown', () => {
    for (const name of SECRETS) {
      const path = file(`${SENTINEL} in two words\n`)
      const wrong = [
        { [name]: `${SENTINEL} in two words` },
        { [name]: SENTINEL, [`${name}_FILE`]: path },
        { [`${name}_FILE`]: path },
        { [name]: SENTINEL.slice(0, 5) },
      ]
      for (const env of wrong)
        expect(problemsOf(env, EVERYTHING).join('\n')).not.toContain(SENTINEL.slice(0, 5))
    }
  })

  test('of a path to a secret is not shown either: it may be the secret, mistaken', () => {
    expect(problemsOf({ GITHUB_TOKEN_FILE: SENTINEL })).toEqual(["GITHUB_TOKEN_FILE can't be read: ENOENT"])
  })
})

describe('what a process needs', () => {
  test('a complete set starts everything', () => {
    expect(problemsOf(COMPLETE, EVERYTHING)).toEqual([])
  })

  test('a secret in a file is as good', () => {
    const { GITHUB_TOKEN: _, ...rest } = COMPLETE
    expect(problemsOf({ ...rest, GITHUB_TOKEN_FILE: file(SENTINEL) }, EVERYTHING)).toEqual([])
  })

  test('redis: its address', () => {
    expect(problemsOf({}, ['redis'])).toEqual([expect.stringMatching(/^REDIS_URL is missing: .+redis:\/\//)])
  })

  test('server: the callers’ token and the log-in of the dashboard', () => {
    expect(problemsOf({}, ['server'])).toEqual([
      expect.stringMatching(/^RELAY_API_TOKEN is missing: /),
      expect.stringMatching(/^OPS_PASSWORD is missing: /),
    ])
  })

  test('server: a file of named tokens is as good as the callers’ token, and each of its lines is looked at', () => {
    const { RELAY_API_TOKEN: _, ...rest } = COMPLETE
    const line = `ci promote sha256:${'a'.repeat(64)}\n`
    expect(problemsOf({ ...rest, RELAY_API_TOKENS_FILE: file(line) }, EVERYTHING)).toEqual([])
    expect(problemsOf({ ...rest, RELAY_API_TOKENS_FILE: file(`${line}ci ${SENTINEL}`) }, EVERYTHING)).toEqual(
      ['RELAY_API_TOKENS_FILE line 2 is not `name scopes sha256:digest`'],
    )
  })

  test('dispatch: nothing while the trigger is off', () => {
    expect(problemsOf({}, ['dispatch'])).toEqual([])
    expect(problemsOf({ ENABLE_CD_TRIGGER: 'off', GITHUB_REPO_OWNER: 'acme' }, ['dispatch'])).toEqual([])
  })

  test('dispatch: everything about the repository once it is on', () => {
    expect(problemsOf({ ENABLE_CD_TRIGGER: 'true' }, ['dispatch'])).toEqual([
      'GITHUB_REPO_OWNER is missing: ENABLE_CD_TRIGGER is on',
      'GITHUB_REPO_NAME is missing: ENABLE_CD_TRIGGER is on',
      'GITHUB_TOKEN is missing: ENABLE_CD_TRIGGER is on',
    ])
  })

  test.each(['GITHUB_TOKEN', 'GITHUB_REPO_OWNER', 'GITHUB_REPO_NAME'] as const)(
    'dispatch: %s alone missing is the only problem',
    (name) => {
      expect(problemsOf({ ...COMPLETE, [name]: '' }, EVERYTHING)).toEqual([
        `${name} is missing: ENABLE_CD_TRIGGER is on`,
      ])
    },
  )

  test('dispatch: a GitHub App in place of a token', () => {
    expect(problemsOf(WITH_APP, EVERYTHING)).toEqual([])
    expect(problemsOf({ ...WITH_APP, GITHUB_APP_ID: 'Iv23liABCdef01234567' }, EVERYTHING)).toEqual([])
  })

  test.each([
    [['GITHUB_APP_ID'], ['GITHUB_APP_PRIVATE_KEY', 'GITHUB_APP_INSTALLATION_ID']],
    [['GITHUB_APP_PRIVATE_KEY'], ['GITHUB_APP_ID', 'GITHUB_APP_INSTALLATION_ID']],
    [['GITHUB_APP_INSTALLATION_ID', 'GITHUB_APP_ID'], ['GITHUB_APP_PRIVATE_KEY']],
  ])('dispatch: of half an App, %j, each setting that is missing is told', (_, missing) => {
    const half = Object.fromEntries(Object.entries(WITH_APP).filter(([name]) => !missing.includes(name)))
    expect(problemsOf(half, EVERYTHING)).toEqual(
      missing.map((name) => `${name} is missing: a GitHub App needs all three of its settings`),
    )
  })

  test('dispatch: a token and an App are not set both', () => {
    expect(problemsOf({ ...WITH_APP, GITHUB_TOKEN: SENTINEL }, EVERYTHING)).toEqual([
      'GITHUB_TOKEN and a GitHub App are both set: use one',
    ])
  })

  test.each([
    ['PKCS#1, as GitHub gives it', APP_KEY.pkcs1],
    ['PKCS#8', APP_KEY.pkcs8],
    ['with the line ends of Windows', APP_KEY.pkcs1.replaceAll('\n', '\r\n')],
    ['in one line, with \\n for line ends', APP_KEY.pkcs1.replaceAll('\n', '\\n')],
  ])('dispatch: the key of the App in %s', (_, key) => {
    expect(problemsOf({ ...WITH_APP, GITHUB_APP_PRIVATE_KEY: key }, EVERYTHING)).toEqual([])
  })

  test('dispatch: the key of the App in a file', () => {
    const { GITHUB_APP_PRIVATE_KEY: key, ...rest } = WITH_APP
    expect(problemsOf({ ...rest, GITHUB_APP_PRIVATE_KEY_FILE: file(key) }, EVERYTHING)).toEqual([])
  })

  const ofCurve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  test.each([
    ['a word', SENTINEL],
    ['its first line', APP_KEY.pkcs1.split('\n')[0]],
    ['cut off', APP_KEY.pkcs1.slice(0, 400)],
    ['the public key', APP_KEY.public],
    ['not of RSA', ofCurve.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['with a passphrase', withPassphrase()],
  ])('dispatch: a key of the App that is %s is refused, and not shown', (_, key = '') => {
    const problems = problemsOf({ ...WITH_APP, GITHUB_APP_PRIVATE_KEY: key }, EVERYTHING)
    expect(problems).toEqual([
      'GITHUB_APP_PRIVATE_KEY must be an RSA private key in PEM format, as GitHub gives it',
    ])
  })

  test('half-set settings list everything that is missing or wrong, over all needs', () => {
    const named = problemsOf({ ENABLE_CD_TRIGGER: 'true', PORT: 'x' }, EVERYTHING).map(
      (text) => text.split(' ')[0],
    )
    expect(named).toEqual([
      'PORT',
      'REDIS_URL',
      'RELAY_API_TOKEN',
      'OPS_PASSWORD',
      'GITHUB_REPO_OWNER',
      'GITHUB_REPO_NAME',
      'GITHUB_TOKEN',
    ])
  })

  test('nothing is asked for that nobody needs', () => {
    expect(problemsOf({ ENABLE_CD_TRIGGER: 'true' }, ['redis'])).toHaveLength(1)
  })
})

describe('a secret in a file', () => {
  test('is read without its line end', () => {
    for (const end of ['', '\n', '\r\n'])
      expect(settingsOf({ GITHUB_TOKEN_FILE: file(`${SENTINEL}${end}`) }).GITHUB_TOKEN?.read()).toBe(SENTINEL)
  })

  test('is read again when the file changes, also to as many characters', () => {
    const path = file('first-token\n')
    const token = settingsOf({ GITHUB_TOKEN_FILE: path }).GITHUB_TOKEN
    expect(token?.read()).toBe('first-token')
    writeFileSync(path, 'other-token\n')
    utimesSync(path, new Date(), new Date(statSync(path).mtimeMs + 1_000))
    expect(token?.read()).toBe('other-token')
  })

  test('is read again on demand where a change can not be seen: as long, and within the same tick', () => {
    const path = file('first-token\n')
    const { atime, mtime } = statSync(path)
    utimesSync(path, atime, mtime)
    const token = settingsOf({ GITHUB_TOKEN_FILE: path }).GITHUB_TOKEN
    expect(token?.read()).toBe('first-token')
    writeFileSync(path, 'other-token\n')
    utimesSync(path, atime, mtime)
    expect(token?.read()).toBe('first-token')
    expect(token?.read({ anew: true })).toBe('other-token')
    expect(token?.read()).toBe('other-token')
  })

  test('is read again when another file has taken its place, as Kubernetes does', () => {
    const path = file('first-token\n')
    const token = settingsOf({ GITHUB_TOKEN_FILE: path }).GITHUB_TOKEN
    token?.read()
    rmSync(path)
    writeFileSync(path, 'a-longer-token\n')
    expect(token?.read()).toBe('a-longer-token')
  })

  test('that has gone is an error that says so, until it is back', () => {
    const path = file('first-token\n')
    const token = settingsOf({ GITHUB_TOKEN_FILE: path }).GITHUB_TOKEN
    rmSync(path)
    expect(() => token?.read()).toThrow(/ENOENT/)
    writeFileSync(path, 'second-token\n')
    expect(token?.read()).toBe('second-token')
  })

  test.each([
    ['is missing', () => '/nowhere/token', 'ENOENT'],
    ['is a folder', () => tmpdir(), 'EISDIR'],
  ])('that %s is told by its name', (_, path, code) => {
    expect(problemsOf({ GITHUB_TOKEN_FILE: path() })).toEqual([`GITHUB_TOKEN_FILE can't be read: ${code}`])
  })

  test('that may not be read is told by its name', () => {
    const path = file(SENTINEL)
    chmodSync(path, 0o000)
    // Nothing is forbidden to root.
    const expected = process.getuid?.() === 0 ? [] : ["GITHUB_TOKEN_FILE can't be read: EACCES"]
    expect(problemsOf({ GITHUB_TOKEN_FILE: path })).toEqual(expected)
  })

  test('that is empty is too short', () => {
    expect(problemsOf({ GITHUB_TOKEN_FILE: file('\n') })).toEqual([
      'GITHUB_TOKEN must be at least 6 characters long',
    ])
  })

  test('may hold a key of many lines', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----'
    expect(settingsOf({ GITHUB_APP_PRIVATE_KEY_FILE: file(`${key}\n`) }).GITHUB_APP_PRIVATE_KEY?.read()).toBe(
      key,
    )
  })

  test.each(SECRETS)('and %s itself are not set both', (name) => {
    expect(problemsOf({ [name]: SENTINEL, [`${name}_FILE`]: file(SENTINEL) })).toEqual([
      `${name} and ${name}_FILE are both set: use one`,
    ])
  })
})

describe('with no setting of GitHub, the simulator is used', () => {
  test('nothing set', () => {
    expect(anyGithubSetting({})).toBe(false)
  })

  test('settings of other things', () => {
    const others = {
      REDIS_URL: 'redis://x',
      PORT: '1',
      RELAY_API_TOKEN: SENTINEL,
      DISPATCH_MAX_ATTEMPTS: '3',
      GITHUB_ACTIONS: 'true',
    }
    expect(anyGithubSetting(others)).toBe(false)
  })

  test.each(SETTING_NAMES.filter((name) => /^(GITHUB_|CD_WORKFLOW_|ENABLE_CD_TRIGGER$)/.test(name)))(
    '%s set means the real one',
    (name) => {
      expect(anyGithubSetting({ [name]: 'x' })).toBe(true)
    },
  )

  test('a secret in a file means the real one', () => {
    expect(anyGithubSetting({ GITHUB_TOKEN_FILE: '/run/secrets/token' })).toBe(true)
  })
})

describe('secrets', () => {
  test('never show in settings that are printed', () => {
    const settings = settingsOf({ ...COMPLETE, REDIS_URL: `redis://:${SENTINEL}@localhost` })
    expect(JSON.stringify(settings)).not.toContain(SENTINEL)
    expect(`${settings.GITHUB_TOKEN} ${settings.REDIS_URL}`).toBe('[secret] [secret]')
  })

  test('are all known to the redactor', () => {
    const env = Object.fromEntries(SECRETS.map((name) => [name, `value-of-${name}`]))
    const settings = settingsOf({ ...env, REDIS_URL: 'redis://localhost:6379' })
    const redact = createRedactor(secretsOf(settings))
    for (const name of SECRETS.filter((name) => name !== 'REDIS_URL'))
      expect(redact(`value-of-${name}`)).toBe('[redacted]')
    expect(redact('redis://localhost:6379')).toBe('[redacted]')
  })

  test('the key of an App is known line by line, and as it was given', () => {
    const oneLine = APP_KEY.pkcs1.replaceAll('\n', '\\n')
    const redact = createRedactor(secretsOf(settingsOf({ GITHUB_APP_PRIVATE_KEY: oneLine })))
    for (const line of APP_KEY.pkcs1.trim().split('\n').slice(0, -2)) expect(redact(line)).toBe('[redacted]')
    expect(redact(`key=${oneLine.slice(0, -2)}`)).toBe('key=[redacted]')
  })

  test.each([
    ['plain', 'correct-horse', 'correct-horse'],
    ['encoded', 'p%40ss%2Fword', 'p@ss/word'],
    ['with a bare % in it', '100%horse', '100%horse'],
  ])('the password within REDIS_URL is one by itself, %s', (_, inUrl, password) => {
    const settings = settingsOf({ REDIS_URL: `redis://user:${inUrl}@localhost:6379/0` })
    expect(createRedactor(secretsOf(settings))(`AUTH user ${password}`)).toBe('AUTH user [redacted]')
  })

  test('without any there is nothing to redact', () => {
    expect(secretsOf(settingsOf({}))).toEqual([])
  })
})

describe('OpenTelemetry', () => {
  test('whatever its variables hold, they are no reason not to start: other programs have them too', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
      OTEL_EXPORTER_OTLP_HEADERS: 'a=b, authorization=Basic dXNlcjpwdw==',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'jaeger_remote',
      OTEL_SDK_DISABLED: 'maybe',
    }
    expect(problemsOf(env)).toEqual([])
  })

  test('each value in its headers is a secret, as it is written and as it is sent, and so is a password in an address', () => {
    const settings = settingsOf({
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=key-of-all, authorization=Bearer%20token%2Fof-all',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE: file('x=one,y=key-of-traces\n'),
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:pass-of-endpoint@collector:4318',
    })
    const redact = createRedactor(secretsOf(settings))
    const shown = ['key-of-all', 'token%2Fof-all', 'token/of-all', 'key-of-traces', 'pass-of-endpoint']
    expect(redact(shown.join(' | '))).toBe(shown.map(() => '[redacted]').join(' | '))
  })
})

describe('.env.example', () => {
  const lines = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8').split('\n')
  const entries = lines.flatMap((line) => {
    const [, comment, name, value] = /^(# ?)?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [{ name, value: value ?? '', commented: comment !== undefined }]
  })
  const isSecretFile = (name: string) => SECRETS.some((secret) => name === `${secret}_FILE`)

  test('names every setting, and each once', () => {
    expect(
      entries
        .map(({ name }) => name)
        .filter((name) => !isSecretFile(name))
        .sort(),
    ).toEqual([...SETTING_NAMES].sort())
  })

  test('shows the default behind each # that has one', () => {
    const defaults = settingsOf({}) as Record<string, unknown>
    for (const { name, value, commented } of entries)
      if (commented && !isSecretFile(name))
        expect({ [name]: value }).toEqual({ [name]: String(defaults[name] ?? '') })
  })

  test('holds no secret', () => {
    for (const { name, value } of entries)
      if (SECRETS.includes(name) && name !== 'REDIS_URL') expect({ [name]: value }).toEqual({ [name]: '' })
  })

  test('copied as it is, asks for Redis, the secrets and nothing else', () => {
    const copied = Object.fromEntries(
      entries.filter(({ commented }) => !commented).map(({ name, value }) => [name, value]),
    )
    expect(problemsOf(copied, EVERYTHING).map((problem) => problem.split(':')[0])).toEqual([
      'REDIS_URL is missing',
      'RELAY_API_TOKEN is missing',
      'OPS_PASSWORD is missing',
      'GITHUB_TOKEN is missing',
    ])
  })
})

describe('the webhook secret', () => {
  const problemsOf = (value: string) => {
    const loaded = loadSettings({ GITHUB_WEBHOOK_SECRET: value }, [])
    return loaded.ok ? [] : loaded.problems
  }

  test('is one, or two while it is changed', () => {
    expect(problemsOf('former-secret')).toEqual([])
    expect(problemsOf('former-secret,later-secret')).toEqual([])
    expect(problemsOf('former-secret,later-secret,third-secret')).toEqual([
      'GITHUB_WEBHOOK_SECRET must be one secret, or two separated by a comma',
    ])
    for (const value of ['former-secret,', ',later-secret', 'former-secret,later'])
      expect(problemsOf(value)).toEqual([
        'each secret in GITHUB_WEBHOOK_SECRET must be at least 6 characters long',
      ])
  })

  test('each of the two is kept out of what is shown', () => {
    const loaded = loadSettings({ GITHUB_WEBHOOK_SECRET: 'former-secret,later-secret' }, [])
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
    const values = secretsOf(loaded.settings).map((secret) => secret.read())
    expect(values).toEqual(expect.arrayContaining(['former-secret', 'later-secret']))
  })
})

describe('the log-in of ops', () => {
  const problems = (env: object) => {
    const loaded = loadSettings({ REDIS_URL: 'redis://x', RELAY_API_TOKEN: SENTINEL, ...env }, [
      'redis',
      'server',
    ])
    return loaded.ok ? [] : loaded.problems
  }
  const PASSWORD = { OPS_PASSWORD: SENTINEL }
  const PROXY = {
    OPS_TRUSTED_PROXIES: '10.0.0.0/8, ::1,192.168.1.7',
    OPS_PROXY_USER_HEADER: 'X-Forwarded-User',
  }

  test('needs a password, a file of people or a proxy that names them', async () => {
    const line = await newUserLine('vera', 'viewer', 'a password of vera')
    const users = file(`${line}\n`)
    expect(problems({})).toEqual([expect.stringMatching(/^OPS_PASSWORD is missing: /)])
    for (const env of [PASSWORD, { OPS_USERS_FILE: users }, PROXY]) expect(problems(env)).toEqual([])
    writeFileSync(users, `${line}\nops viewer ${line.split(' ')[2]}\nvera sentinel\numa root x\n`)
    expect(problems({ ...PASSWORD, OPS_USERS_FILE: users })).toEqual([
      'OPS_USERS_FILE line 3 is not `name role scrypt-hash`',
      'OPS_USERS_FILE line 4 has no role: it must be viewer or operator',
      'OPS_USERS_FILE has a line for OPS_USER, whose password is OPS_PASSWORD',
    ])
    expect(problems({ ...PASSWORD, OPS_USERS_FILE: '/nowhere/users' })).toEqual([
      "OPS_USERS_FILE can't be read: ENOENT",
    ])
  })

  test('knows a proxy by addresses and ranges, and lists of names', () => {
    const env = {
      REDIS_URL: 'redis://x',
      RELAY_API_TOKEN: SENTINEL,
      ...PROXY,
      OPS_PROXY_OPERATORS: 'a@b.c, olga,',
    }
    const loaded = loadSettings(env, ['redis', 'server'])
    expect(loaded.ok && loaded.settings).toMatchObject({
      OPS_TRUSTED_PROXIES: ['10.0.0.0/8', '::1', '192.168.1.7'],
      OPS_PROXY_USER_HEADER: 'x-forwarded-user',
      OPS_PROXY_OPERATORS: ['a@b.c', 'olga'],
    })
  })

  test.each<[env: object, name: string, words: string]>([
    [{ OPS_PROXY_USER_HEADER: 'x-forwarded-user' }, 'OPS_TRUSTED_PROXIES', 'is missing'],
    [{ OPS_PROXY_OPERATORS: 'olga' }, 'OPS_PROXY_USER_HEADER', 'is missing'],
    [
      { OPS_TRUSTED_PROXIES: '10.0.0.0/8', OPS_PROXY_OPERATORS: 'olga' },
      'OPS_PROXY_USER_HEADER',
      'is missing',
    ],
    [{ OPS_TRUSTED_PROXIES: 'proxy.local' }, 'OPS_TRUSTED_PROXIES', 'must be addresses or ranges'],
    [{ OPS_TRUSTED_PROXIES: '10.0.0.0/33' }, 'OPS_TRUSTED_PROXIES', 'must be addresses or ranges'],
    [{ OPS_TRUSTED_PROXIES: '10' }, 'OPS_TRUSTED_PROXIES', 'must be addresses or ranges'],
    [{ OPS_TRUSTED_PROXIES: '0.0.0.0/0' }, 'OPS_TRUSTED_PROXIES', 'must not be every address'],
    [{ OPS_TRUSTED_PROXIES: '::/0' }, 'OPS_TRUSTED_PROXIES', 'must not be every address'],
    [{ ...PROXY, OPS_PROXY_USER_HEADER: 'x user' }, 'OPS_PROXY_USER_HEADER', 'must be the name of a header'],
    [
      { ...PROXY, OPS_PROXY_USER_HEADER: 'Cookie' },
      'OPS_PROXY_USER_HEADER',
      'must be a header that only the proxy sets',
    ],
  ])('refuses %o', (env, name, words) => {
    expect(problems({ ...PASSWORD, ...env })).toEqual([expect.stringContaining(`${name} ${words}`)])
  })
})

describe('the model registry', () => {
  const ALIASES = { MLFLOW_ALIASES: 'champion=production', MLFLOW_TRACKING_URI: 'http://mlflow:5000' }
  const loaded = (env: object) =>
    loadSettings({ RELAY_API_TOKEN: SENTINEL, OPS_PASSWORD: SENTINEL, ...env }, ['server'])
  const problems = (env: object) => {
    const result = loaded(env)
    return result.ok ? [] : result.problems
  }

  test('is followed by pairs of a name and an environment', () => {
    const result = loaded({ ...ALIASES, MLFLOW_ALIASES: 'champion=production, challenger=staging,' })
    expect(result.ok && result.settings.MLFLOW_ALIASES).toEqual([
      { name: 'champion', environment: 'production' },
      { name: 'challenger', environment: 'staging' },
    ])
    for (const text of ['champion', '=production', 'champion=', 'champion=a b'])
      expect(problems({ ...ALIASES, MLFLOW_ALIASES: text })).toEqual([
        'MLFLOW_ALIASES must be pairs such as champion=production, separated by commas',
      ])
  })

  test('needs an address, and both parts of a log-in or a token', () => {
    expect(problems({ MLFLOW_ALIASES: 'champion=production' })).toEqual([
      'MLFLOW_TRACKING_URI is missing: MLFLOW_ALIASES, MLFLOW_STAGES, MLFLOW_TAGS speak of its registry',
    ])
    expect(problems({ ...ALIASES, MLFLOW_TRACKING_USERNAME: 'relay' })).toEqual([
      'MLFLOW_TRACKING_PASSWORD is missing: MLFLOW_TRACKING_USERNAME is set',
    ])
    const login = { MLFLOW_TRACKING_USERNAME: 'relay', MLFLOW_TRACKING_PASSWORD: SENTINEL }
    expect(problems({ ...ALIASES, ...login })).toEqual([])
    expect(problems({ ...ALIASES, ...login, MLFLOW_TRACKING_TOKEN: SENTINEL })).toEqual([
      'MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_PASSWORD are both set: use one',
    ])
  })

  test('has one word for an environment', () => {
    expect(problems({ ...ALIASES, MLFLOW_STAGES: 'Production=production' })).toEqual([
      'MLFLOW_ALIASES, MLFLOW_STAGES, MLFLOW_TAGS name the environment production twice: one may say what goes there',
    ])
  })

  test('not followed, it leaves what MLflow’s own client is told alone', () => {
    expect(problems({ MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db' })).toEqual([])
  })
})
