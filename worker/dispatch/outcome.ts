/**
 * The outcome table: what GitHub's answer to a dispatch means. A pure function, and the only place that reads
 * GitHub's messages (matched on the body's `message`; sources in GitHub's REST documentation and its error
 * texts). Every 4xx means that nothing was started; every 5xx, that nobody knows.
 */
import type { DispatchAnswer } from '../github/client.ts'

/** Inputs that a workflow need not declare. */
export const OPTIONAL_INPUTS: readonly string[] = ['promotion_id', 'model_name', 'environment']

export type Outcome =
  /** GitHub took it; with a 204 the run is still to be found. */
  | { kind: 'dispatched'; detail: string; runId?: string; runUrl?: string }
  /** Something optional was refused and is left out from now on. */
  | { kind: 'adjusted'; detail: string; drop: Drop }
  /** The promotion's own fault. */
  | { kind: 'rejected'; detail: string }
  | { kind: 'workflow_fault'; detail: string; reason: WorkflowFault }
  | { kind: 'repository_fault'; detail: string; reason: RepositoryFault }
  | { kind: 'throttled'; detail: string; waitMs?: number }
  /** Nothing was started; `ours` where that was our own doing, not the network's. */
  | { kind: 'transient'; detail: string; ours: boolean }
  /** A run may have been started. */
  | { kind: 'unknown'; detail: string }

export type OutcomeKind = Outcome['kind']
export type WorkflowFault = 'workflow_missing' | 'workflow_disabled' | 'no_trigger' | 'bad_ref'
export type RepositoryFault = 'credentials' | 'permission' | 'repository_missing' | 'moved' | 'refused'

export type Drop =
  | { what: 'inputs'; names: readonly string[] }
  | { what: 'run_details' }
  | { what: 'api_version' }

export interface SentWith {
  inputs: readonly string[]
  runDetails: boolean
  apiVersion: boolean
  /** ms since the epoch: to read `x-ratelimit-reset` where GitHub does not tell its own time. */
  nowMs: number
}

/** Reasons of our own not to have sent anything. */
const OUR_OWN: readonly string[] = ['SEND_DEADLINE', 'ABORTED', 'NOT_REPLICATED']

export function outcomeOf(answer: DispatchAnswer, sent: SentWith): Outcome {
  if (answer.kind === 'not_sent') {
    const detail = `nothing was sent: ${answer.message}`
    if (answer.code === 'CREDENTIALS') return { kind: 'repository_fault', reason: 'credentials', detail }
    const ours = OUR_OWN.includes(answer.code)
    return { kind: 'transient', detail, ours }
  }
  if (answer.kind === 'no_token') return withoutToken(answer, sent)
  if (answer.kind === 'no_answer')
    return { kind: 'unknown', detail: `sent, but no answer: ${answer.message}` }

  const { status, headers } = answer
  const message = messageOf(answer.body)
  const detail = inWords(status, message)
  if (status === 204) return { kind: 'dispatched', detail }
  if (status >= 200 && status < 300) return withRunDetails(answer.body, detail)
  if (status >= 300 && status < 400) {
    return { kind: 'repository_fault', reason: 'moved', detail: `${detail} (the repository has moved)` }
  }
  if (status >= 500 || status < 200) return { kind: 'unknown', detail }

  if (status === 401) {
    // The old one had come to its end, early or just now: no fault of the repository as long as the new one does.
    if (answer.anotherToken)
      return { kind: 'transient', ours: true, detail: `${detail} (a new token is at hand)` }
    return { kind: 'repository_fault', reason: 'credentials', detail }
  }
  if (status === 403 || status === 429) {
    if (saysThrottled(status, headers, message)) return throttled(headers, sent.nowMs, detail)
    // Of a GitHub App: reading tells when it is back.
    if (/\binstallation\b.*\bsuspended\b/i.test(message))
      return { kind: 'repository_fault', reason: 'credentials', detail }
    // GitHub has answered some disabled workflows with 403 as well.
    if (message.includes('disabled workflow'))
      return { kind: 'workflow_fault', reason: 'workflow_disabled', detail }
    return { kind: 'repository_fault', reason: 'permission', detail: withMissingPermission(detail, headers) }
  }
  if (status === 404) {
    if (answer.repositoryReadable === false) {
      return {
        kind: 'repository_fault',
        reason: 'repository_missing',
        detail: `${detail} (the repository can't be read)`,
      }
    }
    return { kind: 'workflow_fault', reason: 'workflow_missing', detail: `${detail} (no such workflow file)` }
  }
  if (status === 400 || status === 422) return refusedContent(message, sent, detail)
  if (status === 413) return { kind: 'rejected', detail }
  return { kind: 'repository_fault', reason: 'refused', detail }
}

