// The simulator's dispatch over real HTTP, in both API versions and on an Enterprise Server: what is taken, and in
// which words the rest is refused. And what every answer carries.
import { describe, expect, test } from 'vitest'
import type { SimulatorOptions } from '../github-simulator/simulator.ts'
import {
  type Ask,
  DISPATCHES,
  eventually,
  INPUTS,
  REPO,
  simulatorOf,
  WORKFLOW,
} from '../support/simulator.ts'

const NEWER = { 'x-github-api-version': '2026-03-10' }

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
