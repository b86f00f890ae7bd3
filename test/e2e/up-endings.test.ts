// How `up` ends and how it refuses to start: in order, told in a line, and with nothing left running.
import { statSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../support/until.ts'
import {
  allGone,
  CLI,
  dirOfData,
  isAlive,
  LAUNCHER,
  NODE,
  pidsOf,
  processesOn,
  startProgram,
  startUp,
  temporaryDir,
} from '../support/up.ts'

const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }

test('SIGTERM to npm start ends relay, Redis and simulator, though npm hands it on to a shell only', async () => {
  const relay = await startUp({ by: 'npm', dataDir: dirOfData() })
  const pids = pidsOf(relay)
  relay.kill('SIGTERM')
  await relay.end()
  await allGone(relay, pids)
})

test('a signal that comes twice, as npm hands on Ctrl-C, still ends everything in order, with code 0', async () => {
  const relay = await startUp({ dataDir: dirOfData() })
  const pids = pidsOf(relay)
  await relay.simulator('POST', 'faults', { kind: 'slow', delayMs: 700 })
  const { id } = (await relay.call('POST', '/v1/promotions', V5)).body
  await relay.reaches(id, 'dispatching')
  relay.kill('SIGINT')
  await until('its end to begin', () => relay.relayPid === 0)
  relay.kill('SIGINT')
  expect(await relay.end()).toBe(0)
  // What was under way has been finished first.
  expect(relay.stdout).toMatch(/Successfully triggered CD pipeline.*"model":"fraud-detector"/)
  await allGone(relay, pids)
})

test('a signal given again later ends it at once, though GitHub does not answer', async () => {
  const relay = await startUp({ dataDir: dirOfData() })
  const { redisPid, simulatorPid } = relay
  await relay.simulator('POST', 'faults', { kind: 'hang-before' })
  const { id } = (await relay.call('POST', '/v1/promotions', V5)).body
  await relay.reaches(id, 'dispatching')
  const code = await until('its end', () => {
    if (relay.ended === undefined) relay.kill('SIGINT')
    return relay.ended
  })
  expect(code).toBe(1)
  await until('the end of its simulator', () => !isAlive(simulatorPid))
  // Redis is left to the next start, as after a kill.
  process.kill(redisPid, 'SIGTERM')
  await until('the end of Redis', () => !isAlive(redisPid))
})

test('killed in the middle of a promotion, a next start adopts the same Redis and ends it, with one run', async () => {
  const dataDir = dirOfData()
  const first = await startUp({ dataDir })
  await first.simulator('POST', 'hold', { status: 'in_progress' })
  const { id } = (await first.call('POST', '/v1/promotions', V5)).body
  await first.reaches(id, 'dispatched')
  const next = (await first.call('POST', '/v1/promotions', { ...V5, version: '6' })).body
  const { redisPid } = first
  first.kill('SIGKILL')
  await first.end()
  await until(
    'the end of its simulator',
    () => processesOn(path.join(dataDir, 'simulated/github')).length === 0,
  )
  expect(isAlive(redisPid)).toBe(true)

  const second = await startUp({ dataDir })
  expect(second.redisPid).toBe(redisPid)
  expect(second.stdout).toContain('was already running')
  expect((await second.call('GET', `/v1/promotions/${id}`)).body.state).toBe('dispatched')
  await second.simulator('POST', 'release', {})
  await second.reaches(id, 'deployed')
  await second.reaches(next.id, 'deployed')
  const runs: { inputs: Record<string, string> }[] = await second.simulator('GET', 'runs')
  const versions = runs
    .filter(({ inputs }) => inputs.model_name === V5.model)
    .map(({ inputs }) => inputs.model_version)
  expect(versions).toEqual(['5', '6'])
  second.kill('SIGTERM')
  expect(await second.end()).toBe(0)
  await until('the end of Redis', () => !isAlive(redisPid))
})

test('when npm itself is killed, the relay notices, ends in order, and a next start finds its place free', async () => {
  const dataDir = dirOfData()
  const first = await startUp({ by: 'npm', dataDir })
  const pids = pidsOf(first)
  first.kill('SIGKILL')
  const second = await startUp({ by: 'npm', dataDir })
  await until('the end of the first', () => !pids.some(isAlive))
  expect(first.stdout).toContain('npm, which started this relay, is gone: ending')
  expect((await second.call('GET', '/v1/promotions')).body.promotions).toHaveLength(2)
  second.kill('SIGTERM')
  await second.end()
  await until('the end of all', () => processesOn(dataDir).length === 0)
})

