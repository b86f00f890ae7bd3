/**
 * A simulator of a test's own, and a caller of its API that holds every answer against what GitHub publishes of it.
 */
import { expect, onTestFinished } from 'vitest'
import { type RestContract, restContract, type Server } from '../github-simulator/contract/rest-contract.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'

export const REPO = '/repos/acme/models'
export const WORKFLOW = `${REPO}/actions/workflows/cd_pipeline.yml`
export const DISPATCHES = `${WORKFLOW}/dispatches`
export const INPUTS = { model_name: 'fraud-detector', model_version: '5', promotion_id: 'p-1' }
/** Runs that are in progress at once and stay so. */
export const LONG: SimulatorOptions = { queuedMs: 0, runMs: 60_000 }

/** What the tests read of an answer's body, whichever it is. */
interface Body {
  message: string
  errors: string
  workflow_run_id: number
  run_url: string
  total_count: number
  workflow_runs: { id: number }[]
  rate: object
  resources: object
  id: number
  status: string
  head_branch: string
  head_sha: string
  created_at: string
  actor: { login: string }
}

export interface Reply {
  status: number
  headers: Headers
  text: string
  json: Body
}

export interface Ask {
  body?: unknown
  headers?: Record<string, string>
  token?: string | null
  signal?: AbortSignal
  /** The answer is meant to be none of GitHub's. */
  odd?: true
}

export async function simulatorOf(
  options: SimulatorOptions = {},
): Promise<{ simulator: Simulator } & ReturnType<typeof callerOf>> {
  const simulator = await startSimulator(options)
  onTestFinished(() => simulator.close())
  return { simulator, ...callerOf(simulator.url, options.mode) }
}

/** Polls closely, and long enough for a busy machine. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { interval: 10, timeout: 10_000 })
}

export function callerOf(url: string, mode: SimulatorOptions['mode'] = 'github') {
  async function ask(method: string, path: string, asked: Ask = {}) {
    const { body, headers = {}, token = 'secret-1', signal, odd } = asked
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
    const text = await response.text()
    const { status } = response
    if (!odd && isOfApi(path)) {
      const server = mode === 'ghes' ? 'ghes-3.19' : serverOf(headers['x-github-api-version'])
      const known = { method, path: path.replace(/^\/api\/v3/, '') }
      const problems = contractOf(server).answerProblems(known, { status, text })
      expect(problems, `GitHub's description of ${method} ${path} ${status}`).toEqual([])
    }
    const isJson = response.headers.get('content-type')?.includes('json') && text !== ''
    return { status, headers: response.headers, text, json: (isJson ? parsed(text) : undefined) as Body }
  }
  const get = (path: string, more?: Ask): Promise<Reply> => ask('GET', path, more)
  const post = (path: string, more?: Ask): Promise<Reply> => ask('POST', path, more)
  const dispatch = (body: object = {}, more?: Ask) =>
    post(DISPATCHES, { ...more, body: { ref: 'main', inputs: INPUTS, ...body } })
  /** Starts a run and gives its id. */
  const start = async (inputs: Record<string, string> = INPUTS): Promise<number> =>
    (await dispatch({ inputs, return_run_details: true })).json.workflow_run_id
  return { ask, get, post, dispatch, start }
}

const contracts = new Map<Server, RestContract>([['2022-11-28', restContract('2022-11-28')]])

export function contractOf(server: Server): RestContract {
  const contract = contracts.get(server) ?? restContract(server)
  contracts.set(server, contract)
  return contract
}

/** A version that does not exist is refused as the older one refuses. */
function serverOf(version = '2022-11-28'): Server {
  return version === '2026-03-10' ? version : '2022-11-28'
}

/** The steering and the pages are no part of GitHub's API. */
function isOfApi(path: string): boolean {
  return /^(\/api\/v3)?\/(repos|app|rate_limit|nowhere)/.test(path)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
