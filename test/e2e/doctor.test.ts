// `doctor` and `smoke-test` as processes: what a person sees, what a script gets, and that no secret is in it.
import { describe, expect, onTestFinished, test } from 'vitest'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'
import { setup as startServer, TOKEN } from '../integration/http-setup.ts'
import { startRelay } from '../support/relay.ts'
import { testRedis } from '../support/test-redis.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, run, startProgram, temporaryDir } from '../support/up.ts'

const SECRET = 'ghp_sentinel-0123456789'
type Env = Record<string, string>

const cli = (args: readonly string[], env: Env = {}) =>
  run(NODE, [LAUNCHER, ...args], { env: { DATA_DIR: '/nowhere/relay', PORT: '1', ...env } })

async function world(options: SimulatorOptions = {}): Promise<{ simulator: Simulator; env: Env }> {
  const simulator = await startSimulator({ queuedMs: 0, runMs: 0, token: SECRET, ...options })
  onTestFinished(simulator.close)
  const env = {
    REDIS_URL: (await testRedis()).url,
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    GITHUB_TOKEN: SECRET,
    GITHUB_API_URL: simulator.url,
  }
  return { simulator, env }
}

function startWorker(env: Env) {
  return startProgram(NODE, [LAUNCHER, 'work'], {
    env: { ...env, WORKER_PORT: '0', TRACK_INTERVAL_SECONDS: '0.05', DISPATCH_RATE_PER_SECOND: '1000' },
    cwd: temporaryDir('doctor-worker'),
  })
}

describe('doctor', () => {
  test('shows a line for each check, plainly where nobody looks, and exits 0 with warnings', async () => {
    const { env } = await world()
    const { code, stdout, stderr } = await cli(['doctor'], env)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Settings\n {2}ok {7}settings /)
    expect(stdout).toMatch(/^ {2}ok {7}Redis {14}Redis \d/m)
    expect(stdout).toMatch(
      /^ {2}warning {2}workers {12}none is at work.*\n {30}→ start one: promotion-relay work/m,
    )
    expect(stdout).toMatch(/\n1 warning, \d+ ok, \d+ not known\n$/)
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toContain(SECRET)
  })

  test('has colours where a terminal wants them', async () => {
    const { env } = await world()
    const { stdout } = await cli(['doctor'], { ...env, FORCE_COLOR: '1' })
    expect(stdout).toContain('\u001b[33mwarning')
  })

  test('exits 1 on a fault, and with --strict on a warning', async () => {
    const { env } = await world({ archived: true })
    expect((await cli(['doctor'], env)).code).toBe(1)
    const { env: well } = await world()
    expect((await cli(['doctor', '--strict'], well)).code).toBe(1)
  })

  test('exits 2 on wrong settings, names each, and looks at the rest', async () => {
    const { env } = await world()
    const { code, stdout } = await cli(['doctor'], {
      ...env,
      WORKER_CONCURRENCY: 'many',
      OPS_PASSWORD: 'abc',
    })
    expect(code).toBe(2)
    expect(stdout).toContain('WORKER_CONCURRENCY must be a whole number')
    expect(stdout).toContain('OPS_PASSWORD must be at least 6 characters long')
    expect(stdout).toMatch(/^ {2}ok {7}repository/m)
  })

  test('with nothing set it says what was not looked at, and why', async () => {
    const { code, stdout } = await cli(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /unknown +not looked at: GitHub, credentials, .*: GITHUB_REPO_OWNER, GITHUB_REPO_NAME, GITHUB_TOKEN not set/,
    )
    expect(stdout).toContain('ENABLE_CD_TRIGGER is off')
  })

  test('as JSON has the counts, and each finding with its mend', async () => {
    const { env } = await world({ workflows: [{ file: 'cd_pipeline.yml', trigger: false }] })
    const { code, stdout } = await cli(['doctor', '--json'], env)
    const { faults, warnings, ok, findings } = JSON.parse(stdout)
    expect([code, faults]).toEqual([1, 1])
    expect(findings).toContainEqual({
      about: 'GitHub',
      name: 'trigger',
      status: 'fault',
      detail: expect.any(String),
      mend: expect.any(String),
    })
    const count = (status: string) =>
      findings.filter((one: { status: string }) => one.status === status).length
    expect([count('warning'), count('ok')]).toEqual([warnings, ok])
  })

  test('a server that is asked for must be there; one that is told of may be', async () => {
    const { env } = await world()
    const missing = await cli(['doctor', '--url', `http://127.0.0.1:${await pickFreePort()}`], env)
    expect([missing.code, missing.stdout]).toEqual([
      1,
      expect.stringMatching(/fault +server +.*ECONNREFUSED/),
    ])
    const server = await startServer({ redisUrl: env.REDIS_URL ?? '' })
    const there = await cli(['doctor', '--url', server.url], env)
    expect([there.code, there.stdout]).toEqual([0, expect.stringMatching(/ok +server +.* is ready/)])
  })

  test('what an outsider wrote into the workflow steers no terminal', async () => {
    const text = 'on:\n  workflow_dispatch:\n    inputs:\n      "\\e[2Jx": { required: true }\n'
    const { env } = await world({ workflows: [{ file: 'cd_pipeline.yml', text }] })
    const { stdout } = await cli(['doctor'], env)
    expect(stdout).toContain('requires  [2Jx')
    expect(stdout).not.toContain('\u001b')
  })

  test('a worker tells the short form in its log', async () => {
    const { env, simulator } = await world({ archived: true })
    const worker = startWorker(env)
    await until('the doctor to have looked', () => worker.stdout.includes('The doctor has looked'))
    const lines = worker.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    expect(lines.find(({ check }) => check === 'repository')).toMatchObject({
      level: 'error',
      mend: expect.any(String),
    })
    expect(simulator.log.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET'])
    worker.kill('SIGTERM')
    expect(await worker.end()).toBe(0)
  })
})

