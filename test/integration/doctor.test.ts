// The doctor beside a real Redis and the simulator: what is well is said to be, and each thing that is broken has its
// line. GitHub gets reads and nothing else.
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Environment, secretsOf } from '../../shared/config.ts'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { tellAtStart } from '../../standalone/doctor/at-start.ts'
import { diagnose } from '../../standalone/doctor/doctor.ts'
import { lookAtSettings } from '../../standalone/doctor/settings.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'
import { APP_KEY } from '../support/app-key.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { testRedis } from '../support/test-redis.ts'

/** Nothing listens there. */
const NOBODY = `http://127.0.0.1:${await pickFreePort()}`
const TOKEN = 'ghp_doctor-sentinel-01'

interface Options {
  simulator?: SimulatorOptions
  env?: Environment
  redisUrl?: string
}

async function setup({ simulator: options, env, redisUrl }: Options = {}) {
  const simulator = await startSimulator({ token: TOKEN, ...options })
  onTestFinished(simulator.close)
  const url = redisUrl ?? (await testRedis()).url
  const given = {
    ...{ ENABLE_CD_TRIGGER: 'true', GITHUB_REPO_OWNER: 'acme', GITHUB_REPO_NAME: 'models' },
    ...{ GITHUB_TOKEN: TOKEN, GITHUB_API_URL: simulator.url, REDIS_URL: url },
    ...env,
  }
  const { settings, findings } = lookAtSettings(given)
  expect(findings.map(({ status }) => status)).toEqual(['ok'])
  const redact = createRedactor(secretsOf(settings))
  return { simulator, settings, redact, redisUrl: url }
}

async function looked(options: Options = {}) {
  const here = await setup(options)
  const groups = await diagnose({ ...here, workers: true, withinMs: 3_000 })
  const findings = groups.flatMap((group) => group.findings)
  onlyReads(here.simulator)
  const lines = (name: string) => findings.filter((one) => one.name === name)
  return { ...here, findings, lines, line: (name: string) => lines(name)[0] }
}

function onlyReads({ log }: Simulator) {
  const writes = log.filter(({ method, path }) => method !== 'GET' && !path.endsWith('/access_tokens'))
  expect(writes).toEqual([])
}

test('where all is well only the missing worker is warned of, with three reads of GitHub', async () => {
  const { findings, simulator } = await looked()
  expect(
    findings.filter(({ status }) => status === 'fault' || status === 'warning').map(({ name }) => name),
  ).toEqual(['workers'])
  expect(findings.filter(({ status }) => status === 'unknown').map(({ name }) => name)).toEqual([
    'permissions',
  ])
  expect(simulator.log.map(({ path, status }) => [path, status])).toEqual([
    ['/repos/acme/models', 200],
    ['/repos/acme/models/actions/workflows/cd_pipeline.yml', 200],
    ['/repos/acme/models/contents/.github%2Fworkflows%2Fcd_pipeline.yml?ref=main', 200],
  ])
})

test('a relay that has deployed something is seen at work, and its runs to be found', async () => {
  const relay = await startRelay()
  await relay.reaches(await relay.promote('5'), 'deployed')
  const { redisUrl, settings } = relay
  const groups = await diagnose({ redisUrl, settings, redact: createRedactor([]), workers: true })
  const findings = groups.flatMap((group) => group.findings)
  const detail = (name: string) => findings.find((one) => one.name === name)?.detail
  expect(detail('workers')).toMatch(/^1 at work/)
  expect(detail('correlation')).toMatch(/^proven/)
  expect(detail('permissions')).toBe('GitHub took 1 dispatch within a day')
  expect(findings.filter(({ status }) => status !== 'ok')).toEqual([])
})