test('when nobody reads its output any more, it goes on, and ends in order when told to', async () => {
  const relay = await startUp({ dataDir: dirOfData() })
  const pids = pidsOf(relay)
  relay.closeOutput()
  // The log lines of this one meet the closed pipe.
  const { id } = (await relay.call('POST', '/v1/promotions', V5)).body
  await relay.reaches(id, 'deployed')
  relay.kill('SIGTERM')
  await until('its end', () => !pids.some(isAlive))
  expect(await relay.end()).toBe(0)
})

async function takenPort(): Promise<number> {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  return (other.address() as { port: number }).port
}

test('a taken port is said in one line with what to do, and nothing is left running', async () => {
  const port = await takenPort()
  const dataDir = dirOfData()
  const refused = startProgram(NODE, [CLI, 'up'], { env: { DATA_DIR: dataDir, PORT: String(port) } })
  expect(await refused.end()).toBe(2)
  const line = `promotion-relay: port ${port} is taken: end what uses it, or choose another one, e.g. PORT=`
  expect(refused.stderr.trim().split('\n')).toEqual([expect.stringContaining(line)])
  expect(processesOn(dataDir)).toEqual([])
})

test('a directory that can not be used is said in one line', async () => {
  const file = path.join(temporaryDir('relay-up'), 'file')
  startProgram('sh', ['-c', `echo > ${file}`])
  await until('the file', () => statSync(file, { throwIfNoEntry: false }))
  const refused = startProgram(NODE, [CLI, 'up'], { env: { DATA_DIR: path.join(file, 'data'), PORT: '0' } })
  expect(await refused.end()).toBe(2)
  expect(refused.stderr.trim().split('\n')).toEqual([expect.stringMatching(/^promotion-relay: .*ENOTDIR/)])
})

test('an address that is not of this machine is said in one line, and nothing is left running', async () => {
  const dataDir = dirOfData()
  const env = { DATA_DIR: dataDir, PORT: '0', HOST: '192.0.2.1' }
  const refused = startProgram(NODE, [CLI, 'up'], { env })
  expect(await refused.end()).toBe(2)
  expect(refused.stderr.trim().split('\n')).toEqual([
    expect.stringContaining('HOST is no address of this machine'),
  ])
  expect(processesOn(dataDir)).toEqual([])
})

test('half-set GitHub settings refuse to start, with every problem in a line of its own and no secret', async () => {
  const dataDir = dirOfData()
  const env = {
    DATA_DIR: dataDir,
    PORT: 'eighty',
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_API_URL: 'github.example',
    OPS_PASSWORD: 'tiny',
    REDIS_URL: 'http://user:sentinel-password@localhost',
  }
  const refused = startProgram(NODE, [CLI, 'up'], { env })
  expect(await refused.end()).toBe(2)
  expect(refused.stdout).toBe('')
  const lines = refused.stderr.trim().split('\n')
  for (const name of [
    'PORT',
    'GITHUB_API_URL',
    'OPS_PASSWORD',
    'REDIS_URL',
    'GITHUB_REPO_OWNER',
    'GITHUB_REPO_NAME',
    'GITHUB_TOKEN',
  ]) {
    expect(lines.filter((line) => line.startsWith(`promotion-relay: ${name} `))).toHaveLength(1)
  }
  expect(lines).toHaveLength(7)
  for (const secret of ['tiny', 'sentinel']) expect(refused.stderr).not.toContain(secret)
  expect(statSync(dataDir, { throwIfNoEntry: false })).toBeUndefined()
})

test('the command line finds no relay where one was killed, and says so', async () => {
  const dataDir = dirOfData()
  const relay = await startUp({ dataDir })
  const { redisPid } = relay
  relay.kill('SIGKILL')
  await relay.end()
  const promote = startProgram(NODE, [LAUNCHER, 'promote', '--model', 'm', '--version', '1'], {
    env: { DATA_DIR: dataDir },
  })
  expect(await promote.end()).toBe(3)
  expect(promote.stderr).toContain("can't be reached (ECONNREFUSED)")
  process.kill(redisPid, 'SIGTERM')
  await until('the end of Redis', () => !isAlive(redisPid))
})
