// GitHub's answer to one request of its API: authentication, version and limit first, then the operation.
// The only effects are in the book of runs; connections, faults and the log are left to the receiver.
import { createHash } from 'node:crypto'
import type { Addresses } from './addresses.ts'
import type { Answer } from './answer.ts'
import { empty, json, parsedJson, refusal } from './answer.ts'
import type { ApiRoute } from './api-route.ts'
import { type ApiVersion, supportedVersions, versionError } from './api-version.ts'
import { type AppInstallation, tokenOf } from './app-installation.ts'
import { dispatchAnswer } from './dispatch-answer.ts'
import type { RateLimit } from './rate-limit.ts'
import { fullRepository } from './repository-object.ts'
import type { RunBook } from './run-book.ts'
import { listRuns, pageLinks } from './run-listing.ts'
import { bareRunObject, runObject, runPageUrl, workflowObject } from './run-object.ts'
import { type Settings, type Workflow, workflowOf } from './settings.ts'
import type { SimulatedRun } from './simulated-run.ts'
import { contentObject, pathOf } from './workflow-content.ts'

export interface ApiRequest {
  route: ApiRoute
  path: string
  query: URLSearchParams
  headers: Readonly<Record<string, string | string[] | undefined>>
  rawBody: string
  at: Addresses
  /** A dispatch starts its run only after this time. */
  createAfterMs?: number
}

export type ApiAnswer = Answer & { runId?: number }

export interface ApiWorld {
  settings: Settings
  book: RunBook
  rateLimit: RateLimit
  installation: AppInstallation | undefined
  now: () => number
}

export function apiAnswer(request: ApiRequest, world: ApiWorld): ApiAnswer {
  const { settings, rateLimit } = world
  const { authorization } = request.headers
  if (request.route.operation === 'access-token') return accessToken(request, world)
  if (authorization === undefined) return refusal(401, 'Requires authentication')
  const refused = refusedToken(tokenOf(authorization), world)
  if (refused) return refused
  const asked = request.headers['x-github-api-version'] ?? '2022-11-28'
  const version = supportedVersions(settings).find((known) => known === asked)
  if (!version) return refusal(400, 'Bad Request', { errors: versionError(String(asked), settings) })

  if (request.route.operation === 'rate-limit') return rateLimitAnswer(rateLimit, version)
  if (!rateLimit.spend()) {
    return refusal(403, 'API rate limit exceeded for user ID 1.')
  }
  const answer = operationAnswer(request, world, version)
  const tagged = request.route.operation === 'unknown' ? answer : withETag(answer, request)
  if (tagged.status === 304) rateLimit.refund()
  return { ...tagged, headers: { 'x-github-api-version-selected': version, ...tagged.headers } }
}

/** undefined where the token is taken. */
function refusedToken(token: string, { settings, installation }: ApiWorld): Answer | undefined {
  if (token !== '' && token === settings.token) return undefined
  const ofApp = installation?.judge(token)
  if (ofApp === 'suspended') return refusal(403, 'This installation has been suspended')
  const any = settings.token === undefined && installation === undefined
  return ofApp === 'good' || (any && token !== '') ? undefined : refusal(401, 'Bad credentials')
}

function accessToken({ route, headers }: ApiRequest, { installation }: ApiWorld): Answer {
  const jwt = tokenOf(headers.authorization)
  return installation?.issue(jwt, route.installationId) ?? refusal(404, 'Integration not found')
}

function operationAnswer(request: ApiRequest, world: ApiWorld, version: ApiVersion): ApiAnswer {
  const { settings, book } = world
  const { operation, owner, repo, runId } = request.route
  const known = same(owner, settings.owner) && same(repo, settings.repo)
  if (operation === 'unknown' || !known) return refusal(404, 'Not Found')
  if (operation === 'repository') return json(200, fullRepository(settings, request.at))

  if (operation === 'contents') return contents(request, settings)

  const workflow = settings.workflows.find((one) => isNamed(one, request.route.workflow))
  if (request.route.workflow !== undefined && !workflow) return refusal(404, 'Not Found')
  if (operation === 'dispatch' && workflow) return dispatch(request, world, workflow, version)
  if (operation === 'workflow' && workflow) return json(200, workflowObject(workflow, settings, request.at))
  if (operation === 'list-runs') return listing(request, world, workflow)

  const run = runId === undefined ? undefined : book.find(runId)
  if (!run || world.now() < run.createdAt + settings.getDelayMs) return refusal(404, 'Not Found')
  if (operation === 'cancel') return cancel(run, book)
  if (operation === 'rerun') return rerun(run, book, settings)
  return json(200, shown(run, settings, request.at))
}