describe('each thing that is broken at GitHub has its line:', () => {
  const WORKFLOW = { file: 'cd_pipeline.yml' }
  test.each<[what: string, options: Options, name: string, status: string, words: string]>([
    [
      'a bad token',
      { env: { GITHUB_TOKEN: 'ghp_another-token' } },
      'credentials',
      'fault',
      'Bad credentials',
    ],
    [
      'a token that ends',
      { simulator: { tokenExpiration: in3Days() } },
      'credentials',
      'warning',
      'ends in 3 days',
    ],
    ['a scope that is missing', { simulator: { tokenScopes: 'gist' } }, 'permissions', 'fault', 'not repo'],
    [
      'a repository that is missing',
      { env: { GITHUB_REPO_NAME: 'none' } },
      'repository',
      'fault',
      'acme/none is not there',
    ],
    ['an archived one', { simulator: { archived: true } }, 'repository', 'fault', 'archived'],
    [
      'a limit that is used up',
      { simulator: { rateLimit: 0 } },
      'rate limit',
      'warning',
      'rate limit exceeded',
    ],
    ['a clock that is off', { simulator: { clockAheadMs: 120_000 } }, 'GitHub clock', 'warning', 'ahead'],
    [
      'a workflow that is missing',
      { env: { CD_WORKFLOW_NAME: 'none.yml' } },
      'workflow',
      'fault',
      'no workflow none.yml',
    ],
    [
      'a disabled one',
      { simulator: { workflows: [{ ...WORKFLOW, state: 'disabled_manually' }] } },
      'workflow',
      'fault',
      'disabled manually',
    ],
    ['a ref that is missing', { env: { CD_WORKFLOW_REF: 'gone' } }, 'ref', 'fault', 'no branch or tag gone'],
    [
      'files that may not be read',
      { simulator: { contentsReadable: false } },
      'ref',
      'warning',
      'Resource not accessible',
    ],
    [
      'no trigger',
      { simulator: { workflows: [{ ...WORKFLOW, trigger: false }] } },
      'trigger',
      'fault',
      'no workflow_dispatch',
    ],
    [
      'an input that is required and not sent',
      { simulator: { workflows: [{ ...WORKFLOW, inputs: inputs({ region: { required: true } }) }] } },
      'inputs',
      'fault',
      'requires region',
    ],
    [
      'no promotion_id',
      { simulator: { workflows: [{ ...WORKFLOW, inputs: inputs({}, 'promotion_id') }] } },
      'inputs',
      'warning',
      'promotion_id',
    ],
    [
      'no run-name',
      { simulator: { workflows: [{ ...WORKFLOW, runName: false }] } },
      'run-name',
      'warning',
      'does not show',
    ],
    [
      'no guard',
      { simulator: { workflows: [{ ...WORKFLOW, guard: false }] } },
      'guard',
      'warning',
      'no step',
    ],
    ['nobody there', { env: { GITHUB_API_URL: NOBODY } }, 'GitHub', 'fault', 'ECONNREFUSED'],
  ])('%s', async (_, options, name, status, words) => {
    const { line, findings } = await looked(options)
    expect(line(name)).toMatchObject({
      status,
      detail: expect.stringContaining(words),
      mend: expect.stringMatching(/\S/),
    })
    expect(JSON.stringify(findings)).not.toContain(TOKEN)
  })

  test('an Enterprise Server is asked as it wants to be', async () => {
    const { line, findings } = await looked({
      simulator: { mode: 'ghes' },
      env: { GITHUB_API_VERSION: '2026-03-10' },
    })
    expect(line('GitHub')?.detail).toContain('Enterprise Server 3.19.0, API version 2022-11-28')
    expect(findings.filter(({ status }) => status === 'fault')).toEqual([])
  })

  test('an answer that does not come ends within the limit, and what is behind it is not looked at', async () => {
    const here = await setup()
    here.simulator.fault({ kind: 'hang-before', on: 'repository' })
    const groups = await diagnose({ ...here, workers: true, withinMs: 300 })
    const findings = groups.flatMap((group) => group.findings)
    expect(findings.find(({ name }) => name === 'GitHub')?.status).toBe('fault')
    expect(findings.find(({ name }) => name === 'workflow')?.detail).toMatch(/^not looked at/)
  })

  test.each([
    ['may write', { actions: 'write' }, 'permissions', 'ok'],
    ['may only read', { actions: 'read' }, 'permissions', 'fault'],
  ] as const)('a GitHub App that %s', async (_, permissions, name, status) => {
    const { line } = await looked({
      simulator: {
        token: undefined,
        app: { id: '7', installationId: 42, publicKey: APP_KEY.public, permissions },
      },
      env: {
        GITHUB_TOKEN: '',
        GITHUB_APP_ID: '7',
        GITHUB_APP_INSTALLATION_ID: '42',
        GITHUB_APP_PRIVATE_KEY: APP_KEY.pkcs8,
      },
    })
    expect([line('credentials')?.status, line(name)?.status]).toEqual(['ok', status])
  })

  test('an App that is installed no more', async () => {
    const { line } = await looked({
      simulator: { token: undefined, app: { id: '7', installationId: 41, publicKey: APP_KEY.public } },
      env: {
        GITHUB_TOKEN: '',
        GITHUB_APP_ID: '7',
        GITHUB_APP_INSTALLATION_ID: '42',
        GITHUB_APP_PRIVATE_KEY: APP_KEY.pkcs8,
      },
    })
    expect(line('credentials')).toMatchObject({
      status: 'fault',
      detail: expect.stringContaining('no token of the GitHub App'),
    })
  })
})

