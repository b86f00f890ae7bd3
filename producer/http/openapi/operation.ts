/** How one route is described, and the answers that all routes behind the gate share. */
import type { z } from 'zod'
import type { Scope } from '../../../shared/api-tokens.ts'
import { problemSchema } from './answers.ts'

export interface Answer {
  what: string
  /** None: text. */
  schema?: z.ZodType
  type?: string
  headers?: readonly HeaderName[]
}

export const HEADERS = {
  Location: 'Where the promotion can be asked for',
  'Retry-After': 'Seconds until it is worth trying again',
  'WWW-Authenticate': 'That a bearer token is asked for, and with which scope',
}
export type HeaderName = keyof typeof HEADERS

export interface Operation {
  /** What generated clients call it. */
  name: string
  method: 'get' | 'post'
  path: string
  group:
    | 'Promotions'
    | 'Smoke tests'
    | 'Targets'
    | 'Dead letters'
    | 'Figures'
    | 'Webhooks'
    | 'Health'
    | 'This description'
  summary: string
  more?: string
  /** Of the token that is asked for; none: no token is. */
  scope?: Scope
  params?: z.ZodObject
  query?: z.ZodObject
  headers?: z.ZodObject
  /** Schemas by content type. */
  takes?: Readonly<Record<string, z.ZodType>>
  answers: Readonly<Record<number, Answer>>
}

export function problem(what: string, headers: readonly HeaderName[] = []): Answer {
  return { what, schema: problemSchema, type: 'application/problem+json', headers }
}

/** A route behind the gate. */
export function ofApi(operation: Operation & { scope: Scope }): Operation {
  const body = {
    413: problem('The body is too large'),
    415: problem('The body is of another content type'),
  }
  return {
    ...operation,
    answers: {
      ...operation.answers,
      401: problem('No valid bearer token', ['WWW-Authenticate']),
      403: problem(`The token lacks the scope \`${operation.scope}\``, ['WWW-Authenticate']),
      ...(operation.takes ? body : {}),
      429: problem('More requests than `API_RATE_PER_MINUTE`', ['Retry-After']),
      503: problem('Redis can not be reached: it is safe to send the same again', ['Retry-After']),
    },
  }
}