/** GitHub gave no token of the App: it is limited, or has a fault, or the App or its installation is not what it was. */
function withoutToken(
  { status, headers, body }: Extract<DispatchAnswer, { kind: 'no_token' }>,
  { nowMs }: SentWith,
): Outcome {
  const message = messageOf(body)
  const detail = `nothing was sent: no token of the GitHub App: ${inWords(status, message)}`
  if ((status === 403 || status === 429) && saysThrottled(status, headers, message))
    return throttled(headers, nowMs, detail)
  if (status >= 300 && status < 500) return { kind: 'repository_fault', reason: 'credentials', detail }
  return { kind: 'transient', detail, ours: false }
}

function inWords(status: number, message: string): string {
  return message === '' ? `GitHub answered ${status}` : `GitHub answered ${status}: ${message}`
}

function withRunDetails(body: unknown, detail: string): Outcome {
  const details = (typeof body === 'object' ? body : null) as Record<string, unknown> | null
  const runId = details?.workflow_run_id
  if (!Number.isSafeInteger(runId) || Number(runId) < 1)
    return { kind: 'unknown', detail: `${detail}, without a run that can be read` }
  const runUrl = details?.html_url
  return { kind: 'dispatched', detail, runId: String(runId), ...(isLink(runUrl) ? { runUrl } : {}) }
}

/** It is shown as a link on pages: a web address, of a length that can be kept. */
function isLink(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//.test(value) && value.length <= 2_000
}

function refusedContent(message: string, sent: SentWith, detail: string): Outcome {
  if (/does not have 'workflow_dispatch' trigger/.test(message)) {
    return { kind: 'workflow_fault', reason: 'no_trigger', detail }
  }
  if (message.startsWith('No ref found for')) return { kind: 'workflow_fault', reason: 'bad_ref', detail }
  if (message.includes('disabled workflow'))
    return { kind: 'workflow_fault', reason: 'workflow_disabled', detail }
  const unexpected = unexpectedInputs(message)
  const ours = (name: string) => OPTIONAL_INPUTS.includes(name) && sent.inputs.includes(name)
  if (unexpected.length > 0 && unexpected.every(ours)) {
    return { kind: 'adjusted', detail, drop: { what: 'inputs', names: unexpected } }
  }
  if (sent.runDetails && message.includes('return_run_details')) {
    return { kind: 'adjusted', detail, drop: { what: 'run_details' } }
  }
  if (sent.apiVersion && /api[- ]version/i.test(message)) {
    return { kind: 'adjusted', detail, drop: { what: 'api_version' } }
  }
  return { kind: 'rejected', detail }
}

/** `Unexpected inputs provided: ["foo", "bar"]` */
function unexpectedInputs(message: string): string[] {
  const list = /^Unexpected inputs provided: (\[.*\])/s.exec(message)?.[1]
  if (!list) return []
  try {
    return (JSON.parse(list) as unknown[]).map(String)
  } catch {
    return []
  }
}

function saysThrottled(status: number, headers: Readonly<Record<string, string>>, message: string): boolean {
  return (
    status === 429 ||
    headers['retry-after'] !== undefined ||
    headers['x-ratelimit-remaining'] === '0' ||
    /rate limit|abuse detection/i.test(message)
  )
}

/** GitHub's own windows are an hour: a longer pause is an error of somebody's clock, ms. */
const LONGEST_THROTTLE_MS = 2 * 3_600_000

/**
 * `retry-after` (seconds) if present; else until `x-ratelimit-reset` (epoch seconds, by GitHub's clock, which the answer's
 * `date` tells); else the caller's own pause.
 */
function throttled(headers: Readonly<Record<string, string>>, nowMs: number, detail: string): Outcome {
  const until = (waitMs: number): Outcome => ({
    kind: 'throttled',
    detail,
    waitMs: Math.min(waitMs, LONGEST_THROTTLE_MS),
  })
  const after = headers['retry-after'] ?? ''
  if (/^\d+$/.test(after)) return until(Math.max(Number(after), 1) * 1000)
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000
  const answeredAtMs = Date.parse(headers.date ?? '') || nowMs
  if (headers['x-ratelimit-remaining'] === '0' && reset > answeredAtMs) {
    return until(reset - answeredAtMs + 1000)
  }
  return { kind: 'throttled', detail }
}

function withMissingPermission(detail: string, headers: Readonly<Record<string, string>>): string {
  const needed = headers['x-accepted-github-permissions']
  return needed ? `${detail} (needed: ${needed})` : detail
}

const LONGEST_MESSAGE = 500

/** Some refusals say what is wrong in `errors`, as one text, and nothing in `message`. */
function messageOf(body: unknown): string {
  const { message, errors } = (body !== null && typeof body === 'object' ? body : { message: body }) as {
    message?: unknown
    errors?: unknown
  }
  const texts = [message, errors].flatMap((text) =>
    typeof text === 'string' ? text.slice(0, 2 * LONGEST_MESSAGE) : [],
  )
  const printable = texts
    .join(' ')
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
  // Cut between the two halves of a character, it would be refused by Redis's JSON reader.
  return printable.slice(0, LONGEST_MESSAGE).toWellFormed()
}
