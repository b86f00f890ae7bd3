/**
 * The HTTP way in: promotions are posted here and asked for. A plugin for fastify; who may call is told by one
 * bearer token. Whatever is wrong with a request is answered as a problem, and nothing of it is queued.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Accept, AcceptResult } from '../../shared/accept.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Operate } from '../../shared/operate.ts'
import type { Secret } from '../../shared/secret.ts'
import { traceContextFrom } from '../../shared/trace-context.ts'
import { operateRoutes } from './operate.ts'
import { sendProblem } from './problem.ts'
import type { NotFound } from './unroutable.ts'
import { promotionView, targetView } from './views.ts'
import { LONGEST_WAIT_S, waitAskedFor, whenStopped } from './wait.ts'

export interface ApiDeps {
  accept: Accept
  reader: Pick<LedgerReader, 'promotion' | 'timeline' | 'newest' | 'targets'>
  token: Secret
  operate: Operate
  notFound: NotFound
  log: Logger
}

/** A promotion is small; anything near this is a mistake. */
export const BODY_LIMIT_BYTES = 64 * 1024
const LIST_LIMIT = 100

export async function api(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  const { accept, reader, token, log } = deps
  // JSON and nothing else. `__proto__` passes as an ordinary name here: the schema refuses it as an unknown field.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    app.getDefaultJsonParser('ignore', 'ignore'),
  )
  app.setErrorHandler((error: FastifyError, _request, reply) => sendError(error, reply, log))
  app.setNotFoundHandler(deps.notFound)
  app.addHook('onRequest', async (request, reply) => {
    const expected = readable(token, log)
    if (expected === undefined) {
      reply.header('retry-after', '5')
      return sendProblem(reply, { status: 503, title: `${token.name} can't be read now` })
    }
    if (!authorized(request.headers.authorization, expected)) {
      reply.header('www-authenticate', 'Bearer realm="promotion-relay"')
      return sendProblem(reply, { status: 401, title: 'A valid bearer token is needed' })
    }
  })

  // Who waits for an end is answered when the server ends.
  const ended = new AbortController()
  app.addHook('preClose', async () => ended.abort())

  app.post('/promotions', async (request, reply) => {
    const keys = request.raw.headersDistinct['idempotency-key'] ?? []
    if (keys.length > 1) {
      const errors = [{ field: 'Idempotency-Key', problem: 'is given more than once' }]
      return sendProblem(reply, { status: 400, title: 'Not a valid promotion', errors })
    }
    const trace = traceContextFrom(request.headers.traceparent, request.headers.tracestate)
    return sendResult(reply, await accept(request.body, { idempotencyKey: keys[0], trace }))
  })

  app.get('/promotions', async () => ({
    promotions: (await reader.newest(LIST_LIMIT)).map((one) => promotionView(one)),
  }))

  app.get(
    '/promotions/:id',
    async (request: FastifyRequest<{ Params: { id: string }; Querystring: { wait?: unknown } }>, reply) => {
      const { id } = request.params
      const waitMs = waitAskedFor(request.query)
      if (waitMs === undefined) {
        const errors = [{ field: 'wait', problem: `must be a number of seconds, at most ${LONGEST_WAIT_S}` }]
        return sendProblem(reply, { status: 400, title: 'Not a valid wait', errors })
      }
      const find = async () => (/^[0-9a-f-]{36}$/.test(id) ? reader.promotion(id) : undefined)
      const promotion = await whenStopped(find, waitMs, ended.signal, () => reply.raw.destroyed)
      if (ended.signal.aborted) reply.header('connection', 'close')
      if (!promotion) return sendProblem(reply, { status: 404, title: 'No such promotion' })
      return promotionView(promotion, await reader.timeline(id))
    },
  )

  operateRoutes(app, deps.operate)

  app.get('/targets', async () => ({ targets: (await reader.targets(LIST_LIMIT)).map(targetView) }))
}

function sendResult(reply: FastifyReply, result: AcceptResult): FastifyReply {
  switch (result.status) {
    case 'invalid':
      return sendProblem(reply, { status: 400, title: 'Not a valid promotion', errors: result.problems })
    case 'key_reused':
      return sendProblem(reply, {
        status: 422,
        title: 'The Idempotency-Key was used for another promotion',
        detail: `It belongs to promotion ${result.id}.`,
      })
    case 'accepted':
    case 'duplicate': {
      const { status, id, state, live } = result
      return reply
        .code(202)
        .header('location', `/v1/promotions/${id}`)
        .send({ id, status, state, live: live === '' ? null : live })
    }
    default:
      return result satisfies never
  }
}

/** undefined while its file can't be read: it is being replaced, say. */
function readable(token: Secret, log: Logger): string | undefined {
  try {
    return token.read()
  } catch (err) {
    log.error({ err }, `${token.name} can't be read: nobody gets in`)
    return undefined
  }
}

function authorized(header: string | undefined, expected: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? ''
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const TITLES: Record<string, [status: number, title: string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'The body must be application/json'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, `The body must be at most ${BODY_LIMIT_BYTES / 1024} KiB`],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'The body is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'The body is not valid JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'The body does not have the length that its header says'],
}

function sendError(error: FastifyError, reply: FastifyReply, log: Logger): FastifyReply {
  const known = TITLES[error.code]
  if (known) return sendProblem(reply, { status: known[0], title: known[1] })
  const status = error.statusCode ?? 500
  if (status < 500) return sendProblem(reply, { status, title: 'The request can not be read' })
  // What else fails here is Redis: nothing is known to be accepted, and the caller may send again.
  log.error({ err: error }, 'A request failed')
  reply.header('retry-after', '5')
  return sendProblem(reply, {
    status: 503,
    title: 'The relay can not reach its ledger now',
    detail: 'It is safe to send the same promotion again.',
  })
}
