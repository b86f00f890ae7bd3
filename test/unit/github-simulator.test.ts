// The simulator judges the relay's promises, so its own behaviour is pinned here: every endpoint, each fault,
// both API versions, the Enterprise Server, and what it remembers. All over real HTTP.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { Octokit } from '@octokit/rest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CANCELLING_MS, type RunRecord, stateAt } from '../github-simulator/run-life.ts'
import { listRuns } from '../github-simulator/run-listing.ts'
import {
  type Fault,
  type SimulatedRun,
  type SimulatorOptions,
  startSimulator,
} from '../github-simulator/simulator.ts'
import { signatureOf } from '../github-simulator/webhook-post.ts'
import {
  type Ask,
  callerOf,
  DISPATCHES,
  eventually,
  INPUTS,
  LONG,
  REPO,
  simulatorOf,
  WORKFLOW,
} from '../support/simulator.ts'
import { openWebhookReceiver, SECRET } from '../support/webhook-receiver.ts'

const NEWER = { 'x-github-api-version': '2026-03-10' }
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

describe('dispatch', () => {
  test('starts a run and answers 204 when no version is named', async () => {
    const { simulator, dispatch } = await simulatorOf()
    const reply = await dispatch()
    expect(reply.status).toBe(204)
    expect(reply.text).toBe('')
    expect(simulator.runs).toMatchObject([
      {
        runNumber: 1,
        ref: 'main',
        workflow: 'cd_pipeline.yml',
        inputs: INPUTS,
        runAttempt: 1,
        conclusion: null,
      },
    ])
    expect(simulator.runs[0]?.displayTitle).toBe('Deploy fraud-detector 5 p-1')
  })

  test('answers 200 with the run when asked for details', async () => {
    const { simulator, dispatch } = await simulatorOf()
    const reply = await dispatch(
      { return_run_details: true },
      { headers: { 'x-github-api-version': '2022-11-28' } },
    )
    const id = simulator.runs[0]?.id
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({
      workflow_run_id: id,
      run_url: `${simulator.url}${REPO}/actions/runs/${id}`,
      html_url: `${simulator.url}/acme/models/actions/runs/${id}`,
    })
  })

  test('always answers 200 in version 2026-03-10, which refuses the flag', async () => {
    const { simulator, dispatch } = await simulatorOf()
    expect((await dispatch({}, { headers: NEWER })).json.workflow_run_id).toBe(simulator.runs[0]?.id)
    const flagged = await dispatch({ return_run_details: true }, { headers: NEWER })
    expect(flagged.status).toBe(422)
    expect(flagged.json.message).toContain('"return_run_details" is not a permitted key.')
    expect(simulator.runs).toHaveLength(1)
  })

  test('refuses a version that does not exist', async () => {
    const { simulator, dispatch } = await simulatorOf()
    const reply = await dispatch({}, { headers: { 'x-github-api-version': '2030-01-01' } })
    expect(reply.status).toBe(400)
    expect(reply.json).toMatchObject({ message: 'Bad Request', status: '400' })
    expect(reply.json.errors).toContain('"2030-01-01", is not a supported version')
    expect(simulator.runs).toHaveLength(0)
  })

  test('an Enterprise Server answers 204 only, and knows neither the flag nor the newer version', async () => {
    const { simulator, dispatch, get } = await simulatorOf({ mode: 'ghes' })
    const flagged = await dispatch({ return_run_details: true })
    expect(flagged.status).toBe(422)
    expect(flagged.json.message).toBe('Invalid request.\n\n"return_run_details" is not a permitted key.')
    expect((await dispatch({}, { headers: NEWER })).status).toBe(400)
    expect(simulator.runs).toHaveLength(0)
    expect((await dispatch()).status).toBe(204)
    expect((await get('/rate_limit')).status).toBe(404)
  })

  test('takes the workflow by its id, and the prefix of an Enterprise Server', async () => {
    const { simulator, get, post } = await simulatorOf()
    const { json: workflow } = await get(`/api/v3${WORKFLOW}`)
    const body = { ref: 'refs/heads/main', return_run_details: true }
    const reply = await post(`/api/v3${REPO}/actions/workflows/${workflow.id}/dispatches`, { body })
    expect(reply.json.run_url).toContain(`${simulator.url}/api/v3/repos/`)
    expect((await get(new URL(reply.json.run_url).pathname)).json.head_branch).toBe('main')
  })

  test.each<[string, SimulatorOptions, Ask, number, string]>([
    ['no token', {}, { token: null }, 401, 'Requires authentication'],
    ['another token', { token: 'right' }, { token: 'wrong' }, 401, 'Bad credentials'],
    ['text that is no JSON', {}, { body: '{"ref":' }, 400, 'Problems parsing JSON'],
    ['JSON that is no object', {}, { body: '[]' }, 400, 'Body should be a JSON object'],
    ['no ref', {}, { body: {} }, 422, `Invalid request.\n\n"ref" wasn't supplied.`],
    [
      'a disabled workflow',
      { workflows: [{ file: 'cd_pipeline.yml', state: 'disabled_manually' }] },
      {},
      422,
      "Cannot trigger a 'workflow_dispatch' on a disabled workflow",
    ],
    [
      'a workflow without the trigger',
      { workflows: [{ file: 'cd_pipeline.yml', trigger: false }] },
      {},
      422,
      "Workflow does not have 'workflow_dispatch' trigger",
    ],
    ['an unknown ref', {}, { body: { ref: 'gone' } }, 422, 'No ref found for: gone'],
    [
      'undeclared inputs',
      { workflows: [{ file: 'cd_pipeline.yml', inputs: { a: {} } }] },
      { body: { ref: 'main', inputs: { a: '1', foo: '1', bar: '2' } } },
      422,
      'Unexpected inputs provided: ["foo", "bar"]',
    ],
    [
      'a missing input',
      { workflows: [{ file: 'cd_pipeline.yml', inputs: { x: { required: true } } }] },
      {},
      422,
      "Required input 'x' not provided",
    ],
    [
      'inputs that are too large',
      {},
      { body: { ref: 'main', inputs: { a: 'x'.repeat(65_536) } } },
      422,
      'inputs are too large.',
    ],
    [
      'more than 25 inputs',
      {},
      {
        body: {
          ref: 'main',
          inputs: Object.fromEntries(Array.from({ length: 26 }, (_, n) => [`i${n}`, ''])),
        },
      },
      422,
      'Invalid request.\n\nNo more than 25 properties are allowed; 26 were supplied.',
    ],
    [
      'an input that is no string',
      {},
      { body: { ref: 'main', inputs: { accuracy: 0.95 } } },
      422,
      "Invalid request.\n\nFor 'properties/inputs/properties/accuracy', 0.95 is not a string.",
    ],
  ])('refuses %s in the words of GitHub and starts nothing', async (_, options, ask, status, message) => {
    const { simulator, post } = await simulatorOf(options)
    const reply = await post(DISPATCHES, { body: { ref: 'main' }, ...ask })
    expect(reply.status).toBe(status)
    expect(reply.json).toEqual({ message, documentation_url: expect.any(String), status: String(status) })
    expect(simulator.runs).toHaveLength(0)
  })

  test.each([
    '/repos/acme/other/actions/workflows/cd_pipeline.yml/dispatches',
    `${REPO}/actions/workflows/other.yml/dispatches`,
    '/nowhere',
  ])('does not find %s', async (path) => {
    const { post } = await simulatorOf()
    const reply = await post(path, { body: { ref: 'main' } })
    expect(reply.status).toBe(404)
    expect(reply.json.message).toBe('Not Found')
  })

  test('the workflow is named by its title when it has no run-name', async () => {
    const { simulator, dispatch } = await simulatorOf({
      workflows: [{ file: 'cd_pipeline.yml', runName: false }],
    })
    await dispatch()
    expect(simulator.runs[0]?.displayTitle).toBe('cd pipeline')
  })

  test('a workflow can be changed while it runs', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.setWorkflow('cd_pipeline.yml', { state: 'disabled_manually' })
    expect((await dispatch()).status).toBe(422)
    simulator.setWorkflow('cd_pipeline.yml', { state: 'active' })
    expect((await dispatch()).status).toBe(204)
  })

  test('numbers are per workflow, ids ascend over all', async () => {
    const { simulator, post, dispatch } = await simulatorOf({
      workflows: [{ file: 'cd_pipeline.yml' }, { file: 'b.yml' }],
    })
    await dispatch()
    await post(`${REPO}/actions/workflows/b.yml/dispatches`, { body: { ref: 'main' } })
    await dispatch()
    expect(simulator.runs.map((run) => run.runNumber)).toEqual([1, 1, 2])
    const ids = simulator.runs.map((run) => run.id)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    expect(new Set(ids).size).toBe(3)
  })
})

