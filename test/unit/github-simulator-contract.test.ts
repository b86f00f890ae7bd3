// The simulator held to GitHub's published descriptions, and the relay's client with it. Each call below checks its
// answer against them (test/support/simulator.ts); here is every kind of answer once, in every version.
import { describe, expect, test } from 'vitest'
import { createRedactor } from '../../shared/redact.ts'
import { secretFromValue } from '../../shared/secret.ts'
import { createGithub, type Github } from '../../worker/github/client.ts'
import { tokenCredentials } from '../../worker/github/credentials.ts'
import { createDeadline } from '../../worker/github/deadline.ts'
import { eventProblems, examplePayload } from '../github-simulator/contract/event-contract.ts'
import type { Server } from '../github-simulator/contract/rest-contract.ts'
import type { RunStatus, SimulatorOptions } from '../github-simulator/simulator.ts'
import {
  contractOf,
  DISPATCHES,
  INPUTS,
  LONG,
  REPO,
  type Reply,
  simulatorOf,
  WORKFLOW,
} from '../support/simulator.ts'

const RUNS = `${WORKFLOW}/runs`
const FILE = `${REPO}/contents/.github%2Fworkflows%2Fcd_pipeline.yml`
type Situation = Awaited<ReturnType<typeof simulatorOf>>

describe('every kind of answer is as GitHub describes it:', () => {
  test.each<[status: number, what: string, how: (here: Situation) => Promise<Reply>]>([
    [204, 'a dispatch', ({ dispatch }) => dispatch()],
    [200, 'a dispatch that asks for its run', ({ dispatch }) => dispatch({ return_run_details: true })],
    [400, 'a dispatch that is no JSON', ({ post }) => post(DISPATCHES, { body: '{' })],
    [422, 'a dispatch of an unknown ref', ({ dispatch }) => dispatch({ ref: 'gone' })],
    [422, 'a dispatch with a key of its own', ({ dispatch }) => dispatch({ what: 1 })],
    [404, 'a dispatch to nowhere', ({ post }) => post(`${REPO}/actions/workflows/no.yml/dispatches`)],
    [401, 'no token', ({ get }) => get(REPO, { token: null })],
    [400, 'a version that is none', ({ get }) => get(REPO, { headers: { 'x-github-api-version': '1' } })],
    [200, 'the repository', ({ get }) => get(REPO)],
    [404, 'another repository', ({ get }) => get('/repos/acme/other')],
    [200, 'the workflow', ({ get }) => get(WORKFLOW)],
    [200, 'a file', ({ get }) => get(FILE)],
    [200, 'a file on a ref', ({ get }) => get(`${FILE}?ref=main`)],
    [404, 'a file that is not there', ({ get }) => get(`${REPO}/contents/README.md`)],
    [404, 'a file on a ref that is not there', ({ get }) => get(`${FILE}?ref=gone`)],
    [200, 'runs of the workflow', ({ get }) => get(RUNS)],
    [200, 'runs of the repository', ({ get }) => get(`${REPO}/actions/runs?per_page=1`)],
    [422, 'runs of no date', ({ get }) => get(`${RUNS}?created=yesterday`)],
    [404, 'a run that is not there', ({ get }) => get(`${REPO}/actions/runs/1`)],
    [202, 'a cancellation', ({ post, simulator }) => post(`${pathOfRun(simulator)}/cancel`)],
    [403, 'a re-run of what runs', ({ post, simulator }) => post(`${pathOfRun(simulator)}/rerun`)],
    [200, 'the limit', ({ get }) => get('/rate_limit')],
    [404, 'a path of nothing', ({ get }) => get('/nowhere')],
  ])('%i for %s', async (status, _, how) => {
    const here = await simulatorOf(LONG)
    await here.start()
    expect((await how(here)).status).toBe(status)
  })

  test.each<[status: number, what: string, how: (here: Situation) => Promise<Reply>]>([
    [409, 'a cancellation', ({ post, simulator }) => post(`${pathOfRun(simulator)}/cancel`)],
    [201, 'a re-run', ({ post, simulator }) => post(`${pathOfRun(simulator)}/rerun`)],
  ])('%i for %s of what has completed', async (status, _, how) => {
    const here = await simulatorOf(LONG)
    here.simulator.complete(await here.start())
    expect((await how(here)).status).toBe(status)
    expect((await here.get(pathOfRun(here.simulator))).status).toBe(200)
  })

  test.each<RunStatus>(['requested', 'queued', 'pending', 'waiting', 'in_progress'])(
    'a run that is %s',
    async (status) => {
      const { simulator, start, get } = await simulatorOf(LONG)
      simulator.hold(undefined, status)
      await start()
      expect((await get(pathOfRun(simulator))).json.status).toBe(status)
    },
  )

  test('a run that has not changed', async () => {
    const { get } = await simulatorOf(LONG)
    const etag = (await get(RUNS)).headers.get('etag') ?? ''
    expect((await get(RUNS, { headers: { 'if-none-match': etag } })).status).toBe(304)
  })

  test('a file that the token may not read', async () => {
    const { get } = await simulatorOf({ contentsReadable: false })
    const { status, headers } = await get(FILE)
    expect([status, headers.get('x-accepted-github-permissions')]).toEqual([403, 'contents=read'])
  })

  test('the limit used up', async () => {
    const { get } = await simulatorOf({ rateLimit: 0 })
    expect((await get(REPO)).status).toBe(403)
  })

  test.each([401, 403, 404, 422, 429, 500, 502, 503])('a fault that answers %i', async (status) => {
    const { simulator, dispatch, get } = await simulatorOf()
    simulator.fault({ kind: 'status-before', on: 'any', status, times: 2 })
    expect((await dispatch()).status).toBe(status)
    expect((await get(REPO)).status).toBe(status)
  })

  test.each<[Server, SimulatorOptions['mode'], Record<string, string>, number]>([
    ['2022-11-28', 'github', { 'x-github-api-version': '2022-11-28' }, 204],
    ['2026-03-10', 'github', { 'x-github-api-version': '2026-03-10' }, 200],
    ['ghes-3.19', 'ghes', {}, 204],
  ])('in %s', async (_, mode, headers, dispatched) => {
    const { simulator, get, dispatch, post } = await simulatorOf({ ...LONG, mode, rateLimit: 100 })
    expect((await dispatch({}, { headers })).status).toBe(dispatched)
    for (const path of [REPO, FILE, WORKFLOW, RUNS, pathOfRun(simulator), '/rate_limit']) {
      expect((await get(path, { headers })).status).toBe(200)
    }
    expect((await post(`${pathOfRun(simulator)}/cancel`, { headers })).status).toBe(202)
  })

  test('an Enterprise Server takes ten inputs', async () => {
    const { dispatch } = await simulatorOf({ mode: 'ghes' })
    const inputs = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`i${n}`, '']))
    expect((await dispatch({ inputs: inputs(10) })).status).toBe(204)
    expect((await dispatch({ inputs: inputs(11) })).status).toBe(422)
  })
})

