/**
 * MLflow's webhooks come in here. Who sends one is told by its signature over the raw bytes; what it says is a hint:
 * it is kept and answered at once, and the registry is asked what is so. MLflow sends again for a few seconds what is
 * answered 503; what is lost, the reconciler finds.
 * https://mlflow.org/docs/latest/ml/webhooks/
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Logger } from '../../shared/logger.ts'
import type { Secret } from '../../shared/secret.ts'
import { type Mapping, mappingId } from '../registry/mapping.ts'
import type { Hint } from '../registry/notes.ts'
import { sendProblem } from './problem.ts'
import { rawBody, readableSecrets, takeRawBodies, warnNowAndThen } from './signed-body.ts'

export const MLFLOW_DELIVERY_RESULTS = [
  'kept',
  'ignored',
  'forged',
  'stale',
  'unreadable',
  'unavailable',
] as const
export type MlflowDeliveryResult = (typeof MLFLOW_DELIVERY_RESULTS)[number]

export interface MlflowWebhookDeps {
  /** One secret, or two while they are changed; without any the route is closed. */
  secret?: Secret | undefined
  mappings: readonly Mapping[]
  /** @throws when it could not be kept */
  keep(hint: Hint): Promise<void>
  observe(result: MlflowDeliveryResult): void
  log: Logger
  now?(): number
}

/** A registered model's description is part of some events, which we ignore. */
const LIMIT_BYTES = 256 * 1024
/** MLflow tries four times, waits 30 s for each answer, and stamps them all with the time of the first, ms. */
export const TOLERANCE_MS = 15 * 60_000

export async function mlflowWebhook(app: FastifyInstance, deps: MlflowWebhookDeps): Promise<void> {
  const { secret, mappings, keep, observe, log, now = Date.now } = deps
  const warn = warnNowAndThen(() =>
    log.warn('A webhook of MLflow without a valid signature was refused: does MLFLOW_WEBHOOK_SECRET match?'),
  )
  takeRawBodies(app, LIMIT_BYTES, () => observe('unreadable'))

  const options = {
    bodyLimit: LIMIT_BYTES,
    // Before a body is read: without a secret nobody can show who they are.
    onRequest: async (_request: FastifyRequest, reply: FastifyReply) => {
      if (!secret || mappings.length === 0)
        return sendProblem(reply, {
          status: 404,
          title: "MLflow's webhooks are off",
          detail:
            'MLFLOW_WEBHOOK_SECRET is not set, or none of MLFLOW_ALIASES, MLFLOW_TAGS and MLFLOW_STAGES.',
        })
    },
  }
  app.post('/webhooks/mlflow', options, async (request, reply) => {
    const end = (result: MlflowDeliveryResult, status: number, title = '') => {
      observe(result)
      if (status < 300) return reply.code(status).send({ status: result })
      if (status === 503) reply.header('retry-after', '2')
      return sendProblem(reply, { status, title })
    }
    const header = (name: string) => String(request.headers[name] ?? '')
    const signed = {
      id: header('x-mlflow-delivery-id'),
      timestamp: header('x-mlflow-timestamp'),
      body: rawBody(request.body),
    }
    const secrets = secret && readableSecrets(secret, log)
    if (secrets === undefined) return end('unavailable', 503, 'MLFLOW_WEBHOOK_SECRET can not be read now')
    if (!isSigned(signed, header('x-mlflow-signature'), secrets)) {
      warn()
      return end('forged', 401, 'X-MLflow-Signature is not valid for this body')
    }
    const at = Number(signed.timestamp) * 1000
    if (!(Math.abs(now() - at) <= TOLERANCE_MS))
      return end('stale', 400, 'X-MLflow-Timestamp is too far from now')
    const event = eventFrom(signed.body)
    if (event === undefined) return end('unreadable', 400, 'This is no event of a model registry')
    const hint = hintOf(event, mappings, at)
    if (hint === undefined) return end('ignored', 202)
    try {
      await keep(hint)
    } catch (err) {
      log.error(
        { err, model: hint.model },
        'A webhook of MLflow could not be kept: the reconciler finds what it told',
      )
      return end('unavailable', 503, 'The relay can not reach Redis now')
    }
    return end('kept', 202)
  })
}

interface Signed {
  id: string
  timestamp: string
  body: Buffer
}

/** `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; the secret is used as it is, not decoded. */
function isSigned({ id, timestamp, body }: Signed, header: string, secrets: readonly string[]): boolean {
  const given = Buffer.from(/^v1,([A-Za-z0-9+/]{43}=)$/.exec(header)?.[1] ?? '', 'base64')
  return secrets.some((secret) => {
    const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest()
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}

const name = z.string().max(1_000)
const eventSchema = z.object({
  entity: z.string(),
  action: z.string(),
  data: z.object({
    name: name.optional(),
    version: z.coerce.string().max(100).optional(),
    alias: name.optional(),
    key: name.optional(),
    value: z.string().max(5_000).optional(),
  }),
})
type RegistryEvent = z.output<typeof eventSchema>

function eventFrom(body: Buffer): RegistryEvent | undefined {
  try {
    return eventSchema.parse(JSON.parse(body.toString('utf8')))
  } catch {
    return undefined
  }
}

/** undefined where the event is about nothing that promotes. */
function hintOf(
  { entity, action, data }: RegistryEvent,
  mappings: readonly Mapping[],
  at: number,
): Hint | undefined {
  const { name: model, version = '', alias, key, value } = data
  const mapping = mappings.find((one) =>
    one.kind === 'alias'
      ? entity === 'model_version_alias' && action === 'created' && alias === one.name
      : entity === 'model_version_tag' && action === 'set' && key === one.name && value === one.value,
  )
  if (!mapping || mapping.kind === 'stage' || model === undefined) return undefined
  return { mapping: mappingId(mapping), model, version, at }
}