describe('every answer', () => {
  test('says that it is simulated and how much of the limit is left', async () => {
    const { get } = await simulatorOf({ rateLimit: 10 })
    await get(REPO)
    const { headers } = await get(REPO)
    expect(headers.get('x-simulated')).toBe('true')
    expect(headers.get('date')).toBeTruthy()
    expect(headers.get('x-github-request-id')).toBeTruthy()
    expect(headers.get('x-ratelimit-limit')).toBe('10')
    expect(headers.get('x-ratelimit-used')).toBe('2')
    expect(headers.get('x-ratelimit-remaining')).toBe('8')
    expect(headers.get('x-ratelimit-resource')).toBe('core')
    expect(Number(headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1000)
    expect(headers.get('x-github-api-version-selected')).toBe('2022-11-28')
  })

  test('is 403 once the limit is used up, until the window ends; /rate_limit costs nothing', async () => {
    const { simulator, get, dispatch } = await simulatorOf({ rateLimit: 1, rateLimitWindowMs: 1500 })
    expect((await get(REPO)).status).toBe(200)
    const limited = await dispatch()
    expect(limited.status).toBe(403)
    expect(limited.json.message).toContain('API rate limit exceeded')
    expect(limited.headers.get('x-ratelimit-remaining')).toBe('0')
    expect(limited.headers.get('x-accepted-github-permissions')).toBe('actions=write')
    expect(simulator.runs).toHaveLength(0)
    expect((await get('/rate_limit')).json.rate).toMatchObject({ limit: 1, used: 1, remaining: 0 })
    await eventually(async () => (await dispatch()).status).toBe(204)
  })
})

describe('reading', () => {
  test('the repository and the workflow, by file and by id', async () => {
    const { get } = await simulatorOf()
    expect((await get('/repos/ACME/Models')).json).toMatchObject({
      full_name: 'acme/models',
      default_branch: 'main',
    })
    const { json } = await get(WORKFLOW)
    expect(json).toMatchObject({
      name: 'cd pipeline',
      path: '.github/workflows/cd_pipeline.yml',
      state: 'active',
    })
    expect((await get(`${REPO}/actions/workflows/${json.id}`)).json).toEqual(json)
  })

  test('a run has the fields that a client reads', async () => {
    const { simulator, get, start } = await simulatorOf(LONG)
    const id = await start()
    const { json } = await get(`${REPO}/actions/runs/${id}`)
    expect(json).toMatchObject({
      id,
      name: 'cd pipeline',
      head_branch: 'main',
      path: '.github/workflows/cd_pipeline.yml',
      display_title: 'Deploy fraud-detector 5 p-1',
      run_number: 1,
      run_attempt: 1,
      event: 'workflow_dispatch',
      status: 'in_progress',
      conclusion: null,
      url: `${simulator.url}${REPO}/actions/runs/${id}`,
      html_url: `${simulator.url}/acme/models/actions/runs/${id}`,
      repository: { full_name: 'acme/models' },
    })
    expect(json.head_sha).toMatch(/^[0-9a-f]{40}$/)
    expect(json.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(json.actor.login).toBeTruthy()
    expect(json).not.toHaveProperty('inputs')
    expect((await get(`${REPO}/actions/runs/1`)).status).toBe(404)
  })

  test('again with its ETag costs nothing until the run has moved', async () => {
    const { simulator, get, start } = await simulatorOf({ ...LONG, rateLimit: 100 })
    const path = `${REPO}/actions/runs/${await start()}`
    const first = await get(path)
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' }
    const unchanged = await get(path, { headers })
    expect(unchanged.status).toBe(304)
    expect(unchanged.text).toBe('')
    expect(unchanged.headers.get('x-ratelimit-used')).toBe(first.headers.get('x-ratelimit-used'))
    simulator.complete(first.json.id)
    const moved = await get(path, { headers })
    expect(moved.status).toBe(200)
    expect(moved.json.status).toBe('completed')
  })

  test('a new run is missing from listings and by its id as long as was asked for', async () => {
    const { get, start } = await simulatorOf({ ...LONG, listDelayMs: 900, getDelayMs: 300 })
    const id = await start()
    expect((await get(`${REPO}/actions/runs/${id}`)).status).toBe(404)
    await eventually(async () => (await get(`${REPO}/actions/runs/${id}`)).status).toBe(200)
    expect((await get(`${WORKFLOW}/runs`)).json.total_count).toBe(0)
    await eventually(async () => (await get(`${REPO}/actions/runs`)).json.total_count).toBe(1)
  })

  test('listings are newest first, in pages that link to each other', async () => {
    const { simulator, get, start } = await simulatorOf(LONG)
    for (let n = 0; n < 5; n += 1) await start()
    const newestFirst = simulator.runs.map((run) => run.id).reverse()
    const first = await get(`${WORKFLOW}/runs?per_page=2&event=workflow_dispatch`)
    expect(first.json.total_count).toBe(5)
    expect(first.json.workflow_runs.map((run) => run.id)).toEqual(newestFirst.slice(0, 2))
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect(first.headers.get('link')).toContain('page=3>; rel="last"')
    const second = await get(next.replace(simulator.url, ''))
    expect(second.json.workflow_runs.map((run) => run.id)).toEqual(newestFirst.slice(2, 4))
    expect(second.headers.get('link')).toMatch(/rel="prev".*rel="next".*rel="last".*rel="first"/)
    expect((await get(`${WORKFLOW}/runs?page=9`)).json.workflow_runs).toEqual([])
    expect((await get(`${WORKFLOW}/runs`)).headers.get('link')).toBeNull()
  })

  test('listings of one workflow leave out the others', async () => {
    const { get, post, start } = await simulatorOf({
      workflows: [{ file: 'cd_pipeline.yml' }, { file: 'b.yml' }],
    })
    await start()
    await post(`${REPO}/actions/workflows/b.yml/dispatches`, { body: { ref: 'main' } })
    expect((await get(`${WORKFLOW}/runs`)).json.total_count).toBe(1)
    expect((await get(`${REPO}/actions/runs`)).json.total_count).toBe(2)
  })

  test('listings are filtered', async () => {
    const { simulator, get, start } = await simulatorOf({
      ...LONG,
      workflows: [{ file: 'cd_pipeline.yml', refs: ['main'] }],
    })
    const id = await start()
    await start()
    simulator.complete(id, 'failure')
    const { actor, head_sha } = (await get(`${REPO}/actions/runs/${id}`)).json
    const count = async (query: string) => (await get(`${WORKFLOW}/runs?${query}`)).json.total_count
    expect(await count('event=push')).toBe(0)
    expect(await count('branch=main')).toBe(2)
    expect(await count('branch=dev')).toBe(0)
    expect(await count('status=failure')).toBe(1)
    expect(await count('status=in_progress')).toBe(1)
    expect(await count(`head_sha=${head_sha}`)).toBe(2)
    expect(await count(`actor=${encodeURIComponent(actor.login)}`)).toBe(2)
    expect(await count('actor=someone')).toBe(0)
    expect(await count('created=%3E%3D2020-01-01')).toBe(2)
    expect(await count('created=%3C2020-01-01')).toBe(0)
    expect((await get(`${WORKFLOW}/runs?created=yesterday`)).status).toBe(422)
  })

  test.each([
    ['>=2026-11-23T10:00:00Z', true],
    ['>=2026-11-23T10:00:00.500Z', false],
    ['>2026-11-23T10:00:00Z', false],
    ['<=2026-11-23T10:00:00Z', true],
    ['<2026-11-23T10:00:00Z', false],
    ['2026-11-23', true],
    ['2026-11-22', false],
    ['<=2026-11-23', true],
    ['>2026-11-23', false],
    ['2026-11-23T09:59:00Z..2026-11-23T10:00:00Z', true],
    ['2026-11-23T10:00:01Z..*', false],
    ['*..2026-11-23T11:00:00+01:00', true],
  ])('created=%s: a run of 10:00:00.700 is listed: %s', (created, isListed) => {
    const run = { id: 1, createdAt: Date.parse('2026-11-23T10:00:00.700Z') } as SimulatedRun
    const listing = listRuns([run], new URLSearchParams({ created }))
    expect(listing?.totalCount).toBe(isListed ? 1 : 0)
  })

  test('no listing goes beyond 1,000 results or 100 on a page', () => {
    const runs = Array.from({ length: 1100 }, (_, n) => ({ id: n, createdAt: 0 }) as SimulatedRun)
    const last = listRuns(runs, new URLSearchParams({ per_page: '500', page: '10' }))
    expect(last).toMatchObject({ totalCount: 1100, lastPage: 10 })
    expect(last?.runs).toHaveLength(100)
    expect(listRuns(runs, new URLSearchParams({ per_page: '100', page: '11' }))?.runs).toEqual([])
  })
})

describe('the life of a run', () => {
  const run: RunRecord = {
    id: 1,
    runNumber: 1,
    createdAt: 1000,
    workflow: 'cd.yml',
    ref: 'main',
    headSha: '',
    inputs: {},
    displayTitle: '',
    runAttempt: 1,
    attemptStartedAt: 1000,
    lifeFrom: 1000,
    queuedMs: 200,
    runMs: 800,
    plannedConclusion: 'success',
    held: null,
    cancelAt: null,
    ended: null,
  }

  test('follows the clock alone', () => {
    expect(stateAt(run, 1199)).toEqual({ status: 'queued', conclusion: null, since: 1000 })
    expect(stateAt(run, 1200)).toEqual({ status: 'in_progress', conclusion: null, since: 1200 })
    expect(stateAt(run, 2000)).toEqual({ status: 'completed', conclusion: 'success', since: 2000 })
  })

  test('a cancellation that comes too late changes nothing', () => {
    expect(stateAt({ ...run, cancelAt: 1500 }, 1600)).toMatchObject({ conclusion: 'cancelled', since: 1500 })
    expect(stateAt({ ...run, cancelAt: 2100 }, 2200)).toMatchObject({ conclusion: 'success', since: 2000 })
  })

  test('goes from queued to completed', async () => {
    const { simulator, start } = await simulatorOf({ queuedMs: 300, runMs: 300, conclusion: 'failure' })
    await start()
    expect(simulator.runs[0]?.status).toBe('queued')
    await eventually(() => simulator.runs[0]?.status).toBe('in_progress')
    await eventually(() => simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'failure' })
  })

  test('a cancelled run is completed shortly after, and cannot be cancelled again', async () => {
    const { simulator, post, start } = await simulatorOf(LONG)
    const path = `${REPO}/actions/runs/${await start()}/cancel`
    expect((await post(path)).status).toBe(202)
    await eventually(() => simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'cancelled' })
    const again = await post(path)
    expect(again.status).toBe(409)
    expect(again.json.message).toBe('Cannot cancel a workflow run that is completed.')
    expect(CANCELLING_MS).toBeLessThan(1000)
  })

  test('a re-run keeps the id, raises the attempt and lives anew', async () => {
    const { simulator, post, start } = await simulatorOf(LONG)
    const id = await start()
    expect((await post(`${REPO}/actions/runs/${id}/rerun`)).status).toBe(403)
    simulator.complete(id, 'failure')
    expect((await post(`${REPO}/actions/runs/${id}/rerun`)).status).toBe(201)
    expect(simulator.runs).toMatchObject([{ id, runAttempt: 2, status: 'in_progress', conclusion: null }])
  })

  test('a held run stays until it is ended by hand', async () => {
    const { simulator, start } = await simulatorOf({ queuedMs: 0, runMs: 0 })
    simulator.hold(undefined, 'waiting')
    const id = await start()
    expect(simulator.runs[0]).toMatchObject({ status: 'waiting', conclusion: null })
    simulator.complete(id, 'timed_out')
    expect(simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'timed_out' })
    expect(() => simulator.complete(1)).toThrow('no run 1')
  })

  test('a held run can be cancelled, or released to go on', async () => {
    const { simulator, post, start } = await simulatorOf({ queuedMs: 0, runMs: 60_000 })
    const [first, second] = [await start(), await start()]
    simulator.hold(first)
    simulator.hold(second)
    await post(`${REPO}/actions/runs/${first}/cancel`)
    await eventually(() => simulator.runs[0]?.conclusion).toBe('cancelled')
    simulator.release()
    expect(simulator.runs[1]?.status).toBe('in_progress')
  })

  test('a changed life is that of later runs', async () => {
    const { simulator, start } = await simulatorOf(LONG)
    await start()
    simulator.setLife({ queuedMs: 0, runMs: 0, conclusion: 'failure' })
    await start()
    expect(simulator.runs.map((run) => run.conclusion)).toEqual([null, 'failure'])
  })
})