function contents({ route, query, at }: ApiRequest, settings: Settings): Answer {
  if (!settings.contentsReadable) return refusal(403, 'Resource not accessible by personal access token')
  const ref = query.get('ref') ?? 'main'
  const refs = settings.workflows.flatMap((one) => one.refs)
  if (!refs.includes(ref)) return refusal(404, `No commit found for the ref ${ref}`)
  const workflow = settings.workflows.find((one) => one.refs.includes(ref) && pathOf(one) === route.file)
  return workflow ? json(200, contentObject(workflow, ref, settings, at)) : refusal(404, 'Not Found')
}

function dispatch(
  request: ApiRequest,
  { settings, book }: ApiWorld,
  workflow: Workflow,
  apiVersion: ApiVersion,
): ApiAnswer {
  const body = request.rawBody === '' ? {} : parsedJson(request.rawBody)
  if (body === undefined) return refusal(400, 'Problems parsing JSON')
  const verdict = dispatchAnswer({ body, workflow, mode: settings.mode, apiVersion })
  if (!verdict.taken) return refusal(verdict.status, verdict.message)
  if (request.createAfterMs !== undefined) {
    book.createLater(workflow, verdict.ref, verdict.inputs, request.createAfterMs)
    return empty(204)
  }
  const runId = book.create(workflow, verdict.ref, verdict.inputs)
  if (!verdict.tellsRun) return { ...empty(204), runId }
  const runUrl = `${request.at.api}/repos/${settings.owner}/${settings.repo}/actions/runs/${runId}`
  const details = {
    workflow_run_id: runId,
    run_url: runUrl,
    html_url: runPageUrl(runId, settings, request.at),
  }
  return { ...json(200, details), runId }
}

function listing(
  request: ApiRequest,
  { settings, book, now }: ApiWorld,
  workflow: Workflow | undefined,
): Answer {
  const listed = book
    .all()
    .filter((run) => !workflow || run.workflow === workflow.file)
    .filter((run) => run.createdAt + settings.listDelayMs <= now())
  const page = listRuns(listed, request.query)
  if (!page) return refusal(422, 'Validation Failed', { errors: ['created is not a date'] })
  const links = pageLinks(`${request.at.pages}${request.path}`, request.query, page)
  const runs = page.runs.map((run) => shown(run, settings, request.at))
  return json(200, { total_count: page.totalCount, workflow_runs: runs }, links ? { link: links } : {})
}

function cancel(run: SimulatedRun, book: RunBook): Answer {
  if (run.status === 'completed') return refusal(409, 'Cannot cancel a workflow run that is completed.')
  book.cancel(run.id)
  return json(202, {})
}

function rerun(run: SimulatedRun, book: RunBook, settings: Settings): Answer {
  if (run.status !== 'completed') return refusal(403, 'This workflow is already running')
  book.rerun(run.id, workflowOf(run, settings))
  return json(201, {})
}

function shown(run: SimulatedRun, settings: Settings, at: Addresses) {
  if (settings.bareRuns) return bareRunObject(run, settings, at)
  return runObject(run, workflowOf(run, settings), settings, at)
}

function rateLimitAnswer(rateLimit: RateLimit, version: ApiVersion): Answer {
  const core = rateLimit.state()
  if (!core) return refusal(404, 'Rate limiting is not enabled.')
  const search = { ...core, limit: 30, used: 0, remaining: 30 }
  return json(200, { resources: { core, search }, ...(version === '2026-03-10' ? {} : { rate: core }) })
}

function withETag(answer: ApiAnswer, request: ApiRequest): ApiAnswer {
  if (answer.status !== 200 || request.route.operation === 'dispatch') return answer
  const etag = `W/"${createHash('sha256').update(answer.body).digest('hex')}"`
  const known = String(request.headers['if-none-match'] ?? '').split(/\s*,\s*/)
  if (known.some((one) => strong(one) === strong(etag))) return empty(304, { etag })
  return { ...answer, headers: { ...answer.headers, etag } }
}

function isNamed(workflow: Workflow, name: string | undefined): boolean {
  return workflow.file === name || String(workflow.id) === name
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function strong(etag: string): string {
  return etag.replace(/^W\//, '')
}
