/**
 * The adapter to GitHub: the only file that imports octokit. It turns calls into plain answers, redacted, and
 * judges nothing: what an answer means is said in `dispatch/outcome.ts`. No retry and no throttling below us.
 * Contracts: GitHub's REST description of Actions workflows and workflow runs.
 */
import { Octokit } from '@octokit/rest'
import { type Redact, redactDeep } from '../../shared/redact.ts'
import type { Secret } from '../../shared/secret.ts'
import type { Deadline } from './deadline.ts'
import { SendError, sendOnce } from './send-once.ts'

export interface Repository {
  owner: string
  name: string
}

/** What a server or a workflow has refused before and is not sent again. */
export interface Adjustments {
  /** Inputs that the workflow does not declare. */
  droppedInputs: readonly string[]
  /** The server does not know `return_run_details`. */
  noRunDetails: boolean
  /** The server refuses our API version header. */
  noApiVersion: boolean
}

export interface DispatchCall {
  repository: Repository
  workflow: string
  ref: string
  inputs: Readonly<Record<string, string>>
  adjustments: Adjustments
  sendBefore: Deadline
  signal?: AbortSignal | undefined
}

export type DispatchAnswer =
  | {
      kind: 'answered'
      status: number
      /** Parsed JSON, or text where it is none; redacted. */
      body: unknown
      headers: Readonly<Record<string, string>>
      /** Asked after a 404 only: can we read the repository? undefined if that could not be told. */
      repositoryReadable?: boolean | undefined
    }
  /** Nothing was handed to the network. */
  | { kind: 'not_sent'; code: string; message: string }
  /** Sent, and no answer came. */
  | { kind: 'no_answer'; code: string; message: string }

export interface Run {
  id: string
  htmlUrl: string
  displayTitle: string
  /** '' where GitHub does not tell it. */
  status: string
  conclusion: string
  runAttempt: number
  /** ms since the epoch, GitHub's clock, whole seconds. */
  createdAt: number
}

export type RunAnswer =
  | { kind: 'run'; run: Run }
  | { kind: 'gone' }
  /** Not told now: ask again later. */
  | { kind: 'unavailable'; message: string }

/** `complete`: every run of the asked time is in it. */
export type RunsAnswer =
  | { kind: 'runs'; runs: Run[]; complete: boolean }
  | { kind: 'unavailable'; message: string }

/** Whether something can be used, as far as reading tells. */
export type Usable = { ok: true } | { ok: false; detail: string }

export interface GithubOptions {
  token: Secret
  baseUrl: string
  apiVersion: string
  redact: Redact
  /** Time limit for the answer to a dispatch, ms. */
  dispatchTimeoutMs?: number
  /** Time limit for every other answer, ms. */
  readTimeoutMs?: number
}

export type Github = ReturnType<typeof createGithub>

const DISPATCH_TIMEOUT_MS = 30_000
const READ_TIMEOUT_MS = 10_000
const PAGE_SIZE = 100
/** Of what GitHub says, as much goes into a reason. */
const LONGEST_MESSAGE = 200
/** GitHub lists 1,000 results at most. */
const MOST_PAGES = 10
const ACCEPT = 'application/vnd.github+json'

