// `npm start`, as a newcomer runs it: real processes, the embedded Redis, the simulator beside them.
import { statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMlflow } from '../support/mlflow.ts'
import { until } from '../support/until.ts'
import {
  allGone,
  asUp,
  CLI,
  dirOfData,
  isAlive,
  logInsFile,
  NODE,
  pidsOf,
  processesOn,
  READY,
  ROOT,
  startProgram,
  startUp,
  temporaryDir,
  type Up,
} from '../support/up.ts'

const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }

describe('npm start with nothing set', () => {
  const undo: (() => void | Promise<void>)[] = []
  const atEnd = (step: () => void | Promise<void>) => void undo.push(step)
  let relay: Up
  beforeAll(async () => {
    const dataDir = path.join(temporaryDir('relay-up', atEnd), 'relay data')
    relay = await startUp({ by: 'npm', dataDir, unhurried: true, atEnd })
    await relay.hurry()
  })
  afterAll(async () => {
    relay.kill('SIGTERM')
    await relay.end()
    await until('the end of all', () => processesOn(relay.dataDir).length === 0)
    for (const step of undo.reverse()) await step()
  })

  test('prints the timeline of a sample promotion step by step to deployed', () => {
    const steps = [
      'A sample promotion, sample-model version 1, on its way:',
      'accepted, the first of its target',
      'attempt 1: intent recorded',
      'attempt 1: dispatched, GitHub answered 200',
      'dispatched as run 19482000001',
      'run 19482000001 is in progress',
      'deployed: this version is live',
      READY,
    ]
    const places = steps.map((step) => relay.stdout.indexOf(step))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })

  test('says that it is simulated, in words, in every answer and on every page', async () => {
    expect(relay.stdout).toContain('SIMULATED')
    for (const page of ['/healthz', '/v1/promotions', '/metrics', '/queues', '/nothing']) {
      const { headers } = await relay.call('GET', page)
      expect([page, headers.get('x-promotion-relay')]).toEqual([page, 'SIMULATED'])
    }
    const page = await (await fetch(relay.simulatorUrl)).text()
    expect(page).toContain('SIMULATED: this is not GitHub')
    const headers = { authorization: `Basic ${btoa(`ops:${relay.opsPassword}`)}` }
    expect(await (await fetch(`${relay.url}/queues`, { headers })).text()).toContain('SIMULATED')
  })

  test('prints addresses that answer', async () => {
    for (const address of relay.stdout.match(/http:\/\/\S+$/gm) ?? []) {
      expect([address, (await fetch(address)).status < 500]).toEqual([address, true])
    }
    expect((await relay.call('GET', '/readyz')).body).toEqual({ status: 'ready', warnings: [] })
    for (const name of ['Board', 'API', 'Described', 'Queues', 'Metrics', 'Simulator'])
      expect(relay.stdout).toContain(`  ${name} `)
  })

  test('prints no log-in where nobody may be looking, but the file that has them, of mode 0600', () => {
    expect(relay.token.length).toBeGreaterThan(20)
    expect(relay.opsPassword.length).toBeGreaterThan(20)
    const printed = relay.stdout + relay.stderr
    for (const secret of [relay.token, relay.opsPassword]) expect(printed).not.toContain(secret)
    expect(printed).toContain(logInsFile(relay.dataDir))
    expect(statSync(logInsFile(relay.dataDir)).mode & 0o777).toBe(0o600)
  })

  test('the curl line that it prints promotes, as it stands', async () => {
    const line = /^ {2}(curl (?:.|\n)*?)\n\n/m.exec(relay.stdout)?.[1] ?? ''
    expect(line).toContain('curl -X POST')
    const curl = startProgram('sh', ['-c', `${line.trim()} --silent --show-error`])
    expect([await curl.end(), curl.stderr, line]).toEqual([0, '', line])
    const { id, status, live } = JSON.parse(curl.stdout)
    expect({ status, live }).toEqual({ status: 'accepted', live: null })
    await relay.reaches(id, 'deployed')
  })

  test('the npx line that it prints promotes from another terminal, and shows each step to deployed', async () => {
    const line = /^ {2}(.*npx promotion-relay promote .*)$/m.exec(relay.stdout)?.[1] ?? ''
    const promote = startProgram('sh', ['-c', line], { cwd: ROOT })
    expect([await promote.end(), promote.stderr.replace(/^npm warn.*\n/gm, '')]).toEqual([0, ''])
    for (const word of ['accepted ', 'attempt 1: intent recorded', 'dispatched as run', 'ended: deployed']) {
      expect(promote.stdout).toContain(word)
    }
  })

  test('has counted what it did under the names of the design', async () => {
    const { body } = await relay.call('GET', '/metrics')
    const names = [
      'promotions_accepted_total',
      'dispatch_attempts_total{outcome="dispatched"}',
      'dispatch_success_ratio{window="1h"} 1',
      'dispatch_success_ratio{window="24h"} 1',
      'promotion_to_dispatch_seconds_count',
      'promotion_to_live_seconds_count',
      'deployments_total{conclusion="success"}',
      'dead_letters 0',
      'oldest_waiting_seconds 0',
      'queue_jobs{queue="promotions",state="waiting"} 0',
    ]
    for (const name of names) expect(body).toContain(`\npromotion_relay_${name}`)
    expect(body).toContain('# TYPE promotion_relay_circuit_open gauge')
  })

  test('a second relay on its directory is refused in one line, and the first goes on', async () => {
    const second = startProgram(NODE, [CLI, 'up'], { env: { DATA_DIR: relay.dataDir, PORT: '0' } })
    expect(await second.end()).toBe(2)
    expect(second.stderr.trim().split('\n')).toEqual([expect.stringContaining('a relay runs on')])
    expect(second.stderr).toContain(relay.url)
    expect((await relay.call('GET', '/readyz')).status).toBe(200)
  })
})

