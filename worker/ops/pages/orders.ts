/** Orders as forms of the pages: given, then back to the page that they came from, which says what came of it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Operate, Operated } from '../../../shared/operate.ts'
import { type Form, takeForms } from '../log-in/form-body.ts'
import { nextPage } from '../log-in/next-page.ts'
import { setFlash } from './flash.ts'

/** Who may is told by the guard around it. */
export function orderRoutes(app: FastifyInstance, { operate }: { operate: Operate }): void {
  takeForms(app)

  for (const order of ['hold', 'release'] as const) {
    app.post(`/targets/${order}`, async (request: Sent, reply) => {
      const { model, environment } = fieldsOf(request)
      return answer(request, reply, await operate[order]({ model, environment, ...signature(request) }))
    })
  }

  app.post('/targets/rollback', async (request: Sent, reply) => {
    const { model, environment, to } = fieldsOf(request)
    return answer(request, reply, await operate.rollback({ model, environment, to, ...signature(request) }))
  })

  for (const order of ['redrive', 'discard'] as const) {
    app.post(`/promotions/:id/${order}`, async (request: Sent, reply) => {
      const { deadLetter } = fieldsOf(request)
      const asked = { ...request.params, deadLetter: Number(deadLetter), ...signature(request) }
      return answer(request, reply, await operate[order](asked))
    })
  }

  app.post('/promotions/:id/resolve', async (request: Sent, reply) => {
    const { run } = fieldsOf(request)
    const word = run === undefined ? { absent: true } : { run }
    return answer(
      request,
      reply,
      await operate.resolve({ ...request.params, ...word, ...signature(request) }),
    )
  })

  app.post('/circuits/probe', async (request: Sent, reply) => {
    const { scope } = fieldsOf(request)
    return answer(request, reply, await operate.probe({ scope, ...signature(request) }))
  })
}

type Sent = FastifyRequest<{ Params: { id: string }; Body: Form | undefined }>

/** What was left empty was not said. */
function fieldsOf({ body }: Sent): Partial<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(body ?? {}).flatMap(([name, value]) =>
      value.trim() === '' ? [] : [[name, value.trim()]],
    ),
  )
}

function signature(request: Sent): { by: string; why?: string } {
  const { why } = fieldsOf(request)
  return { by: request.person?.name ?? 'a person', ...(why === undefined ? {} : { why }) }
}

function answer(request: Sent, reply: FastifyReply, operated: Operated): FastifyReply {
  setFlash(reply, { tone: operated.kind === 'done' ? 'good' : 'bad', text: wordsOf(operated) })
  return reply.redirect(nextPage(request.body?.back), 303)
}

function wordsOf(operated: Operated): string {
  if (operated.kind === 'invalid')
    return operated.problems.map(({ field, problem }) => `${field} ${problem}`.trim()).join('; ')
  const hint = operated.kind === 'refused' && operated.hint ? `. ${operated.hint.replaceAll('`', '')}` : ''
  return `${operated.text}${hint}`
}
