// The way of one request: to the steering, a page or the API; into the log; through a fault, if one waits for it.
// A request is in the log before it has an effect, and its outcome is before the answer is on its way.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { adminAnswer, type Steering } from './admin.ts'
import { type Answer, html, json, parsedJson, refusal } from './answer.ts'
import { type ApiAnswer, type ApiWorld, apiAnswer } from './api-answer.ts'
import { type ApiRoute, apiRoute } from './api-route.ts'
import { type Fault, type Faults, faultAnswer } from './faults.ts'
import type { Instants } from './instants.ts'
import { runPage, runsPage } from './page.ts'
import type { RequestLog } from './request-log.ts'

export interface ReceiverDeps {
  world: ApiWorld
  log: RequestLog
  faults: Faults
  steering: Steering
  instants: Instants
  /** Ends the waits of slow answers. */
  closing: AbortSignal
}

export type Receiver = (
  request: IncomingMessage,
  response: ServerResponse,
  body: string | null,
) => Promise<void>

const DEFAULT_DELAY_MS = 1000
const NEEDED: Partial<Record<ApiRoute['operation'], string>> = {
  dispatch: 'actions=write',
  contents: 'contents=read',
}

export function createReceiver({ world, log, faults, steering, instants, closing }: ReceiverDeps): Receiver {
  const { settings, book, rateLimit, installation, now } = world

  return async (request, response, rawBody) => {
    const method = request.method ?? ''
    const [pathname = '/', search = ''] = (request.url ?? '/').split('?', 2)
    const query = new URLSearchParams(search)
    if (pathname.startsWith('/_simulator/')) {
      return send(response, adminAnswer(method, pathname, rawBody ?? '', steering))
    }
    const body = rawBody === null || rawBody === '' ? undefined : (parsedJson(rawBody) ?? rawBody)
    const received = { at: now(), method, path: request.url ?? '', ...(body === undefined ? {} : { body }) }
    const entry = log.received(rawBody === null ? { ...received, cutOff: true } : received, request.headers)
    if (rawBody === null) return

    const page = method === 'GET' ? pageAt(pathname) : undefined
    if (page) return answerWith(page)
    const route = apiRoute(method, pathname)
    const pages = `http://${request.headers.host ?? 'localhost'}`
    const at = { pages, api: `${pages}${route.prefix}` }
    const asApi = (createAfterMs?: number): ApiAnswer => {
      const asked = { route, path: pathname, query, headers: request.headers, rawBody, at }
      const answer = apiAnswer(createAfterMs === undefined ? asked : { ...asked, createAfterMs }, world)
      if (answer.runId !== undefined) {
        log.outcome(entry, { runId: answer.runId })
        instants.started?.(arrived, answer.runId)
      }
      return answer
    }
    const inputs = inputsOf(route, body)
    const arrived = { operation: route.operation, host: request.headers.host ?? '', inputs }
    const promotionId = typeof inputs.promotion_id === 'string' ? inputs.promotion_id : undefined
    const chosen = instants.arrived?.(arrived)
    const fault = faults.take(route.operation, promotionId) ?? chosen
    if (!fault) return answerWith(withGitHubHeaders(asApi(), route))
    log.outcome(entry, { fault: fault.kind })
    return suffer(fault)

    function answerWith(answer: Answer): void {
      if (response.destroyed) return
      log.outcome(entry, { status: answer.status })
      send(response, answer)
    }

    async function suffer(fault: Fault): Promise<void> {
      const delayMs = fault.delayMs ?? DEFAULT_DELAY_MS
      const ordered = () => faultAnswer(fault, route.operation, request.headers.authorization ?? '')
      switch (fault.kind) {
        case 'status-before':
          return answerWith(withGitHubHeaders(ordered(), route))
        case 'status-after':
          asApi()
          return answerWith(withGitHubHeaders(ordered(), route))
        case 'reset-before':
          request.socket.resetAndDestroy()
          return
        case 'reset-after':
          asApi()
          request.socket.resetAndDestroy()
          return
        case 'hang-before':
          return
        case 'hang-after':
          asApi()
          return
        case 'late-create':
          asApi(delayMs)
          return
        case 'slow': {
          const answer = asApi()
          await delay(delayMs, undefined, { signal: closing }).catch(() => {})
          if (!closing.aborted) answerWith(withGitHubHeaders(answer, route))
          return
        }
        case 'unreadable':
          asApi()
          return answerWith(withGitHubHeaders({ ...json(200, null), body: '{"workflow_run_id": 194' }, route))
        default:
          fault.kind satisfies never
      }
    }
  }

  function pageAt(pathname: string): Answer | undefined {
    if (pathname === '/') return html(200, runsPage(book.all(), settings))
    const [, owner, repo, id] = /^\/([^/]+)\/([^/]+)\/actions\/runs\/(\d+)$/.exec(pathname) ?? []
    if (owner !== settings.owner || repo !== settings.repo) return undefined
    const run = book.find(Number(id))
    return run ? html(200, runPage(run)) : refusal(404, 'Not Found')
  }

  function tokenExpiration(status: number): Record<string, string> {
    if (settings.tokenExpiration === undefined || installation || status === 401) return {}
    return { 'github-authentication-token-expiration': settings.tokenExpiration }
  }

  /** Told of classic tokens alone. */
  function tokenScopes(status: number): Record<string, string> {
    if (settings.tokenScopes === undefined || installation || status === 401) return {}
    return { 'x-oauth-scopes': settings.tokenScopes }
  }

  function withGitHubHeaders(answer: Answer, route: ApiRoute): Answer {
    const permissions = NEEDED[route.operation] ?? 'actions=read'
    return {
      ...answer,
      headers: {
        'x-github-media-type': 'github.v3; format=json',
        ...(settings.mode === 'ghes' ? { 'x-github-enterprise-version': '3.19.0' } : {}),
        date: new Date(now()).toUTCString(),
        ...(answer.status === 403 ? { 'x-accepted-github-permissions': permissions } : {}),
        ...tokenExpiration(answer.status),
        ...tokenScopes(answer.status),
        ...rateLimit.headers(),
        ...answer.headers,
      },
    }
  }
}

function send(response: ServerResponse, answer: Answer): void {
  const standing = { 'x-simulated': 'true', 'x-github-request-id': randomUUID().toUpperCase() }
  const hasBody = answer.status !== 204 && answer.status !== 304
  const length = hasBody ? { 'content-length': String(Buffer.byteLength(answer.body)) } : {}
  response.writeHead(answer.status, { ...standing, ...length, ...answer.headers })
  response.end(hasBody ? answer.body : undefined)
}

function inputsOf(route: ApiRoute, body: unknown): Record<string, unknown> {
  if (route.operation !== 'dispatch' || typeof body !== 'object' || body === null) return {}
  const inputs = 'inputs' in body ? body.inputs : undefined
  return typeof inputs === 'object' && inputs !== null ? { ...inputs } : {}
}