describe('faults', () => {
  const runsAfter = { 'status-before': 0, 'status-after': 1 }

  test.each(['status-before', 'status-after'] as const)('%s answers the status', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({
      kind,
      status: 502,
      message: 'Bad Gateway',
      headers: { 'Retry-After': '7', 'X-RateLimit-Remaining': '0' },
    })
    const reply = await dispatch()
    expect(reply.status).toBe(502)
    expect(reply.json.message).toBe('Bad Gateway')
    expect(reply.headers.get('retry-after')).toBe('7')
    expect(reply.headers.get('x-ratelimit-remaining')).toBe('0')
    expect(simulator.runs).toHaveLength(runsAfter[kind])
    expect(simulator.log).toMatchObject([{ status: 502, fault: kind }])
    expect((await dispatch()).status).toBe(204)
  })

  test.each(['reset-before', 'reset-after'] as const)('%s cuts the connection', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind })
    await expect(dispatch()).rejects.toThrow('fetch failed')
    expect(simulator.runs).toHaveLength(kind === 'reset-after' ? 1 : 0)
    expect(simulator.log).toMatchObject([{ status: 0, fault: kind }])
  })

  test.each(['hang-before', 'hang-after'] as const)('%s never answers', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind })
    await expect(dispatch({}, { signal: AbortSignal.timeout(100) })).rejects.toThrow('timeout')
    expect(simulator.runs).toHaveLength(kind === 'hang-after' ? 1 : 0)
    expect(simulator.log).toMatchObject([{ status: 0, fault: kind }])
  })

  test('late-create never answers and starts the run afterwards, with the newest id', async () => {
    const { simulator, dispatch, start } = await simulatorOf(LONG)
    simulator.fault({ kind: 'late-create', delayMs: 500 })
    await expect(dispatch({}, { signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout')
    const meanwhile = await start({ promotion_id: 'p-2' })
    expect(simulator.runs.map((run) => run.id)).toEqual([meanwhile])
    await eventually(() => simulator.runs.map((run) => run.inputs.promotion_id)).toEqual(['p-2', 'p-1'])
    expect(simulator.runs[1]?.id).toBeGreaterThan(meanwhile)
  })

  test('slow starts the run at once and answers late', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'slow', delayMs: 400 })
    const startedAt = performance.now()
    const reply = dispatch()
    await eventually(() => simulator.runs.length).toBe(1)
    expect(simulator.log[0]?.status).toBe(0)
    expect((await reply).status).toBe(204)
    expect(performance.now() - startedAt).toBeGreaterThan(390)
  })

  test('unreadable starts the run and answers what is no JSON', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'unreadable' })
    const reply = await dispatch({ return_run_details: true }, { odd: true })
    expect(reply.status).toBe(200)
    expect(() => JSON.parse(reply.text)).toThrow()
    expect(simulator.runs).toHaveLength(1)
  })

  test('are taken in order, as often as was said, until they are cleared', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 500, times: 2 })
    simulator.fault({ kind: 'status-before', status: 503, times: Number.POSITIVE_INFINITY })
    const statuses: number[] = []
    for (let n = 0; n < 4; n += 1) statuses.push((await dispatch()).status)
    expect(statuses).toEqual([500, 500, 503, 503])
    simulator.clearFaults()
    expect((await dispatch()).status).toBe(204)
  })

  test.each<[Fault['on'], string]>([
    ['repository', REPO],
    ['workflow', WORKFLOW],
    ['list-runs', `${WORKFLOW}/runs`],
    ['get-run', `${REPO}/actions/runs/7`],
    ['any', '/rate_limit'],
  ])('on %s meet no other request', async (on, path) => {
    const { simulator, dispatch, get } = await simulatorOf()
    if (on !== 'any') simulator.fault({ kind: 'status-before', on, status: 418 })
    expect((await dispatch()).status).toBe(204)
    if (on === 'any') simulator.fault({ kind: 'status-before', on, status: 418 })
    expect((await get(path)).status).toBe(418)
  })

  test('can be meant for one promotion', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', promotionId: 'p-2' })
    expect((await dispatch()).status).toBe(204)
    const met = await dispatch({ inputs: { promotion_id: 'p-2' } })
    expect(met.status).toBe(500)
    expect(met.json.message).toBe('Failed to run workflow dispatch')
  })

  test('a 403 names the missing permission', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 403 })
    const reply = await dispatch()
    expect(reply.json.message).toBe('Resource not accessible by personal access token')
    expect(reply.headers.get('x-accepted-github-permissions')).toBe('actions=write')
  })

  test.each([
    ['text', 'you sent {{authorization}}', 'you sent Bearer s"1'],
    ['an object', { message: 'you sent {{authorization}}' }, '{"message":"you sent Bearer s\\"1"}'],
  ])('echo the authorization in %s', async (_, body, expected) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 500, body })
    expect((await dispatch({}, { token: 's"1', odd: true })).text).toBe(expected)
  })
})

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

