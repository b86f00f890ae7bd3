/**
 * MLflow's REST API, as far as the relay reads it, and the credentials that MLflow's own clients use.
 * https://mlflow.org/docs/latest/rest-api.html
 */
import type { Secret } from './secret.ts'

export interface MlflowCredentials {
  token?: Secret | undefined
  username?: string | undefined
  password?: Secret | undefined
}

export interface MlflowOptions extends MlflowCredentials {
  /** Of the tracking server, e.g. http://mlflow:5000 */
  uri: string
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

/** @returns MLflow's answer to a GET. @throws MlflowFault */
export type CallMlflow = (path: string, given: Readonly<Record<string, string>>) => Promise<unknown>

export function createMlflow(options: MlflowOptions): CallMlflow {
  const { uri, timeoutMs = 10_000 } = options

  return async (path, given) => {
    const url = new URL(`${uri}/api/2.0/mlflow/${path}`)
    for (const [name, value] of Object.entries(given)) url.searchParams.set(name, value)
    const authorization = mlflowAuthorization(options)
    const response = await fetch(url, {
      // Credentials go to the server that was named, and to no other.
      redirect: 'error',
      headers: { accept: 'application/json', ...(authorization && { authorization }) },
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

/**
 * As MLflow's own clients do: a user and a password, else a token.
 * https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/rest_utils.py#L257-L263
 *
 * @param how `anew`: secrets in files are read also where those look unchanged
 */
export function mlflowAuthorization(
  { token, username, password }: MlflowCredentials,
  how: { anew?: boolean } = {},
): string | undefined {
  if (username !== undefined && password)
    return `Basic ${Buffer.from(`${username}:${password.read(how)}`).toString('base64')}`
  return token && `Bearer ${token.read(how)}`
}
