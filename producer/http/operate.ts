/** The HTTP way to hold, release and roll back a target. Who may is told by the API around it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RolledBack } from '../../shared/ledger/ledger.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Operate } from '../../shared/operate.ts'
import { nameOf, needs } from './gate.ts'
import { type Problem, sendProblem } from './problem.ts'

export interface OperateRoutesDeps {
  operate: Operate
  log: Logger
}

export function operateRoutes(app: FastifyInstance, { operate, log }: OperateRoutesDeps): void {
  function note({ caller, body }: FastifyRequest, order: string, status: string) {
    const { model, environment } = body as { model: string; environment?: string }
    log.info({ order, status, model, environment, token: nameOf(caller) }, 'A person has given an order')
  }

  app.post('/targets/hold', needs('operate'), async (request, reply) => {
    const held = await operate.hold(signed(request))
    switch (held.kind) {
      case 'invalid':
        return sendProblem(reply, { ...INVALID, errors: held.problems })
      case 'unknown':
        return sendProblem(reply, UNKNOWN)
      default:
        note(request, 'hold', held.kind)
        return { status: held.kind }
    }
  })

  app.post('/targets/release', needs('operate'), async (request, reply) => {
    const released = await operate.release(signed(request))
    switch (released.kind) {
      case 'invalid':
        return sendProblem(reply, { ...INVALID, errors: released.problems })
      case 'unknown':
        return sendProblem(reply, UNKNOWN)
      default:
        note(request, 'release', released.kind)
        return { status: released.kind }
    }
  })

  app.post('/targets/rollback', needs('operate'), async (request, reply) => {
    const rollback = await operate.rollback(signed(request))
    if (rollback.kind === 'invalid') return sendProblem(reply, { ...INVALID, errors: rollback.problems })
    const { result } = rollback
    if (result.status === 'refused') return sendProblem(reply, refusal(result))
    const { status, id, state, version, live } = result
    note(request, 'rollback', status)
    return reply
      .code(202)
      .header('location', `/v1/promotions/${id}`)
      .send({ id, status, state, version, live: live === '' ? null : live })
  })
}

/** Who says nothing of who it is, is called as the token is. */
function signed({ body, caller }: FastifyRequest): unknown {
  const isOrder = typeof body === 'object' && body !== null && !Array.isArray(body) && !('by' in body)
  return isOrder && caller?.name !== undefined ? { ...body, by: caller.name } : body
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