describe('Redis', () => {
  test('that evicts and writes nothing down has a fault for each', async () => {
    const redis = await startPrivateRedis({
      config: ['maxmemory 200mb', 'maxmemory-policy allkeys-lru', 'appendonly no'],
    })
    onTestFinished(redis.stop)
    const { line } = await looked({ redisUrl: redis.url })
    expect([
      line('Redis')?.status,
      line('Redis eviction')?.status,
      line('Redis persistence')?.status,
    ]).toEqual(['ok', 'fault', 'fault'])
  })

  test('that asks for a password, and one that is not there, say what to do; the rest is looked at', async () => {
    const redis = await startPrivateRedis({ config: ['requirepass sentinel-password'] })
    onTestFinished(redis.stop)
    const denied = await looked({ redisUrl: redis.url })
    expect(denied.line('Redis')).toMatchObject({ status: 'fault', detail: expect.stringContaining('NOAUTH') })
    expect(denied.line('ledger')?.detail).toBe("not looked at: Redis can't be asked")
    const away = await looked({ redisUrl: 'redis://user:sentinel-password@127.0.0.1:1' })
    expect(away.line('Redis')).toMatchObject({
      status: 'fault',
      detail: expect.stringContaining('ECONNREFUSED'),
    })
    expect(away.line('repository')?.status).toBe('ok')
    expect(JSON.stringify(away.findings)).not.toContain('sentinel')
  })
})

describe("a worker's short form", () => {
  async function toldAtStart(options: Options) {
    const here = await setup(options)
    const lines: Record<string, unknown>[] = []
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
    await tellAtStart({ ...here, log: createLogger({ level: 'info', redact: here.redact, destination }) })
    onlyReads(here.simulator)
    return { lines, simulator: here.simulator }
  }

  test('is one line where all is well', async () => {
    const { lines } = await toldAtStart({})
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ level: 'info', faults: 0, warnings: 0 })
  })

  test('asks GitHub nothing where the trigger is off', async () => {
    const { lines, simulator } = await toldAtStart({ env: { ENABLE_CD_TRIGGER: 'false' } })
    expect([lines.map(({ check }) => check), simulator.log]).toEqual([['dispatching', undefined], []])
  })

  test('has a line for each warning and fault beside', async () => {
    const { lines } = await toldAtStart({
      simulator: { archived: true, workflows: [{ file: 'cd_pipeline.yml', runName: false }] },
    })
    expect(lines.map(({ level, check }) => `${level} ${check ?? ''}`.trim())).toEqual([
      'error repository',
      'warn run-name',
      'warn correlation',
      'info',
    ])
    expect(lines.at(-1)).toMatchObject({ faults: 1, warnings: 2 })
  })
})

function in3Days(): string {
  return new Date(Date.now() + 3 * 86_400_000 + 60_000)
    .toISOString()
    .replace('T', ' ')
    .replace(/\..*/, ' UTC')
}

/** Those that are sent, with others and without one. */
function inputs(more: Record<string, { required?: boolean }>, without = '') {
  const ours = [
    'model_version',
    'model_accuracy',
    'trigger_source',
    'promotion_id',
    'model_name',
    'environment',
  ]
  return { ...Object.fromEntries(ours.filter((name) => name !== without).map((name) => [name, {}])), ...more }
}
