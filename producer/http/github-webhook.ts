/**
 * GitHub's webhooks come in here. Who sends one is told by its signature over the raw bytes; what it means is the
 * worker's business: it is verified, kept and answered at once. GitHub does not send again what was not taken, so a
 * lost one is found by the poll.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Logger } from '../../shared/logger.ts'
import type { RunEvent } from '../../shared/run-event.ts'
import type { Secret } from '../../shared/secret.ts'
import { sendProblem } from './problem.ts'
import { rawBody, readableSecrets, takeRawBodies, warnNowAndThen } from './signed-body.ts'

/** What became of a delivery. */
export const DELIVERY_RESULTS = ['kept', 'ignored', 'forged', 'unreadable', 'unavailable'] as const
export type DeliveryResult = (typeof DELIVERY_RESULTS)[number]

export interface GithubWebhookDeps {
  /** One secret, or two while they are changed; without any the route is closed. */
  secret?: Secret | undefined
  /** @throws when it could not be kept */
  keep(event: RunEvent): Promise<void>
  observe(result: DeliveryResult): void
  log: Logger
}

/** A payload about a run has some 30 KB; its commit message may add to that. GitHub's own limit is 25 MB. */
export const WEBHOOK_LIMIT_BYTES = 1024 * 1024

export async function githubWebhook(app: FastifyInstance, deps: GithubWebhookDeps): Promise<void> {
  const { secret, keep, observe, log } = deps
  const warn = warnNowAndThen(() =>
    log.warn('A webhook without a valid signature was refused: does GITHUB_WEBHOOK_SECRET match?'),
  )
  takeRawBodies(app, WEBHOOK_LIMIT_BYTES, () => observe('unreadable'))

  const options = {
    bodyLimit: WEBHOOK_LIMIT_BYTES,
    // Before a body is read: without a secret nobody can show who they are.
    onRequest: async (_request: FastifyRequest, reply: FastifyReply) => {
      if (!secret)
        return sendProblem(reply, {
          status: 404,
          title: 'Webhooks are off',
          detail: 'GITHUB_WEBHOOK_SECRET is not set.',
        })
    },
  }
  app.post('/webhooks/github', options, async (request, reply) => {
    const end = (result: DeliveryResult, status: number, title: string) => {
      observe(result)
      if (status < 300) return reply.code(status).send({ status: result })
      if (status === 503) reply.header('retry-after', '60')
      return sendProblem(reply, { status, title })
    }
    const body = rawBody(request.body)
    const expected = secret && readableSecrets(secret, log)
    if (expected === undefined) return end('unavailable', 503, 'GITHUB_WEBHOOK_SECRET can not be read now')
    if (!isSigned(body, String(request.headers['x-hub-signature-256'] ?? ''), expected)) {
      warn()
      return end('forged', 401, 'X-Hub-Signature-256 is not valid for this body')
    }
    if (!String(request.headers['content-type']).startsWith('application/json'))
      return end('unreadable', 415, "The webhook's content type must be application/json")
    if (request.headers['x-github-event'] !== 'workflow_run') return end('ignored', 202, '')
    const event = runEventFrom(body, String(request.headers['x-github-delivery'] ?? ''))
    if (event === 'unreadable') return end('unreadable', 400, 'This is no workflow_run event')
    if (event === 'of no dispatch') return end('ignored', 202, '')
    try {
      await keep(event)
    } catch (err) {
      log.error({ err, runId: event.runId }, 'A webhook could not be kept: the poll finds what it told')
      return end('unavailable', 503, 'The relay can not reach its queue now')
    }
    return end('kept', 202, '')
  })
}

/** https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries */
function isSigned(body: Buffer, header: string, secrets: readonly string[]): boolean {
  const given = Buffer.from(/^sha256=([0-9a-f]{64})$/.exec(header)?.[1] ?? '', 'hex')
  return secrets.some((secret) => {
    const expected = createHmac('sha256', secret).update(body).digest()
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}

const text = z.string().nullish().catch(null)
const number = z.int().positive().nullish().catch(null)

/** What is needed of it and no more: GitHub's own examples lack some of the rest. */
const payloadSchema = z.object({
  action: z.string(),
  repository: z.object({ full_name: z.string().max(200) }),
  workflow: z.object({ id: number, path: text }).nullish().catch(null),
  workflow_run: z.object({
    id: z.int().positive(),
    run_attempt: number,
    event: text,
    status: text,
    display_title: text,
    updated_at: text,
    path: text,
    workflow_id: number,
  }),
})

/** Ids of promotions are UUIDs of version 7. */
const PROMOTION_ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
const MOST_IDS = 3

function runEventFrom(body: Buffer, delivery: string): RunEvent | 'unreadable' | 'of no dispatch' {
  const parsed = payloadSchema.safeParse(parsedJson(body))
  if (!parsed.success) return 'unreadable'
  const { action, repository, workflow, workflow_run: run } = parsed.data
  if (run.event && run.event !== 'workflow_dispatch') return 'of no dispatch'
  const status = /^[a-z_]{1,40}$/.exec(run.status ?? '')?.[0] ?? ''
  const workflows = [fileIn(workflow?.path), fileIn(run.path), workflow?.id, run.workflow_id]
  return {
    delivery: /^[\w-]{1,64}$/.exec(delivery)?.[0] ?? '',
    repository: repository.full_name.toWellFormed(),
    workflows: [...new Set(workflows.flatMap((one) => (one ? String(one) : [])))],
    runId: String(run.id),
    runAttempt: run.run_attempt ?? 1,
    status,
    over: status === 'completed' || action === 'completed',
    updatedAt: Date.parse(run.updated_at ?? '') || 0,
    promotionIds: [...new Set(run.display_title?.match(PROMOTION_ID) ?? [])].slice(0, MOST_IDS),
  }
}

/** `.github/workflows/cd.yml`, of a run sometimes with `@` and its ref. */
function fileIn(path: string | null | undefined): string {
  return (path ?? '').split('@', 1)[0]?.split('/').at(-1)?.slice(0, 100).toWellFormed() ?? ''
}

function parsedJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