describe('the check itself', () => {
  test('notices a field that is missing, one of another type and one that GitHub does not have', async () => {
    const { simulator, start, get } = await simulatorOf(LONG)
    await start()
    const path = pathOfRun(simulator)
    const { text } = await get(path)
    const problemsWith = (change: object) =>
      contractOf('2022-11-28').answerProblems(
        { method: 'GET', path },
        { status: 200, text: JSON.stringify({ ...JSON.parse(text), ...change }) },
      )
    expect(problemsWith({})).toEqual([])
    expect(problemsWith({ head_sha: undefined })).toEqual(["/ must have required property 'head_sha'"])
    expect(problemsWith({ status: 7 })).toEqual(['/status must be string,null'])
    expect(problemsWith({ inputs: {} })).toEqual(['/ must NOT have additional properties: inputs'])
  })

  test('notices a status, a body and a request that are not described', () => {
    const contract = contractOf('2022-11-28')
    const dispatch = { method: 'POST', path: DISPATCHES }
    const name = 'POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches'
    expect(contract.answerProblems(dispatch, { status: 201, text: '{}' })).toEqual([
      `${name} does not answer 201`,
    ])
    expect(contract.answerProblems(dispatch, { status: 204, text: '{}' })).toEqual(['204 with a body'])
    expect(contractOf('ghes-3.19').answerProblems(dispatch, { status: 200, text: '{}' })).toHaveLength(1)
    expect(contract.requestProblems({ ...dispatch, method: 'PUT' })).toEqual([
      `PUT ${DISPATCHES} is not described`,
    ])
    expect(contract.requestProblems({ method: 'GET', path: `${RUNS}?who=me&per_page=x` })).toEqual([
      'the query who is not described',
      'per_page: / must be integer',
    ])
    expect(contract.requestProblems({ ...dispatch, body: { inputs: {} } })).toEqual([
      "/ must have required property 'ref'",
    ])
  })

  test('finds the published examples of events as described, but for what one of them is too old for', () => {
    const payloadProblems = (action: 'requested' | 'completed') =>
      eventProblems(action, { headers: {}, payload: examplePayload(action) }).filter((one) =>
        one.startsWith('/'),
      )
    expect(payloadProblems('requested')).toEqual([])
    expect(payloadProblems('completed')).toEqual(
      ['actor', 'path', 'triggering_actor'].map(
        (name) => `/workflow_run must have required property '${name}'`,
      ),
    )
  })
})

