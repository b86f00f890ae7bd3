/** The HTTP way to hold, release and roll back a target. Who may is told by the API around it. */
import type { FastifyInstance } from 'fastify'
import type { RolledBack } from '../../shared/ledger/ledger.ts'
import type { Operate } from '../../shared/operate.ts'
import { type Problem, sendProblem } from './problem.ts'

export function operateRoutes(app: FastifyInstance, operate: Operate): void {
  app.post('/targets/hold', async ({ body }, reply) => {
    const held = await operate.hold(body)
    switch (held.kind) {
      case 'invalid':
        return sendProblem(reply, { ...INVALID, errors: held.problems })
      case 'unknown':
        return sendProblem(reply, UNKNOWN)
      default:
        return { status: held.kind }
    }
  })

  app.post('/targets/release', async ({ body }, reply) => {
    const released = await operate.release(body)
    switch (released.kind) {
      case 'invalid':
        return sendProblem(reply, { ...INVALID, errors: released.problems })
      case 'unknown':
        return sendProblem(reply, UNKNOWN)
      default:
        return { status: released.kind }
    }
  })

  app.post('/targets/rollback', async ({ body }, reply) => {
    const rollback = await operate.rollback(body)
    if (rollback.kind === 'invalid') return sendProblem(reply, { ...INVALID, errors: rollback.problems })
    const { result } = rollback
    if (result.status === 'refused') return sendProblem(reply, refusal(result))
    const { status, id, state, version, live } = result
    return reply
      .code(202)
      .header('location', `/v1/promotions/${id}`)
      .send({ id, status, state, version, live: live === '' ? null : live })
  })
}

const INVALID = { status: 400, title: 'Not a valid order' }
const UNKNOWN = { status: 404, title: 'No such target: nothing was ever promoted to it' }

function refusal({ why, version }: Extract<RolledBack, { status: 'refused' }>): Problem {
  switch (why) {
    case 'unknown':
      return UNKNOWN
    case 'nothing_before':
      return { status: 409, title: 'No other version was live before', detail: 'Say which one with `to`.' }
    case 'blocked':
      return {
        status: 409,
        title: `Version ${version}, which was live before, was itself rolled back from`,
        detail: 'Say which one is meant with `to`.',
      }
    default:
      return why satisfies never
  }
}
