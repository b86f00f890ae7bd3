/** One promotion over HTTP, at once or when it has stopped. Who may see it is told by the gate around it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import { promotionView } from '../../shared/views.ts'
import { needs } from './gate.ts'
import { sendProblem } from './problem.ts'
import { LONGEST_WAIT_S, waitAskedFor, whenStopped } from './wait.ts'

export function readRoute(app: FastifyInstance, reader: Pick<LedgerReader, 'promotion' | 'timeline'>): void {
  // Who waits for an end is answered when the server ends.
  const ended = new AbortController()
  app.addHook('preClose', async () => ended.abort())

  app.get(
    '/promotions/:id',
    needs('read'),
    async (request: FastifyRequest<{ Params: { id: string }; Querystring: { wait?: unknown } }>, reply) => {
      // An id is kept in small letters, however it was given.
      const id = request.params.id.toLowerCase()
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
}
