/** Whatever is thrown on the way to an answer of the API, as a problem. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../shared/logger.ts'
import { sendProblem } from './problem.ts'
import type { NotFound } from './unroutable.ts'

const TITLES: Record<string, [status: number, title: string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'The body must be application/json'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'The body is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'The body is not valid JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'The body does not have the length that its header says'],
}

export function sendError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  { notFound, log }: { notFound: NotFound; log: Logger },
): FastifyReply {
  // Its body is nobody's: that there is no such route comes first.
  if (request.is404) return notFound(request, reply)
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const most = `${Math.floor(request.routeOptions.bodyLimit / 1024)} KiB`
    return sendProblem(reply, { status: 413, title: `The body must be at most ${most}` })
  }
  const known = TITLES[error.code]
  if (known) return sendProblem(reply, { status: known[0], title: known[1], ...detailOf(error, request) })
  const status = error.statusCode ?? 500
  if (status < 500) return sendProblem(reply, { status, title: 'The request can not be read' })
  // What else fails here is Redis: nothing is known to be accepted, and the caller may send again.
  log.error({ err: error }, 'A request failed')
  return sendUnavailable(reply)
}

function detailOf({ code }: FastifyError, { routeOptions }: FastifyRequest): { detail?: string } {
  const takesEvents = routeOptions.url === '/v1/promotions'
  if (code !== 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || !takesEvents) return {}
  return { detail: 'Or application/cloudevents+json, one event at a time.' }
}

export function sendUnavailable(reply: FastifyReply): FastifyReply {
  reply.header('retry-after', '5')
  return sendProblem(reply, UNAVAILABLE)
}

export const UNAVAILABLE = {
  status: 503,
  title: 'The relay can not reach its ledger now',
  detail: 'It is safe to send the same promotion again.',
}
