/**
 * The guard of a scope: who asks, whether he may change things, and whether a change comes from our own pages, in this
 * order and before anything else is looked at. Sets `request.person`, and the headers of every answer.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { setUsualHeaders } from './headers.ts'
import type { LogIn, Who } from './log-in.ts'
import { originOf } from './origin.ts'
import './person.ts'
import { type Refusal, sendRefusal, wantsPage } from './refusal.ts'

export interface GuardDeps {
  /** Of `createLogIn`: one for all scopes. */
  logIn: LogIn
  /** Content-Security-Policy of what is in this scope. */
  contentSecurity: string
}

/** Adds its hooks to this very scope: to be called before its routes are added. */
export function guard(scope: FastifyInstance, { logIn, contentSecurity }: GuardDeps): void {
  const { log, simulated } = logIn
  if (!scope.hasRequestDecorator('person')) scope.decorateRequest('person', undefined)
  scope.addHook('onRequest', async (request, reply) => {
    setUsualHeaders(reply, logIn.arrive(request))
    reply.header('cache-control', 'no-store').header('content-security-policy', contentSecurity)
    const refuse = (refusal: Refusal) => sendRefusal(request, reply, refusal, simulated)

    const who = await logIn.who(request).catch((err: Error) => {
      log.error({ err }, 'Who asks can not be found out')
      return undefined
    })
    if (!who) {
      reply.header('retry-after', '5')
      return refuse(NOT_NOW)
    }
    if (who.kind === 'too_many') {
      reply.header('retry-after', String(who.seconds))
      return refuse({ status: 429, title: 'Too many log-ins', detail: `Try again in ${who.seconds} s.` })
    }
    if (who.kind === 'unknown') {
      const isWindow = request.method === 'GET' && wantsPage(request)
      if (isWindow) return reply.redirect(`/log-in?next=${encodeURIComponent(request.url)}`, 303)
      return refuse({ status: 401, title: 'A log-in is needed', detail: 'At /log-in, or with Basic.' })
    }
    request.person = who.person
    const isChange = request.method !== 'GET' && request.method !== 'HEAD'
    if (isChange) {
      const refusal = refusalOf(request, who)
      if (refusal) return refuse(refusal)
    }
  })

  function refusalOf(request: FastifyRequest, { person, by }: Extract<Who, { kind: 'known' }>) {
    const origin = originOf(request, logIn.arrive(request))
    // Only Basic may come from what is no browser: a session and a proxy's log-in are added by the browser itself.
    if (origin === 'foreign' || (origin === 'unsaid' && by !== 'basic')) return FOREIGN
    return person.role === 'operator' ? undefined : forbidden(person.name)
  }
}

export const FOREIGN: Refusal = {
  status: 403,
  title: 'A change must come from these pages themselves',
  detail:
    'The request names another origin than the address that it came to, or none. Behind a proxy: it must hand on Host, or be one of OPS_TRUSTED_PROXIES and send X-Forwarded-Host.',
}

export const NOT_NOW: Refusal = {
  status: 503,
  title: 'Who you are can not be looked up now',
  detail: 'Redis, or the file of people, can not be reached. Nothing was changed; try again soon.',
}

function forbidden(name: string): Refusal {
  return {
    status: 403,
    title: 'A viewer can not change anything',
    detail: `${name} is a viewer. An operator can do this.`,
  }
}