describe("every request of the relay's client is one that GitHub describes", () => {
  const REPOSITORY = { owner: 'acme', name: 'models' }
  type Call = (github: Github, runId: string) => Promise<unknown>

  const dispatched = (github: Github, noRunDetails = false) =>
    github.dispatch({
      repository: REPOSITORY,
      workflow: 'cd_pipeline.yml',
      ref: 'main',
      inputs: INPUTS,
      adjustments: { droppedInputs: [], noRunDetails, noApiVersion: false },
      sendBefore: createDeadline(10_000),
    })
  /** All of the client's calls: the compiler asks for those to come. */
  const CALLS: Record<keyof Github, Call> = {
    dispatch: (github) => dispatched(github),
    repositoryReadable: (github) => github.repositoryReadable(REPOSITORY),
    getRun: (github, runId) => github.getRun(REPOSITORY, runId),
    listRuns: (github) => github.listRuns(REPOSITORY, 'cd_pipeline.yml', Date.now()),
    readRepository: (github) => github.readRepository(REPOSITORY),
    readWorkflow: (github) => github.readWorkflow(REPOSITORY, 'cd_pipeline.yml'),
    readFile: (github) => github.readFile(REPOSITORY, '.github/workflows/cd_pipeline.yml', 'main'),
    repositoryState: (github) => github.repositoryState(REPOSITORY),
    workflowState: (github) => github.workflowState(REPOSITORY, 'cd_pipeline.yml'),
    cancelRun: (github, runId) => github.cancelRun(REPOSITORY, runId),
  }

  test.each(Object.entries(CALLS))('%s', async (_, call) => {
    const here = await simulatorOf(LONG)
    const runId = String(await here.start())
    await requestsAreDescribed(here, '2022-11-28', (github) => call(github, runId))
  })

  test.each<[Server, SimulatorOptions['mode']]>([
    ['2026-03-10', 'github'],
    ['ghes-3.19', 'ghes'],
  ])('a dispatch to %s, which has refused return_run_details', async (server, mode) => {
    const here = await simulatorOf({ ...LONG, mode })
    await requestsAreDescribed(here, server, (github) => dispatched(github, true))
  })

  async function requestsAreDescribed(
    { simulator }: Situation,
    server: Server,
    call: (github: Github) => Promise<unknown>,
  ) {
    const token = secretFromValue('GITHUB_TOKEN', 'ghp_0001')
    const apiVersion = server === '2026-03-10' ? server : '2022-11-28'
    const redact = createRedactor([token])
    const before = simulator.log.length
    const credentials = tokenCredentials(token, redact)
    await call(createGithub({ credentials, baseUrl: simulator.url, apiVersion, redact }))
    const asked = simulator.log.slice(before)
    expect(asked).not.toHaveLength(0)
    for (const { method, path, body, status } of asked) {
      expect(contractOf(server).requestProblems({ method, path, body })).toEqual([])
      expect(status).toBeLessThan(300)
    }
  }
})

function pathOfRun({ runs }: Situation['simulator']): string {
  return `${REPO}/actions/runs/${runs[0]?.id}`
}
