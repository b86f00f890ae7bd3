/** The HTTP way for people's orders on targets, dead letters and circuits. Who may is told by the API around it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Operate, Operated } from '../../shared/operate.ts'
import { needs } from './gate.ts'
import { sendProblem } from './problem.ts'

export function operateRoutes(app: FastifyInstance, { operate }: { operate: Operate }): void {
  for (const order of ['hold', 'release'] as const) {
    app.post(`/targets/${order}`, needs('operate'), async (request, reply) =>
      answer(reply, await operate[order](signed(request))),
    )
  }

  app.post('/targets/rollback', needs('operate'), async (request, reply) => {
    const operated = await operate.rollback(signed(request))
    if (operated.kind === 'done') reply.code(202).header('location', `/v1/promotions/${operated.id}`)
    return answer(reply, operated)
  })

  for (const order of ['redrive', 'discard', 'resolve'] as const) {
    app.post(
      `/promotions/:id/${order}`,
      needs('operate'),
      async (request: FastifyRequest<{ Params: { id: string } }>, reply) =>
        answer(reply, await operate[order](signed(request, request.params))),
    )
  }

  app.post('/circuits/probe', needs('operate'), async (request, reply) =>
    answer(reply, await operate.probe(signed(request))),
  )
}

/** Who says nothing of who it is, is called as the token is. What the path names is not asked for in the body. */
function signed({ body, caller }: FastifyRequest, named: object = {}): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const by = caller?.name !== undefined && !('by' in body) ? { by: caller.name } : {}
  return { ...body, ...named, ...by }
}

function answer(reply: FastifyReply, operated: Operated): FastifyReply {
  switch (operated.kind) {
    case 'done': {
      const { kind: _, live, ...rest } = operated
      return reply.send({ ...rest, ...(live === undefined ? {} : { live: live === '' ? null : live }) })
    }
    case 'invalid':
      return sendProblem(reply, { status: 400, title: 'Not a valid order', errors: operated.problems })
    case 'unknown':
      return sendProblem(reply, { status: 404, title: operated.text })
    case 'refused': {
      const { text: title, hint } = operated
      return sendProblem(reply, { status: 409, title, ...(hint && { detail: `${hint}.` }) })
    }
    default:
      return operated satisfies never
  }
}
