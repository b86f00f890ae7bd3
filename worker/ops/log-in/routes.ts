/**
 * Logging in and out. Both must come from our own pages, so that no other site logs anybody in as somebody else, or
 * out. What was wrong about a log-in is not told: name or password.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PAGE_SECURITY } from '../pages/layout.ts'
import { clearSession, sessionIn, setSession } from './cookie.ts'
import { type Form, takeForms } from './form-body.ts'
import { FOREIGN, NOT_NOW } from './guard.ts'
import { setUsualHeaders } from './headers.ts'
import type { LogIn } from './log-in.ts'
import { nextPage } from './next-page.ts'
import { originOf } from './origin.ts'
import { logInPage, logOutPage } from './page.ts'
import './person.ts'
import { sendRefusal } from './refusal.ts'

export async function logInRoutes(app: FastifyInstance, { logIn }: { logIn: LogIn }): Promise<void> {
  const { arrive, sessions, audit, log, simulated } = logIn
  if (!app.hasRequestDecorator('person')) app.decorateRequest('person', undefined)
  takeForms(app)
  app.addHook('onRequest', async (request, reply) => {
    setUsualHeaders(reply, arrive(request))
    reply.header('cache-control', 'no-store').header('content-security-policy', PAGE_SECURITY)
    if (request.method === 'POST' && originOf(request, arrive(request)) !== 'own')
      return sendRefusal(request, reply, FOREIGN, simulated)
  })
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500
    if (status < 500)
      return sendRefusal(request, reply, { status, title: 'The request can not be read' }, simulated)
    log.error({ err: error }, 'A log-in could not be looked into')
    reply.header('retry-after', '5')
    return sendRefusal(request, reply, NOT_NOW, simulated)
  })
  const show = (reply: FastifyReply, text: string, status = 200) =>
    reply.code(status).type('text/html; charset=utf-8').send(text)

  app.get<{ Querystring: { next?: unknown; out?: unknown } }>('/log-in', async (request, reply) => {
    const next = nextPage(request.query.next)
    const who = await logIn.who(request)
    if (who.kind === 'known') return reply.redirect(next, 303)
    return show(reply, logInPage({ next, isOut: request.query.out !== undefined, simulated }))
  })

  app.post<{ Body: Form | undefined }>('/log-in', async (request, reply) => {
    const { user: name = '', password = '', next: asked } = request.body ?? {}
    const next = nextPage(asked)
    const tried = await logIn.tryPassword(request, name, password)
    const again = (status: number, problem: string) =>
      show(reply, logInPage({ next, problem, name: name.slice(0, 200), simulated }), status)
    if (tried.kind === 'too_many') {
      reply.header('retry-after', String(tried.seconds))
      return again(429, `Too many log-ins. Try again in ${tried.seconds} s.`)
    }
    if (tried.kind === 'unknown') return again(401, 'Name or password is wrong.')
    await endSession(request)
    const { isTls } = arrive(request)
    setSession(reply, await sessions.begin(tried.known), isTls)
    await note('log-in', tried.known.person.name)
    return reply.redirect(next, 303)
  })

  app.get('/log-out', async (request, reply) => {
    const who = await logIn.who(request)
    if (who.kind !== 'known') return reply.redirect('/log-in', 303)
    if (who.by !== 'session') return sendRefusal(request, reply, { status: 200, ...NO_SESSION }, simulated)
    return show(reply, logOutPage(who.person, simulated))
  })

  app.post('/log-out', async (request, reply) => {
    const who = await logIn.who(request)
    await endSession(request)
    clearSession(reply, arrive(request).isTls)
    if (who.kind === 'known' && who.by === 'session') await note('log-out', who.person.name)
    if (who.kind === 'known' && who.by === 'proxy')
      return sendRefusal(request, reply, { status: 200, ...NO_SESSION }, simulated)
    return reply.redirect('/log-in?out', 303)
  })

  async function endSession(request: FastifyRequest): Promise<void> {
    const id = sessionIn(request, arrive(request).isTls)
    if (id !== undefined) await sessions.end(id)
  }

  async function note(what: 'log-in' | 'log-out', who: string): Promise<void> {
    log.info({ name: who }, what === 'log-in' ? 'Somebody has logged in' : 'Somebody has logged out')
    await audit
      .note({ who, via: 'board', what, of: who, result: 'done' })
      .catch((err: Error) => log.warn({ err }, `A ${what} could not be noted`))
  }
}

const NO_SESSION = {
  title: 'The proxy has logged you in',
  detail: 'There is no session here to end: log out there.',
}