describe('the program', () => {
  const MAIN = fileURLToPath(new URL('../github-simulator/main.ts', import.meta.url))

  async function startProgram(...flags: string[]) {
    return startProgramWith({}, ...flags)
  }

  async function startProgramWith(env: Record<string, string>, ...flags: string[]) {
    const child = spawn(process.execPath, [MAIN, ...flags], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    for await (const line of createInterface(child.stdout)) {
      const { simulator, url } = JSON.parse(line)
      expect(simulator).toBe('listening')
      return { child, ...callerOf(url) }
    }
    throw new Error('the program ended without a word')
  }

  async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
    const [code, signal] = await once(child, 'exit')
    return [code, signal]
  }

  test('keeps its flags, ends cleanly on SIGTERM and finds its runs again', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'github-simulator-'))
    onTestFinished(() => rmSync(dataDir, { recursive: true }))
    const flags = [
      '--data-dir',
      dataDir,
      '--run-ms',
      '60000',
      '--queued-ms',
      '0',
      '--no-run-name',
      '--token',
      't-1',
    ]
    const first = await startProgram(...flags)
    expect((await first.dispatch()).status).toBe(401)
    expect((await first.dispatch({}, { token: 't-1' })).status).toBe(204)
    first.child.kill('SIGTERM')
    expect(await exitOf(first.child)).toEqual([0, null])

    const second = await startProgram(...flags, '--mode', 'ghes')
    const { json } = await second.get(`${WORKFLOW}/runs`, { token: 't-1' })
    expect(json.workflow_runs).toMatchObject([{ display_title: 'cd pipeline', status: 'in_progress' }])
    second.child.kill('SIGINT')
    expect(await exitOf(second.child)).toEqual([0, null])
  })

  test('ends with its parent when asked to', async () => {
    const { child } = await startProgram('--exit-with-parent')
    child.stdin.end()
    expect(await exitOf(child)).toEqual([0, null])
  })

  test('tells of its runs, signed with the secret of its environment, and lets them wait for a reviewer', async () => {
    const receiver = await openWebhookReceiver()
    const flags = ['--webhook-url', receiver.url, '--needs-approval', '--queued-ms', '0', '--run-ms', '60000']
    const { start, post } = await startProgramWith({ GITHUB_WEBHOOK_SECRET: SECRET }, ...flags)
    const id = await start()
    await eventually(() => receiver.received).toHaveLength(1)
    await post(`/_simulator/runs/${id}/approve`)
    await eventually(() => receiver.received.map(({ payload }) => payload.action)).toEqual([
      'requested',
      'in_progress',
    ])
    for (const { headers, text } of receiver.received) {
      expect(headers['x-hub-signature-256']).toBe(signatureOf(text, SECRET))
    }
  })

  test('refuses flags that it cannot read', async () => {
    const wrong = [['--port', 'high'], ['--mode', 'gitlab'], ['--webhook-url', 'ftp://x'], ['--unknown']]
    const exits = wrong.map((flags) => exitOf(spawn(process.execPath, [MAIN, ...flags], { stdio: 'ignore' })))
    expect(await Promise.all(exits)).toEqual(wrong.map(() => [2, null]))
  })
})
