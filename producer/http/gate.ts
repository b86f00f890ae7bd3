/**
 * The gate of the API: who calls, whether not too often, and whether the route is theirs to use, in this order and
 * before anything of the request is looked at. Counted in memory: each of several servers counts for itself.
 */
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Scope } from '../../shared/api-tokens.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Caller, Identify } from './callers.ts'
import { sendProblem } from './problem.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; undefined only before the gate. */
    caller: Caller | undefined
  }
  interface FastifyContextConfig {
    /** What a token must be allowed to do to use the route. */
    scope?: Scope
  }
}

export interface GateDeps {
  identify: Identify
  /** Requests that one token may make, and that may come from one address without a valid one. */
  perMinute: number
  log: Logger
}

/** Options of a route that asks for a scope. */
export function needs(scope: Scope): { config: { scope: Scope } } {
  return { config: { scope } }
}

/** How the caller is called in log lines. */
export function nameOf(caller: Caller | undefined): string {
  return caller?.name ?? 'RELAY_API_TOKEN'
}

export async function gate(app: FastifyInstance, { identify, perMinute, log }: GateDeps): Promise<void> {
  await app.register(rateLimit, { global: false })
  const most = { max: perMinute, timeWindow: 60_000 }
  const countStranger = app.createRateLimit(most)
  const countToken = app.createRateLimit({ ...most, keyGenerator: (request) => nameOf(request.caller) })

  app.decorateRequest('caller', undefined)
  app.addHook('onRequest', async (request, reply) => {
    const who = identify(request.headers.authorization)
    if (who.kind === 'known') request.caller = who.caller
    const count = await (request.caller ? countToken : countStranger)(request)
    if (!count.isAllowed && count.isExceeded) return sendTooMany(reply, count.ttlInSeconds, perMinute)
    if (who.kind === 'unreadable') {
      reply.header('retry-after', '5')
      return sendProblem(reply, { status: 503, title: `${who.setting} can't be read now` })
    }
    if (who.kind === 'unknown') {
      reply.header('www-authenticate', 'Bearer realm="promotion-relay"')
      return sendProblem(reply, { status: 401, title: 'A valid bearer token is needed' })
    }
    const { scope } = request.routeOptions.config
    if (scope && !who.caller.scopes.includes(scope)) return sendForbidden(request, reply, scope)
  })

  function sendForbidden(request: FastifyRequest, reply: FastifyReply, scope: Scope): FastifyReply {
    const token = nameOf(request.caller)
    log.info({ token, scope, url: request.routeOptions.url }, 'A token lacks the scope for what it asks')
    reply.header(
      'www-authenticate',
      `Bearer realm="promotion-relay", error="insufficient_scope", scope="${scope}"`,
    )
    return sendProblem(reply, {
      status: 403,
      title: `This token lacks the scope ${scope}`,
      detail: `The token ${token} may not be used for this.`,
    })
  }
}

function sendTooMany(reply: FastifyReply, seconds: number, perMinute: number): FastifyReply {
  reply.header('retry-after', String(Math.max(1, seconds)))
  return sendProblem(reply, {
    status: 429,
    title: 'Too many requests',
    detail: `At most ${perMinute} a minute are taken.`,
  })
}
