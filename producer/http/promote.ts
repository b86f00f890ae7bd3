/** The HTTP way to promote: one as it is, one in a CloudEvent, or many. Who may is told by the gate around it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Accept, AcceptResult } from '../../shared/accept.ts'
import type { Logger } from '../../shared/logger.ts'
import { validate } from '../../shared/promotion.ts'
import { traceContextFrom } from '../../shared/trace-context.ts'
import { INVALID, isTaken, refusal, takenView } from './accept-answer.ts'
import { acceptEach, BATCH_LIMIT_BYTES, batchSchema } from './batch.ts'
import { CLOUD_EVENT, carriedBy } from './cloud-event.ts'
import { nameOf, needs } from './gate.ts'
import { sendProblem } from './problem.ts'
import { sendUnavailable } from './request-errors.ts'

/** A promotion is small; anything near this is a mistake. */
export const BODY_LIMIT_BYTES = 64 * 1024

export interface PromoteDeps {
  accept: Accept
  log: Logger
}

type From = Pick<FastifyRequest, 'caller' | 'headers'>

export async function promoteRoutes(app: FastifyInstance, { accept, log }: PromoteDeps): Promise<void> {
  /** As who calls, and in its trace. */
  async function acceptFrom({ caller, headers }: From, input: unknown, idempotencyKey: string | undefined) {
    const trace = traceContextFrom(headers.traceparent, headers.tracestate)
    const result = await accept(input, { idempotencyKey, trace, by: caller?.name })
    if (isTaken(result)) {
      const { id, status } = result
      log.info({ promotionId: id, status, token: nameOf(caller) }, 'A promotion came in')
    }
    return result
  }

  async function acceptOne(request: FastifyRequest, key?: string): Promise<AcceptResult> {
    const event = carriedBy(request.headers, request.body)
    if (!event) return acceptFrom(request, request.body, key)
    if (!event.ok) return { status: 'invalid', problems: event.problems }
    const result = await acceptFrom(request, event.data, key ?? event.idempotencyKey)
    return result.status === 'invalid' ? { ...result, problems: result.problems.map(event.inEvent) } : result
  }

  // A scope of its own: no other route takes events.
  await app.register(async (scope) => {
    const parser = scope.getDefaultJsonParser('ignore', 'ignore')
    scope.addContentTypeParser(CLOUD_EVENT, { parseAs: 'string' }, parser)
    scope.post('/promotions', needs('promote'), async (request, reply) => {
      const keys = request.raw.headersDistinct['idempotency-key'] ?? []
      if (keys.length > 1) {
        const errors = [{ field: 'Idempotency-Key', problem: 'is given more than once' }]
        return sendProblem(reply, { ...INVALID, errors })
      }
      const result = await acceptOne(request, keys[0])
      if (!isTaken(result)) return sendProblem(reply, refusal(result))
      return reply.code(202).header('location', `/v1/promotions/${result.id}`).send(takenView(result))
    })
  })

  // Two colons stand for one; one by itself would begin a parameter.
  const options = { ...needs('promote'), bodyLimit: BATCH_LIMIT_BYTES }
  app.post('/promotions::batch', options, async (request, reply) => {
    const batch = validate(batchSchema, request.body)
    if (!batch.ok)
      return sendProblem(reply, { status: 400, title: 'Not a valid batch', errors: batch.problems })
    const accepted = await acceptEach(batch.value.promotions, (...one) => acceptFrom(request, ...one), log)
    if (accepted.away === 'from the start') return sendUnavailable(reply)
    if (accepted.away) reply.header('retry-after', '5')
    const { results } = accepted
    return reply.code(results.some(({ status }) => status === 'refused') ? 207 : 200).send({ results })
  })
}
