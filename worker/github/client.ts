/**
 * The adapter to GitHub: all calls but the one for a token of a GitHub App (app-credentials.ts). It turns them into
 * plain answers, redacted, and judges nothing: what an answer means is said in `dispatch/outcome.ts`. No retry and no
 * throttling below us; a read that is answered 401 is asked once more where another token is at hand by then.
 * Contracts: GitHub's REST description of Actions workflows and workflow runs.
 */
import { Octokit } from '@octokit/rest'
import type { Redact } from '../../shared/redact.ts'
import { type Answer, type Answered, answerOf, faultOf, wordsOf } from './answer.ts'
import { type Credentials, TokenRefused } from './credentials.ts'
import type { Deadline } from './deadline.ts'
import { refusalToSend, type SendLimits, sendOnce } from './send-once.ts'

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
  | (Answered & {
      /** Asked after a 404 only: can we read the repository? undefined if that could not be told. */
      repositoryReadable?: boolean | undefined
      /** Asked after a 401 only: is another token at hand now than the one that was refused? */
      anotherToken?: boolean
    })
  /** Nothing was handed to the network. */
  | { kind: 'not_sent'; code: string; message: string }
  /** Nor then: GitHub was asked for a token of the App, gave none and answered this. */
  | (Omit<Answered, 'kind'> & { kind: 'no_token' })
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
  /** When GitHub last changed it, ms since the epoch, whole seconds; 0 where it is not told. */
  updatedAt: number
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
  credentials: Credentials
  baseUrl: string
  apiVersion: string
  redact: Redact
  /** Told of every answer. */
  observe?(answer: { status: number; headers: Readonly<Record<string, string>> }): void
  /** Time limit for the answer to a dispatch, ms. */
  dispatchTimeoutMs?: number
  /** Time limit for every other answer, ms. */
  readTimeoutMs?: number
}

export type Github = ReturnType<typeof createGithub>

const DISPATCH_TIMEOUT_MS = 30_000
const READ_TIMEOUT_MS = 10_000
const PAGE_SIZE = 100
/** GitHub lists 1,000 results at most. */
const MOST_PAGES = 10
const MOST_REMEMBERED = 1_000
const WORKFLOW = 'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}'
const ACCEPT = 'application/vnd.github+json'

