// The simulator judges the relay's promises, so its own behaviour is pinned: here what it logs, shows, lets itself be
// told and remembers; the rest by theme in github-simulator-*.test.ts beside this. All over real HTTP.
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { Octokit } from '@octokit/rest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSimulator } from '../github-simulator/simulator.ts'
import { DISPATCHES, eventually, INPUTS, LONG, REPO, simulatorOf } from '../support/simulator.ts'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

describe('the log', () => {
  test('has every request without its token, and the run that it started', async () => {
    const { simulator, get, dispatch } = await simulatorOf()
    await get(`${REPO}?a=1`)
    await dispatch({}, { headers: { 'user-agent': 'relay' } })
    expect(simulator.log).toMatchObject([
      { kind: 'request', method: 'GET', path: `${REPO}?a=1`, status: 200 },
      { method: 'POST', path: DISPATCHES, status: 204, body: { ref: 'main', inputs: INPUTS } },
    ])
    expect(simulator.log[1]?.runId).toBe(simulator.runs[0]?.id)
    expect(simulator.log[1]?.headers).toMatchObject({ authorization: 'REDACTED', 'user-agent': 'relay' })
    expect(JSON.stringify(simulator.log)).not.toContain('secret-1')
    expect(simulator.log[0]?.at).toBeLessThanOrEqual(Date.now())
    expect(simulator.dispatches()).toEqual([simulator.log[1]])
  })

  test('has what is no HTTP as garbled', async () => {
    const { simulator } = await simulatorOf()
    const { port } = new URL(simulator.url)
    const hello = connectTls({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
    await once(hello, 'error').catch(() => {})
    hello.destroy()
    await eventually(() => simulator.log).toMatchObject([{ kind: 'garbled', at: expect.any(Number) }])
    expect(simulator.dispatches()).toEqual([])
  })

  test('a dispatch that was cut off in the middle is there, and neither has an effect nor meets a fault', async () => {
    const { simulator } = await simulatorOf()
    simulator.fault({ kind: 'status-before' })
    const socket = connect(Number(new URL(simulator.url).port), '127.0.0.1')
    socket.on('error', () => {})
    const head = `POST ${DISPATCHES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\ncontent-length: 99\r\n\r\n{"ref"`
    socket.write(head, () => socket.destroy())
    await eventually(() => simulator.log).toMatchObject([{ cutOff: true, status: 0 }])
    expect(simulator.log[0]).not.toHaveProperty('fault')
    expect(simulator.runs).toEqual([])
  })
})

describe('pages', () => {
  test('say SIMULATED, list the runs and escape what came from outside', async () => {
    const { simulator, get, start } = await simulatorOf()
    const id = await start({ ...INPUTS, model_name: '<script>alert(1)</script>' })
    const home = await get('/', { token: null })
    expect(home.headers.get('content-type')).toContain('text/html')
    expect(home.text).toContain('SIMULATED')
    expect(home.text).toContain(`/acme/models/actions/runs/${id}`)
    const page = await get(`/acme/models/actions/runs/${id}`, { token: null })
    expect(page.text).toContain('SIMULATED')
    expect(page.text).toContain('Input promotion_id')
    expect(home.text + page.text).not.toContain('<script>')
    expect((await get('/acme/models/actions/runs/1')).status).toBe(404)
    expect(simulator.runs).toHaveLength(1)
  })
})

describe('steering over HTTP', () => {
  test('does what the interface does, and is not logged', async () => {
    const { simulator, ask, get, post, dispatch, start } = await simulatorOf()
    await post('/_simulator/life', { body: { queuedMs: 0, runMs: 60_000 } })
    await post('/_simulator/hold', { body: { status: 'waiting' } })
    const id = await start()
    expect((await get('/_simulator/runs')).json).toMatchObject([{ id, status: 'waiting' }])
    await post('/_simulator/release', { body: {} })
    expect(simulator.runs[0]?.status).toBe('in_progress')
    await post(`/_simulator/runs/${id}/complete`, { body: { conclusion: 'failure' } })
    expect(simulator.runs[0]?.conclusion).toBe('failure')
    await post('/_simulator/faults', { body: { kind: 'status-before', status: 503, times: 'Infinity' } })
    expect((await dispatch()).status).toBe(503)
    await ask('DELETE', '/_simulator/faults')
    expect((await dispatch()).status).toBe(204)
    await post('/_simulator/workflows/cd_pipeline.yml', { body: { refs: ['dev'] } })
    expect((await dispatch()).json.message).toBe('No ref found for: main')
    const log = JSON.parse((await get('/_simulator/log')).text)
    expect(log).toHaveLength(4)
    expect(log).toEqual(JSON.parse(JSON.stringify(simulator.log)))
  })

  test.each([
    ['/_simulator/faults', { kind: 'status-befor' }, 400],
    ['/_simulator/life', { runMs: 'long' }, 400],
    ['/_simulator/runs/1/complete', {}, 404],
    ['/_simulator/workflows/none.yml', {}, 404],
    ['/_simulator/installation', { state: 'gone' }, 400],
    ['/_simulator/installation', { state: 'active' }, 404],
    ['/_simulator/nothing', {}, 404],
  ])('says what is wrong with %s', async (path, body, status) => {
    const { post } = await simulatorOf()
    const reply = await post(path, { body })
    expect(reply.status).toBe(status)
    expect(reply.json.message).toBeTruthy()
  })
})

describe('a data directory', () => {
  function directory(): string {
    const dataDir = mkdtempSync(join(tmpdir(), 'github-simulator-'))
    onTestFinished(() => rmSync(dataDir, { recursive: true }))
    return dataDir
  }

  test('gives runs and log back, and runs that were in progress go on', async () => {
    const dataDir = directory()
    const first = await simulatorOf({ dataDir, queuedMs: 0, runMs: 1000 })
    const [ended, going] = [await first.start(), await first.start()]
    first.simulator.complete(ended, 'failure')
    const before = structuredClone(first.simulator.log)
    await first.simulator.close()

    const second = await simulatorOf({ dataDir })
    expect(second.simulator.log).toEqual(before)
    expect(second.simulator.runs).toMatchObject([
      { id: ended, conclusion: 'failure' },
      { id: going, status: 'in_progress' },
    ])
    await eventually(() => second.simulator.runs[1]?.conclusion).toBe('success')
    expect(await second.start()).toBeGreaterThan(going)
    expect(second.simulator.runs[2]?.runNumber).toBe(3)
  })

  test('survives a last line that was cut off', async () => {
    const dataDir = directory()
    const first = await simulatorOf({ dataDir })
    const id = await first.start()
    await first.simulator.close()
    appendFileSync(join(dataDir, 'runs.jsonl'), '{"id": 194')
    const second = await simulatorOf({ dataDir })
    const next = await second.start()
    await second.simulator.close()
    const third = await simulatorOf({ dataDir })
    expect(third.simulator.runs.map((run) => run.id)).toEqual([id, next])
  })
})

test('close ends hanging and slow requests, and frees the port', async () => {
  const { simulator, dispatch } = await simulatorOf()
  simulator.fault({ kind: 'hang-before' })
  simulator.fault({ kind: 'slow', delayMs: 60_000 })
  const ends = [dispatch(), dispatch()].map((reply) => expect(reply).rejects.toThrow('fetch failed'))
  await eventually(() => simulator.log).toHaveLength(2)
  await simulator.close()
  await Promise.all(ends)
  const port = Number(new URL(simulator.url).port)
  const again = await startSimulator({ port })
  await expect(startSimulator({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await again.close()
})

test('Octokit finds what it expects', async () => {
  const { simulator } = await simulatorOf(LONG)
  const octokit = new Octokit({ auth: 'secret-1', baseUrl: simulator.url, log: SILENT })
  const target = { owner: 'acme', repo: 'models', workflow_id: 'cd_pipeline.yml' }
  await octokit.actions.createWorkflowDispatch({ ...target, ref: 'main', inputs: INPUTS })
  const runs = await octokit.paginate(octokit.actions.listWorkflowRuns, { ...target, per_page: 1 })
  expect(runs).toMatchObject([{ display_title: 'Deploy fraud-detector 5 p-1', status: 'in_progress' }])
  await expect(octokit.actions.createWorkflowDispatch({ ...target, ref: 'gone' })).rejects.toMatchObject({
    status: 422,
    response: { data: { message: 'No ref found for: gone' } },
  })
})
