/** The HTTP way to promote. Who may is told by the gate around it. */
import type { FastifyInstance } from 'fastify'
import type { Accept } from '../../shared/accept.ts'
import type { Logger } from '../../shared/logger.ts'
import { INVALID, isTaken, refusal, takenView } from './accept-answer.ts'
import { nameOf, needs } from './gate.ts'
import { sendProblem } from './problem.ts'

/** A promotion is small; anything near this is a mistake. */
export const BODY_LIMIT_BYTES = 64 * 1024

export interface PromoteDeps {
  accept: Accept
  log: Logger
}

export function promoteRoutes(app: FastifyInstance, { accept, log }: PromoteDeps): void {
  app.post('/promotions', needs('promote'), async (request, reply) => {
    const keys = request.raw.headersDistinct['idempotency-key'] ?? []
    if (keys.length > 1) {
      const errors = [{ field: 'Idempotency-Key', problem: 'is given more than once' }]
      return sendProblem(reply, { ...INVALID, errors })
    }
    const result = await accept(request.body, { idempotencyKey: keys[0], by: request.caller?.name })
    if (!isTaken(result)) return sendProblem(reply, refusal(result))
    const { id, status } = result
    log.info({ promotionId: id, status, token: nameOf(request.caller) }, 'A promotion came in')
    return reply.code(202).header('location', `/v1/promotions/${id}`).send(takenView(result))
  })
}