export function createGithub(options: GithubOptions) {
  const { baseUrl, credentials, redact } = options
  const { dispatchTimeoutMs = DISPATCH_TIMEOUT_MS, readTimeoutMs = READ_TIMEOUT_MS } = options
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  // Twice: what an answer's `deprecation` header has octokit say goes to the request's own log, else to the console.
  const octokit = new Octokit({ baseUrl, userAgent: 'promotion-relay', log, request: { log } })

  // A lone surrogate, which JSON may carry, is refused by Redis's JSON reader.
  const clean: Redact = (text) => redact(text).toWellFormed()

  const headers = (token: string, withVersion: boolean) => ({
    accept: ACCEPT,
    authorization: `Bearer ${token}`,
    ...(withVersion ? { 'x-github-api-version': options.apiVersion } : {}),
  })

  async function observed(
    request: Parameters<typeof answerOf>[0],
    body?: Parameters<typeof answerOf>[2],
  ): Promise<Answer> {
    const answer = await answerOf(request, redact, body)
    if (answer.kind === 'answered') options.observe?.(answer)
    return answer
  }

  /** Runs that go on, for conditional requests: a 304 costs nothing of the rate limit. */
  const lastSeen = new Map<string, { etag: string; run: Run }>()

  // Where the server refuses our API version it refuses it on every route, with a 400.
  let versionRefused = false
  /** Within one limit, the wait for a token and asking once more included. */
  async function read(
    route: string,
    parameters: Record<string, unknown>,
    { signal = AbortSignal.timeout(readTimeoutMs), askedBefore = false, etag = '' } = {},
  ): Promise<Answer> {
    let token: string
    try {
      token = await credentials.token(signal)
    } catch (error) {
      return { kind: 'failed', ...faultOf(error, redact) }
    }
    const withVersion = !versionRefused
    const answer = await observed(
      () =>
        octokit.request(route, {
          ...parameters,
          headers: { ...headers(token, withVersion), ...(etag === '' ? {} : { 'if-none-match': etag }) },
          request: { signal },
        }),
      'as_taken',
    )
    if (answer.kind === 'failed') return answer
    if (answer.status === 400 && withVersion) {
      versionRefused = true
      return read(route, parameters, { signal, askedBefore, etag })
    }
    if (answer.status === 401 && (await credentials.refused(token, signal)) && !askedBefore)
      return read(route, parameters, { signal, askedBefore: true, etag })
    return answer
  }

  return {
    /** The one POST. Never throws for what GitHub or the network does. */
    async dispatch(call: DispatchCall): Promise<DispatchAnswer> {
      const { repository, workflow, ref, adjustments, sendBefore, signal } = call
      const token = await tokenToSend({ sendBefore, signal })
      if (typeof token !== 'string') return token
      const sending = sendOnce({ sendBefore, answerWithinMs: dispatchTimeoutMs, signal })
      const inputs = Object.fromEntries(
        Object.entries(call.inputs).filter(([name]) => !adjustments.droppedInputs.includes(name)),
      )
      const answer = await observed(() =>
        octokit.request('POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches', {
          owner: repository.owner,
          repo: repository.name,
          workflow_id: workflow,
          ref,
          inputs,
          ...(adjustments.noRunDetails ? {} : { return_run_details: true }),
          headers: headers(token, !adjustments.noApiVersion),
          request: { fetch: sending.fetch },
        }),
      )
      if (answer.kind === 'failed') {
        return { kind: sending.sent() ? 'no_answer' : 'not_sent', code: answer.code, message: answer.message }
      }
      if (answer.status === 401) {
        return {
          ...answer,
          anotherToken: await credentials.refused(token, AbortSignal.timeout(readTimeoutMs)),
        }
      }
      if (answer.status < 500) credentials.known(token)
      if (answer.status !== 404) return answer
      return { ...answer, repositoryReadable: await repositoryReadable(repository) }
    },

    repositoryReadable,

    /** For a diagnosis: GitHub's answers as they are. Of the repository, whose headers tell of the credentials too, */
    readRepository: ({ owner, name }: Repository): Promise<Answer> =>
      read('GET /repos/{owner}/{repo}', { owner, repo: name }),

    /** of a workflow, by its file, */
    readWorkflow: ({ owner, name }: Repository, workflow: string): Promise<Answer> =>
      read(WORKFLOW, { owner, repo: name, workflow_id: workflow }),

    /** and of a file on a branch or tag, in base64. */
    readFile: ({ owner, name }: Repository, path: string, ref: string): Promise<Answer> =>
      read('GET /repos/{owner}/{repo}/contents/{path}', { owner, repo: name, path, ref }),

    async getRun({ owner, name }: Repository, runId: string): Promise<RunAnswer> {
      const place = `${owner}/${name}/${runId}`
      const before = lastSeen.get(place)
      const answer = await read(
        'GET /repos/{owner}/{repo}/actions/runs/{run_id}',
        { owner, repo: name, run_id: runId },
        before,
      )
      if (answer.kind === 'answered' && answer.status === 304 && before)
        return { kind: 'run', run: before.run }
      lastSeen.delete(place)
      if (answer.kind === 'answered' && answer.status === 404) return { kind: 'gone' }
      if (answer.kind === 'failed' || answer.status !== 200)
        return { kind: 'unavailable', message: clean(wordsOf(answer)) }
      const run = runFrom(answer.body, clean)
      const { etag } = answer.headers
      if (run && etag && run.status !== 'completed') remember(place, { etag, run })
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
          return { kind: 'unavailable', message: clean(wordsOf(answer)) }
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
        : { ok: false, detail: clean(wordsOf(answer)) }
    },

    async workflowState({ owner, name }: Repository, workflow: string): Promise<Usable> {
      const answer = await read(WORKFLOW, { owner, repo: name, workflow_id: workflow })
      if (answer.kind === 'failed' || answer.status !== 200)
        return { ok: false, detail: clean(wordsOf(answer)) }
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

  function remember(place: string, seen: { etag: string; run: Run }) {
    const [oldest] = lastSeen.keys()
    if (lastSeen.size >= MOST_REMEMBERED && oldest !== undefined) lastSeen.delete(oldest)
    lastSeen.set(place, seen)
  }

  /** undefined where it could not be told. */
  async function repositoryReadable({ owner, name }: Repository): Promise<boolean | undefined> {
    const answer = await read('GET /repos/{owner}/{repo}', { owner, repo: name })
    if (answer.kind === 'failed' || answer.status >= 500 || answer.status === 429) return undefined
    return answer.status === 200
  }

  /** Waits for it no longer than something may be sent. */
  async function tokenToSend(limits: Omit<SendLimits, 'answerWithinMs'>): Promise<string | DispatchAnswer> {
    const { sendBefore, signal } = limits
    const tooLate = refusalToSend(limits)
    if (tooLate) return { kind: 'not_sent', code: tooLate.code, message: tooLate.message }
    const deadline = AbortSignal.timeout(Math.ceil(sendBefore.leftMs()))
    try {
      return await credentials.token(signal ? AbortSignal.any([signal, deadline]) : deadline)
    } catch (error) {
      if (error instanceof TokenRefused) return { ...error.answer, kind: 'no_token' }
      const fault = signal?.aborted ? refusalToSend(limits) : undefined
      return { kind: 'not_sent', ...faultOf(fault ?? error, redact) }
    }
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
    updatedAt: Date.parse(text('updated_at')) || 0,
  }
}
