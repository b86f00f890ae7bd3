/**
 * The Bull dashboard at /queues, over all queues. Bull Board itself has no authentication, and whoever reaches it
 * can change jobs: so it stands behind the guard. Of its changes those below are let through, for the ledger is the
 * truth and puts back what is removed; nobody adds, copies or edits jobs by it. Each change is noted in the audit.
 */
import { createBullBoard } from '@bull-board/api'
import type { HTTPStatus } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { boardAdapter } from './board-adapter.ts'
import { guard } from './log-in/guard.ts'
import type { LogIn } from './log-in/log-in.ts'
import { sendRefusal } from './log-in/refusal.ts'

export const DASHBOARD_PATH = '/queues'

export interface DashboardDeps {
  queues: readonly Queue[]
  logIn: LogIn
}

/** The board asks Google for its fonts: nobody has to know who looks at it, and it does without. */
const CONTENT_SECURITY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** What an operator may do by it, and how the audit calls it. */
const CHANGES: Readonly<Record<string, string>> = {
  'PUT /api/queues/pause': 'pause all queues',
  'PUT /api/queues/resume': 'resume all queues',
  'PUT /api/queues/:queueName/pause': 'pause queue',
  'PUT /api/queues/:queueName/resume': 'resume queue',
  'PUT /api/queues/:queueName/retry/:queueStatus': 'retry all jobs',
  'PUT /api/queues/:queueName/promote': 'wake all jobs',
  'PUT /api/queues/:queueName/clean/:queueStatus': 'remove all jobs',
  'PUT /api/queues/:queueName/:jobId/retry': 'retry job',
  'PUT /api/queues/:queueName/:jobId/promote': 'wake job',
  'PUT /api/queues/:queueName/:jobId/clean': 'remove job',
}

export async function dashboard(app: FastifyInstance, { queues, logIn }: DashboardDeps): Promise<void> {
  const { simulated, audit, log } = logIn
  guard(app, { logIn, contentSecurity: CONTENT_SECURITY })
  app.addHook('onRequest', async (request, reply) => {
    if (!isChange(request) || deedOf(request) !== undefined) return
    return sendRefusal(request, reply, REFUSED, simulated)
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const { person } = request
    // A viewer changes nothing, and must not fill the audit with trying.
    if (person?.role === 'operator' && isChange(request)) {
      const what = deedOf(request) ?? 'change queue'
      const deed = { who: person.name, via: 'queues', what, of: whereOf(request) } as const
      await audit
        .note({ ...deed, result: resultOf(reply.statusCode) })
        .catch((err: Error) => log.error({ err, ...deed }, 'A change by the dashboard could not be noted'))
    }
    return payload
  })
  app.addHook('preSerialization', async ({ person, routeOptions }, _reply, payload) =>
    person?.role === 'operator' || routeOptions.url !== `${DASHBOARD_PATH}/api/queues`
      ? payload
      : withoutButtons(payload),
  )
  const adapter = new FastifyAdapter()
  adapter.setBasePath(DASHBOARD_PATH)
  createBullBoard({
    queues: queues.map(boardAdapter),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'promotion-relay',
        hideDocsLink: true,
        miscLinks: [
          { text: 'Board', url: '/' },
          { text: 'Log out', url: '/log-out' },
        ],
        ...(simulated ? { environment: { label: 'SIMULATED', color: '#b45309', textColor: '#ffffff' } } : {}),
      },
    },
  })
  // The board's own would show whatever was thrown, in development with its stack.
  adapter.setErrorHandler((error: Error & { statusCode?: number }) => {
    const isWrong = error.statusCode !== undefined || error instanceof URIError
    return {
      status: (isWrong ? (error.statusCode ?? 400) : 503) as HTTPStatus,
      body: { error: isWrong ? 'The request can not be read' : 'The dashboard can not reach Redis now' },
    }
  })
  await app.register(adapter.registerPlugin())
}

const REFUSED = {
  status: 403,
  title: 'This can not be done by the dashboard',
  detail: 'The ledger is the truth: jobs are retried, woken and removed here, queues paused and resumed.',
}

function isChange({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

function deedOf({ method, routeOptions }: FastifyRequest): string | undefined {
  const change = `${method} ${routeOptions.url?.slice(DASHBOARD_PATH.length)}`
  return Object.hasOwn(CHANGES, change) ? CHANGES[change] : undefined
}

/** queue/job, or queue/status where it is about all of them. */
function whereOf({ params }: FastifyRequest): string {
  const { queueName, jobId, queueStatus } = params as Record<string, string | undefined>
  return [queueName ?? 'all queues', jobId ?? queueStatus].filter(Boolean).join('/')
}

function resultOf(status: number): string {
  if (status < 300) return 'done'
  return status < 500 ? `refused (${status})` : `failed (${status})`
}

/** The flags by which the dashboard shows what can be pressed. */
function withoutButtons(payload: unknown): unknown {
  const { queues } = payload as { queues?: object[] }
  const flags = { readOnlyMode: true, allowRetries: false, allowCompletedRetries: false }
  return { ...(payload as object), queues: queues?.map((queue) => ({ ...queue, ...flags })) }
}
