/**
 * Requests that reach no route: a path that isn't there or doesn't take this method, an address or bytes that
 * can't be read. They are answered as problems like everything else.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { problemBody, sendProblem } from './problem.ts'

export type NotFound = (request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** Must be made before the routes are: it is told of each. */
export function createNotFound(app: FastifyInstance): NotFound {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    methods.set(url, known)
  })

  return ({ url, method }, reply) => {
    const path = url.split('?', 1)[0] ?? ''
    const allowed = [...methods].flatMap(([pattern, names]) => (matches(path, pattern) ? [...names] : []))
    if (allowed.length === 0) return sendProblem(reply, { status: 404, title: 'Not found' })
    reply.header('allow', [...new Set([...allowed, 'OPTIONS'])].join(', '))
    if (method === 'OPTIONS') return reply.code(204).send()
    return sendProblem(reply, { status: 405, title: `${method} can not be used here` })
  }
}

function matches(path: string, pattern: string): boolean {
  const parts = pattern.split('/')
  const given = path.split('/')
  return parts.length === given.length && parts.every((part, i) => part.startsWith(':') || part === given[i])
}

/** For fastify's `frameworkErrors`: addresses that its router refuses. */
export function sendUnroutable(error: { code: string }, _request: unknown, reply: FastifyReply): void {
  if (error.code === 'FST_ERR_BAD_URL') {
    sendProblem(reply, { status: 400, title: 'The address can not be read' })
  } else sendProblem(reply, { status: 404, title: 'Not found' })
}

const GARBLED: Record<string, [status: number, title: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time'],
}

/** For fastify's `clientErrorHandler`: what Node's parser refuses never becomes a request. */
export function answerGarbled(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const [status, title] = GARBLED[error.code ?? ''] ?? [400, 'This is not a valid HTTP request']
  const body = problemBody({ status, title })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