test('on a terminal it shows the log-ins and short lines, and Ctrl-C ends everything in order', async () => {
  const dataDir = dirOfData()
  const env = { DATA_DIR: dataDir, PORT: '0', TRACK_INTERVAL_SECONDS: '0.1', TERM: 'xterm' }
  const terminal = startProgram('script', ['-qec', 'npm start', '/dev/null'], { cwd: ROOT, env })
  await until('the relay to be up', () => terminal.stdout.includes(READY), 30_000)
  const relay = asUp({ stdout: terminal.stdout.replaceAll('\r', '') } as Up, dataDir)
  const pids = pidsOf(relay)
  expect(terminal.stdout).toMatch(new RegExp(`API token +${relay.token}\\b`))
  expect(terminal.stdout).toMatch(new RegExp(`Board log-in +ops / ${relay.opsPassword}`))
  await relay.hurry()
  const { id } = (await relay.call('POST', '/v1/promotions', V5)).body
  await relay.reaches(id, 'deployed')
  await until('the end in the log', () => /The version is live \(fraud-detector 5,/.test(terminal.stdout))
  expect(terminal.stdout).not.toContain('{"promotionId"')

  terminal.type('\u0003')
  await terminal.end()
  await allGone(relay, pids)
  expect(terminal.stdout).toContain('Ending')
})

test('when its Redis is killed it starts it again, loses nothing, and goes on', async () => {
  const relay = await startUp({ dataDir: dirOfData() })
  const before = (await relay.call('POST', '/v1/promotions', V5)).body
  await relay.reaches(before.id, 'deployed')
  const { redisPid } = relay
  process.kill(redisPid, 'SIGKILL')
  await until('the end of Redis', () => !isAlive(redisPid))
  const refused = await relay.call('POST', '/v1/promotions', { ...V5, version: '6' })
  expect([refused.status, refused.body.status]).toEqual([503, 503])
  await until('Redis again', async () => (await relay.call('GET', '/readyz')).status === 200)
  expect((await relay.call('GET', `/v1/promotions/${before.id}`)).body.state).toBe('deployed')
  const after = (await relay.call('POST', '/v1/promotions', { ...V5, version: '6' })).body
  expect(after).toMatchObject({ status: 'accepted', live: '5' })
  await relay.reaches(after.id, 'deployed')
  const pids = pidsOf(relay)
  relay.kill('SIGTERM')
  expect(await relay.end()).toBe(0)
  await allGone(relay, pids)
})

test('a next start finds everything again, and its sample is the next version', async () => {
  const dataDir = dirOfData()
  const first = await startUp({ dataDir })
  const { id } = (await first.call('POST', '/v1/promotions', V5)).body
  await first.reaches(id, 'deployed')
  const token = first.token
  first.kill('SIGTERM')
  expect(await first.end()).toBe(0)

  const second = await startUp({ dataDir })
  expect(second.token).toBe(token)
  expect((await second.call('GET', `/v1/promotions/${id}`)).body).toMatchObject({ state: 'deployed', ...V5 })
  expect(second.stdout).toContain('sample-model version 2')
  expect(second.stdout).toContain('accepted; version 1 is live')
  expect((await second.call('POST', '/v1/promotions', V5)).body).toMatchObject({ id, status: 'duplicate' })
  second.kill('SIGTERM')
  expect(await second.end()).toBe(0)
})

test('what the simulator has deployed is told as simulated, and nothing of a sample', async () => {
  const mlflow = await startMlflow()
  const relay = await startUp({
    dataDir: dirOfData(),
    env: { MLFLOW_FEEDBACK: 'true', MLFLOW_TRACKING_URI: mlflow.uri },
  })
  await relay.call('POST', '/v1/promotions', V5)
  const tags = () => mlflow.written.map(({ body }) => `${body.name} ${body.key}=${body.value}`)
  await until('MLflow to be told', () => tags().includes('fraud-detector cd.status=deployed'))
  expect(tags()).toContain('fraud-detector cd.simulated=true')
  expect(tags().filter((tag) => !tag.startsWith('fraud-detector'))).toEqual([])
  relay.kill('SIGTERM')
  await relay.end()
})
