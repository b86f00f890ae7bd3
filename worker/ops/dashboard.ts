/**
 * The Bull dashboard at /queues, over all queues. Bull Board itself has no authentication, and whoever reaches it
 * can change jobs: so it stands behind a log-in, and a change must come from its own pages.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createBullBoard } from '@bull-board/api'
import type { HTTPStatus } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import basicAuth from '@fastify/basic-auth'
import type { Queue } from 'bullmq'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { Secret } from '../../shared/secret.ts'
import { boardAdapter } from './board-adapter.ts'

export const DASHBOARD_PATH = '/queues'

export interface DashboardDeps {
  queues: readonly Queue[]
  user: string
  password: Secret
  /** Every page says so. */
  simulated: boolean
}

/** The board asks Google for its fonts: nobody has to know who looks at it, and it does without. */
const CONTENT_SECURITY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
].join('; ')

export async function dashboard(app: FastifyInstance, deps: DashboardDeps): Promise<void> {
  const { queues, user, password, simulated } = deps
  await app.register(basicAuth, {
    authenticate: { realm: 'promotion-relay' },
    validate: async (givenUser, givenPassword) => {
      const ok = same(givenUser, user) && same(givenPassword, password.read())
      if (!ok) throw new Error('wrong log-in')
    },
  })
  // Answered here, since the board's own error handler would put it as a fault of its server.
  app.addHook('onRequest', (request, reply, done) => {
    const logIn = app.basicAuth as onRequestHookHandler
    logIn.call(app, request, reply, (error) => {
      if (error) reply.code(401).type('text/plain').send('A log-in is needed')
      else done()
    })
  })
  app.addHook('onRequest', async (request, reply) => {
    const safe = request.method === 'GET' || request.method === 'HEAD'
    if (!safe && !sameOrigin(request.headers)) {
      return reply.code(403).send({ error: 'A change must come from the dashboard itself' })
    }
    reply
      .header('x-frame-options', 'DENY')
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'same-origin')
      .header('content-security-policy', CONTENT_SECURITY)
  })
  const adapter = new FastifyAdapter()
  adapter.setBasePath(DASHBOARD_PATH)
  createBullBoard({
    queues: queues.map(boardAdapter),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'promotion-relay',
        hideDocsLink: true,
        ...(simulated ? { environment: { label: 'SIMULATED', color: '#b45309', textColor: '#ffffff' } } : {}),
      },
    },
  })
  // The board's own would show whatever was thrown, in development with its stack.
  adapter.setErrorHandler((error: Error & { statusCode?: number }) => ({
    status: (error.statusCode ?? 503) as HTTPStatus,
    body: {
      error: error.statusCode ? 'The request can not be read' : 'The dashboard can not reach Redis now',
    },
  }))
  await app.register(adapter.registerPlugin())
}

/** Browsers say where a request comes from; a log-in they add by themselves must not serve other sites. */
function sameOrigin(headers: Record<string, string | string[] | undefined>): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin, host } = headers
  return origin === undefined || URL.parse(String(origin))?.host === host
}

function same(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
