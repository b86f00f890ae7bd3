/** Errors as `application/problem+json` (RFC 9457). They name every wrong field, and never a stack or a secret. */
import type { FastifyReply } from 'fastify'
import type { FieldProblem } from '../../shared/promotion.ts'

export interface Problem {
  status: number
  title: string
  detail?: string
  /** Every wrong field of the request. */
  errors?: readonly FieldProblem[]
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type('application/problem+json').send(problemBody(problem))
}

export function problemBody(problem: Problem): string {
  return JSON.stringify(problemOf(problem))
}

export function problemOf({ status, title, detail, errors }: Problem) {
  return {
    type: 'about:blank',
    title,
    status,
    ...(detail ? { detail } : {}),
    ...(errors ? { errors } : {}),
  }
}