export function createGithub(options: GithubOptions) {
  const { baseUrl, redact } = options
  const { dispatchTimeoutMs = DISPATCH_TIMEOUT_MS, readTimeoutMs = READ_TIMEOUT_MS } = options
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  // Twice: what an answer's `deprecation` header has octokit say goes to the request's own log, else to the console.
  const octokit = new Octokit({ baseUrl, userAgent: 'promotion-relay', log, request: { log } })
  // A lone surrogate, which JSON may carry, is refused by Redis's JSON reader: the outcome could not be recorded.
  const clean: Redact = (text) => redact(text).toWellFormed()

  const headers = (withVersion = true) => ({
    accept: ACCEPT,
    authorization: `Bearer ${currentToken()}`,
    ...(withVersion ? { 'x-github-api-version': options.apiVersion } : {}),
  })

  /** @throws SendError CREDENTIALS where there is none to send: a file being replaced, say. */
  function currentToken(): string {
    let token: string
    try {
      token = options.token.read()
    } catch (cause) {
      const { code = 'unknown fault' } = cause as NodeJS.ErrnoException
      throw new SendError('CREDENTIALS', `${options.token.name} can't be read: ${code}`, { cause })
    }
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new SendError('CREDENTIALS', `${options.token.name} is empty or holds what no token holds`)
    }
    // So that this value is known as a secret, also when the file holds another once the answer comes.
    redact('')
    return token
  }

  // Where the server refuses our API version it refuses it on every route, with a 400.
  let versionRefused = false
  async function read(route: string, parameters: Record<string, unknown>): Promise<Answer> {
    const answer = await answerOf(() =>
      octokit.request(route, {
        ...parameters,
        headers: headers(!versionRefused),
        request: { signal: AbortSignal.timeout(readTimeoutMs) },
      }),
    )
    if (versionRefused || answer.kind === 'failed' || answer.status !== 400) return answer
    versionRefused = true
    return read(route, parameters)
  }

  return {
    /** The one POST. Never throws for what GitHub or the network does. */
    async dispatch(call: DispatchCall): Promise<DispatchAnswer> {
      const { repository, workflow, ref, adjustments, sendBefore, signal } = call
      const sending = sendOnce({ sendBefore, answerWithinMs: dispatchTimeoutMs, signal })
      const inputs = Object.fromEntries(
        Object.entries(call.inputs).filter(([name]) => !adjustments.droppedInputs.includes(name)),
      )
      const answer = await answerOf(() =>
        octokit.request('POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches', {
          owner: repository.owner,
          repo: repository.name,
          workflow_id: workflow,
          ref,
          inputs,
          ...(adjustments.noRunDetails ? {} : { return_run_details: true }),
          headers: headers(!adjustments.noApiVersion),
          request: { fetch: sending.fetch },
        }),
      )
      if (answer.kind === 'failed') {
        return { kind: sending.sent() ? 'no_answer' : 'not_sent', code: answer.code, message: answer.message }
      }
      const cleaned = { ...answer, body: redactDeep(answer.body, clean) }
      if (answer.status !== 404) return cleaned
      return { ...cleaned, repositoryReadable: await repositoryReadable(repository) }
    },

    repositoryReadable,

    async getRun({ owner, name }: Repository, runId: string): Promise<RunAnswer> {
      const answer = await read('GET /repos/{owner}/{repo}/actions/runs/{run_id}', {
        owner,
        repo: name,
        run_id: runId,
      })
      if (answer.kind === 'answered' && answer.status === 404) return { kind: 'gone' }
      if (answer.kind === 'failed' || answer.status !== 200)
        return { kind: 'unavailable', message: wordsOf(answer) }
      const run = runFrom(answer.body, clean)
      return run && run.status !== ''
        ? { kind: 'run', run }
        : { kind: 'unavailable', message: 'the answer can not be read' }
    },

    /** Runs of the workflow created since a time (ms since the epoch), newest first. */
    async listRuns({ owner, name }: Repository, workflow: string, sinceMs: number): Promise<RunsAnswer> {
      const since = new Date(Math.floor(sinceMs / 1000) * 1000).toISOString().replace('.000Z', 'Z')
      const runs: Run[] = []
      let unreadable = 0
      for (let page = 1; page <= MOST_PAGES; page++) {
        const answer = await read('GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs', {
          owner,
          repo: name,
          workflow_id: workflow,
          event: 'workflow_dispatch',
          created: `>=${since}`,
          per_page: PAGE_SIZE,
          page,
        })
        const list =
          answer.kind === 'answered' ? (answer.body as { workflow_runs?: unknown } | null) : undefined
        if (answer.kind === 'failed' || answer.status !== 200 || !Array.isArray(list?.workflow_runs)) {
          return { kind: 'unavailable', message: wordsOf(answer) }
        }
        const readable = list.workflow_runs.flatMap((run: unknown) => runFrom(run, clean) ?? [])
        runs.push(...readable)
        unreadable += list.workflow_runs.length - readable.length
        if (list.workflow_runs.length < PAGE_SIZE) return { kind: 'runs', runs, complete: unreadable === 0 }
      }
      return { kind: 'runs', runs, complete: false }
    },

    async repositoryState({ owner, name }: Repository): Promise<Usable> {
      const answer = await read('GET /repos/{owner}/{repo}', { owner, repo: name })
      return answer.kind === 'answered' && answer.status === 200
        ? { ok: true }
        : { ok: false, detail: wordsOf(answer) }
    },

    async workflowState({ owner, name }: Repository, workflow: string): Promise<Usable> {
      const answer = await read('GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}', {
        owner,
        repo: name,
        workflow_id: workflow,
      })
      if (answer.kind === 'failed' || answer.status !== 200) return { ok: false, detail: wordsOf(answer) }
      const { state } = (answer.body ?? {}) as { state?: unknown }
      return state === 'active'
        ? { ok: true }
        : { ok: false, detail: clean(`the workflow is ${String(state)}`) }
    },

    /** Asks GitHub to end a run. False where it could not be asked. */
    async cancelRun({ owner, name }: Repository, runId: string): Promise<boolean> {
      const answer = await read('POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel', {
        owner,
        repo: name,
        run_id: runId,
      })
      return answer.kind === 'answered' && (answer.status === 202 || answer.status === 409)
    },
  }

  /** undefined where it could not be told. */
  async function repositoryReadable({ owner, name }: Repository): Promise<boolean | undefined> {
    const answer = await read('GET /repos/{owner}/{repo}', { owner, repo: name })
    if (answer.kind === 'failed' || answer.status >= 500 || answer.status === 429) return undefined
    return answer.status === 200
  }

  type Answer =
    | Extract<DispatchAnswer, { kind: 'answered' }>
    | { kind: 'failed'; code: string; message: string }

  /** Octokit throws for 4xx and 5xx and for a broken network alike: `response` tells them apart. */
  async function answerOf(
    request: () => Promise<{ status: number; data: unknown; headers: object }>,
  ): Promise<Answer> {
    try {
      const { status, data, headers: received } = await request()
      return answered(status, data, received)
    } catch (error) {
      const { response } = error as { response?: { status: number; data: unknown; headers: object } }
      if (response) return answered(response.status, response.data, response.headers)
      return { kind: 'failed', ...faultOf(error) }
    }
  }

  function answered(status: number, body: unknown, received: object): Answer {
    const plain = Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)]))
    // A page of runs is a megabyte: what is taken from a body is redacted as it is taken.
    return { kind: 'answered', status, body, headers: redactDeep(plain, clean) }
  }

  function faultOf(error: unknown): { code: string; message: string } {
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      const { code } = at as { code?: unknown }
      if (at instanceof SendError || (typeof code === 'string' && code !== '')) {
        return { code: String(code), message: redact(at.message) }
      }
    }
    return { code: 'NETWORK', message: redact(error instanceof Error ? error.message : String(error)) }
  }

  function wordsOf(answer: Answer): string {
    if (answer.kind === 'failed') return answer.message
    const { message } = (answer.body ?? {}) as { message?: unknown }
    const said =
      typeof message === 'string' && message !== '' ? `: ${clean(message).slice(0, LONGEST_MESSAGE)}` : ''
    return `GitHub answered ${answer.status}${said}`.toWellFormed()
  }
}

function runFrom(value: unknown, clean: Redact): Run | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const run = value as Record<string, unknown>
  const text = (name: string) => (typeof run[name] === 'string' ? clean(run[name] as string) : '')
  if (!Number.isSafeInteger(run.id)) return undefined
  return {
    id: String(run.id),
    // It is shown as a link on pages.
    htmlUrl: /^https?:\/\//.test(text('html_url')) ? text('html_url') : '',
    displayTitle: text('display_title'),
    status: text('status'),
    conclusion: text('conclusion'),
    runAttempt: typeof run.run_attempt === 'number' ? run.run_attempt : 1,
    createdAt: Date.parse(text('created_at')),
  }
}