describe('smoke-test', () => {
  test('goes as far as a worker, which sends nothing, and tells the time of each step', async () => {
    const relay = await startRelay()
    const { code, stdout, stderr } = await cli(['smoke-test'], { REDIS_URL: relay.redisUrl })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /ok +accepted into the ledger +\d+ ms\n +ok +put into the queue +\d+ ms\n +ok +taken by a worker +\d+ ms {2}worker-1\nIt came through/,
    )
    expect(relay.simulator.dispatches()).toEqual([])
    expect(await relay.reader.counters()).toEqual({})
    expect(relay.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  })

  test('with --dispatch --wait goes to the end of its run, marked as a test', async () => {
    const relay = await startRelay()
    const { code, stdout } = await cli(['smoke-test', '--dispatch', '--wait', '--json'], {
      REDIS_URL: relay.redisUrl,
    })
    const { result, steps } = JSON.parse(stdout)
    expect([code, result]).toEqual([0, 'through'])
    const names = steps.map(({ name }: { name: string }) => name)
    expect(names.slice(0, 5)).toEqual([
      'accepted into the ledger',
      'put into the queue',
      'taken by a worker',
      'call to GitHub',
      'run named',
    ])
    expect(names.at(-1)).toBe('run ended')
    expect(relay.simulator.runs.map(({ inputs }) => inputs)).toEqual([
      expect.objectContaining({
        trigger_source: 'smoke_test',
        environment: 'smoke-test',
        model_name: 'promotion-relay-smoke-test',
      }),
    ])
    expect([relay.counted.attempts, relay.counted.deployments]).toEqual([[], []])
    expect(await relay.reader.targets(10)).toEqual([])
  })

  test('without a worker it says so, and what to do; a worker that comes later sends nothing', async () => {
    const relay = await startRelay({ workers: 0 })
    const { code, stdout } = await cli(['smoke-test', '--timeout', '0.5'], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(1)
    expect(stdout).toContain('no worker took it within 0.5 s: no worker is at work')
    expect(stdout).toContain('→ start one: promotion-relay work')
    await relay.startWorker()
    await until('its job to be gone', async () => (await relay.queues.promotions.count()) === 0)
    expect(relay.simulator.dispatches()).toEqual([])
  })

  test.each([
    [
      'the trigger is off',
      { env: { ENABLE_CD_TRIGGER: 'false' } },
      'a worker is there, but ENABLE_CD_TRIGGER is off',
    ],
    ['GitHub refuses it', { simulator: { token: 'another' } }, 'Bad credentials'],
  ])('where %s it says what stopped it', async (_, options, words) => {
    const relay = await startRelay(options)
    const dispatch = 'simulator' in options ? ['--dispatch', '--wait'] : []
    const { code, stdout } = await cli(['smoke-test', ...dispatch], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(1)
    expect(stdout).toContain(words)
    expect(stdout).toContain('→ promotion-relay doctor tells what to mend')
  })

  test('says how its run failed, and when --wait was over', async () => {
    const relay = await startRelay({ simulator: { conclusion: 'failure' } })
    const failed = await cli(['smoke-test', '--dispatch', '--wait'], { REDIS_URL: relay.redisUrl })
    expect([failed.code, failed.stdout]).toEqual([
      1,
      expect.stringMatching(/fault +run ended +\d+ ms {2}failure/),
    ])
    relay.simulator.hold()
    const late = await cli(['smoke-test', '--dispatch', '--wait', '--timeout', '4'], {
      REDIS_URL: relay.redisUrl,
    })
    expect([late.code, late.stdout]).toEqual([4, expect.stringContaining('not further within 4 s')])
    relay.simulator.release()
    await relay.idle()
  })

  test('over HTTP does the same with the address and the token', async () => {
    const relay = await startRelay()
    const server = await startServer({ redisUrl: relay.redisUrl })
    const { code, stdout } = await cli(['smoke-test', '--url', server.url], { RELAY_API_TOKEN: TOKEN })
    expect([code, stdout]).toEqual([0, expect.stringContaining('taken by a worker')])
    const dispatched = await cli(['smoke-test', '--url', server.url, '--dispatch'], {
      RELAY_API_TOKEN: TOKEN,
    })
    expect([dispatched.code, dispatched.stdout]).toEqual([
      0,
      expect.stringContaining('its run is on its way'),
    ])
    const refused = await cli(['smoke-test', '--url', server.url], { RELAY_API_TOKEN: 'sentinel-x' })
    expect([refused.code, refused.complaints]).toEqual([
      3,
      ['promotion-relay: the relay refused: A valid bearer token is needed'],
    ])
    await relay.idle()
  })

  test('what is not there, or makes no sense, is said', async () => {
    const away = await cli(['smoke-test'], { REDIS_URL: 'redis://:sentinel-1@127.0.0.1:1' })
    expect([away.code, away.complaints]).toEqual([3, ["promotion-relay: Redis can't be used (ECONNREFUSED)"]])
    expect((await cli(['smoke-test', '--wait'], { REDIS_URL: 'redis://127.0.0.1:1' })).code).toBe(2)
  })
})
