/** The HTTP way to send a smoke test. Who may is told by the gate: whoever may promote. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../shared/logger.ts'
import { validate } from '../../shared/promotion.ts'
import { type SendSmokeTest, smokeTestSchema } from '../../shared/smoke-test.ts'
import { nameOf, needs } from './gate.ts'
import { sendProblem } from './problem.ts'

export interface SmokeTestDeps {
  sendSmokeTest: SendSmokeTest
  log: Logger
}

export function smokeTestRoute(app: FastifyInstance, { sendSmokeTest, log }: SmokeTestDeps): void {
  app.post('/smoke-tests', needs('promote'), async ({ caller, body }, reply) => {
    const asked = validate(smokeTestSchema, body)
    if (!asked.ok)
      return sendProblem(reply, { status: 400, title: 'Not a valid smoke test', errors: asked.problems })
    const { dispatch } = asked.value
    const sent = await sendSmokeTest({ dispatch, by: caller?.name })
    log.info({ promotionId: sent.id, dispatch, token: nameOf(caller) }, 'A smoke test came in')
    return reply.code(202).header('location', `/v1/promotions/${sent.id}`).send(sent)
  })
}
