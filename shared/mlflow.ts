/**
 * MLflow's REST API, as far as the relay speaks it: one call, with the credentials that MLflow's own clients use.
 * https://mlflow.org/docs/latest/rest-api.html
 */
import type { Secret } from './secret.ts'

export interface MlflowOptions {
  /** Of the tracking server, e.g. http://mlflow:5000 */
  uri: string
  token?: Secret | undefined
  username?: string | undefined
  password?: Secret | undefined
  /** For one call, ms; 10,000 by default. */
  timeoutMs?: number
}

/**
 * MLflow answered, and not with what was asked for; or nobody answered (status 0). A status of 200 is of an answer
 * that can't be read: a page of something before it, or one that was cut off.
 */
export class MlflowFault extends Error {
  readonly code = 'MLFLOW'
  /** HTTP status, 0 where there was no answer. */
  readonly status: number
  /** MLflow's own word, such as RESOURCE_DOES_NOT_EXIST; '' if it gave none. */
  readonly errorCode: string

  constructor(what: string, status: number, errorCode: string, cause?: unknown) {
    const unread = status >= 200 && status < 300 ? ', which can not be read' : ''
    super(`${what}: ${status === 0 ? 'no answer' : `${status} ${errorCode}`.trim()}${unread}`, { cause })
    this.status = status
    this.errorCode = errorCode
  }
}

/** @returns MLflow's answer. @throws MlflowFault */
export type CallMlflow = (
  method: 'GET' | 'POST',
  path: string,
  given: Readonly<Record<string, string>>,
) => Promise<unknown>

export function createMlflow(options: MlflowOptions): CallMlflow {
  const { uri, timeoutMs = 10_000 } = options

  return async (method, path, given) => {
    const url = new URL(`${uri}/api/2.0/mlflow/${path}`)
    if (method === 'GET') for (const [name, value] of Object.entries(given)) url.searchParams.set(name, value)
    const response = await fetch(url, {
      method,
      // Credentials go to the server that was named, and to no other.
      redirect: 'error',
      headers: {
        ...authorization(options),
        accept: 'application/json',
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      },
      ...(method === 'POST' ? { body: JSON.stringify(given) } : {}),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      throw new MlflowFault(path, 0, '', cause)
    })
    const text = await response.text().catch((cause: unknown) => {
      throw new MlflowFault(path, 0, '', cause)
    })
    const answer = objectIn(text)
    // `{}` is MLflow's word for nothing found: what can't be read must not pass for it.
    if (response.ok && answer) return answer
    const errorCode = answer?.error_code
    throw new MlflowFault(path, response.status, typeof errorCode === 'string' ? errorCode.slice(0, 100) : '')
  }
}

function objectIn(text: string): { error_code?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function authorization({ token, username, password }: MlflowOptions): Record<string, string> {
  if (token) return { authorization: `Bearer ${token.read()}` }
  if (username === undefined || !password) return {}
  return { authorization: `Basic ${Buffer.from(`${username}:${password.read()}`).toString('base64')}` }
}
