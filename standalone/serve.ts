/**
 * The server put together: the HTTP way in, the Bull dashboard, health and the figures that come from Redis. It
 * consumes nothing. Its connection fails fast: a caller gets an answer while Redis is away.
 */
import { once } from 'node:events'
import Fastify, { type FastifyError } from 'fastify'
import type { Redis } from 'ioredis'
import type { Registry } from 'prom-client'
import { api } from '../producer/http/api.ts'
import { DELIVERY_RESULTS, githubWebhook } from '../producer/http/github-webhook.ts'
import { MLFLOW_DELIVERY_RESULTS, mlflowWebhook } from '../producer/http/mlflow-webhook.ts'
import { openapiRoutes } from '../producer/http/openapi/routes.ts'
import { BODY_LIMIT_BYTES } from '../producer/http/promote.ts'
import { sendError } from '../producer/http/request-errors.ts'
import { answerGarbled, createNotFound, sendUnroutable } from '../producer/http/unroutable.ts'
import { createNotes } from '../producer/registry/notes.ts'
import { mappingsOf, type RunningRegistry, runRegistry } from '../producer/registry/run-registry.ts'
import { createAccept } from '../shared/accept.ts'
import { createAsk } from '../shared/ask.ts'
import type { Settings } from '../shared/config.ts'
import { createDesk } from '../shared/desk.ts'
import { createAudit } from '../shared/ledger/audit.ts'
import { createCircuits } from '../shared/ledger/circuits.ts'
import { createLedger } from '../shared/ledger/ledger.ts'
import { createListing } from '../shared/ledger/listing.ts'
import { createLedgerReader } from '../shared/ledger/read.ts'
import { createWebhooksSeen, WEBHOOKS_NOTED_MS } from '../shared/ledger/webhooks-seen.ts'
import type { Logger } from '../shared/logger.ts'
import { createOperate } from '../shared/operate.ts'
import {
  addPromotedJob,
  addRunEventJob,
  createQueue,
  DEAD_LETTERS,
  FEEDBACK,
  PROMOTIONS,
  removePromotedJob,
  TRACKING,
} from '../shared/queues.ts'
import { connectForProducer } from '../shared/redis/connect.ts'
import { type Secret, secretFromFile } from '../shared/secret.ts'
import { seldom } from '../shared/seldom.ts'
import { createSmokeTest } from '../shared/smoke-test.ts'
import { createTakeHint } from '../shared/take-hint.ts'
import type { Tracing } from '../shared/tracing.ts'
import { createWake } from '../shared/wake.ts'
import { DASHBOARD_PATH, dashboard } from '../worker/ops/dashboard.ts'
import { health } from '../worker/ops/health.ts'
import { createLedgerMetrics } from '../worker/ops/ledger-metrics.ts'
import { guard } from '../worker/ops/log-in/guard.ts'
import { setUsualHeaders } from '../worker/ops/log-in/headers.ts'
import { logInRoutes } from '../worker/ops/log-in/routes.ts'
import { assetRoutes } from '../worker/ops/pages/assets.ts'
import { PAGE_SECURITY } from '../worker/ops/pages/layout.ts'
import { pages } from '../worker/ops/pages/routes.ts'
import { redisWarnings, warnOfRedis } from '../worker/ops/redis-warnings.ts'
import { createRegistryFigures, createServerMetrics } from '../worker/ops/server-metrics.ts'
import { addressOf } from './address-of.ts'
import { openLogIn } from './open-log-in.ts'
import { versionOf } from './version-of.ts'

export interface ServeOptions {
  redisUrl: string
  settings: Settings
  /** May do everything; beside it those in `RELAY_API_TOKENS_FILE`. */
  apiToken?: Secret | undefined
  /** Of `OPS_USER`; beside it those in `OPS_USERS_FILE`. */
  opsPassword?: Secret | undefined
  registry: Registry
  tracing?: Tracing | undefined
  log: Logger
  /** Every answer and page says so. */
  simulated?: boolean
  /** What the model registry names at the first look is deployed, too. */
  deployExisting?: boolean
}

export interface RunningServer {
  /** http://HOST:PORT */
  url: string
  close(): Promise<void>
}

/** @throws the listen error, e.g. with code EADDRINUSE. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { redisUrl, settings, registry, log, simulated = false } = options
  const redis = connectForProducer(redisUrl, log)
  const queues = [PROMOTIONS, TRACKING, DEAD_LETTERS, FEEDBACK].map((name) => createQueue(name, redis))
  for (const queue of queues)
    queue.on('error', (err) => log.debug({ err, queue: queue.name }, 'A queue reports a fault'))
  const [promotions, tracking, deadLetters] = queues
  if (!promotions || !tracking || !deadLetters) throw new Error('no queue')
  const reader = createLedgerReader({ redis })
  const listing = createListing({ redis })
  const ledger = createLedger({ redis, replicas: settings.REDIS_WAIT_REPLICAS })
  redis.on('ready', ledger.prepare)
  const accept = createAccept({
    ledger,
    enqueue: (promotion, job) => addPromotedJob(promotions, promotion, job),
    withdraw: (id, job) => removePromotedJob(promotions, id, job),
    tracing: options.tracing,
    log,
  })

  const webhooks = createWebhooksSeen({ redis })
  const takeHint = createTakeHint({ ledger, arrived: seldom(WEBHOOKS_NOTED_MS, webhooks.arrived) })

  const audit = createAudit({ redis })
  const operateBy = (via: 'api' | 'board') =>
    createOperate({
      ledger,
      circuits: createCircuits({ redis }),
      promotion: reader.promotion,
      wake: createWake({ reader, queue: promotions }),
      note: (deed) => audit.note({ ...deed, via }),
      log,
    })

  const desk = createDesk({ reader, listing, redis, deadLetters })

  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: sendUnroutable,
    clientErrorHandler: answerGarbled,
  })
  const logIn = openLogIn({ settings, password: options.opsPassword, redis, audit, simulated, log })
  app.addHook('onRequest', async (request, reply) => setUsualHeaders(reply, logIn.arrive(request)))
  if (simulated)
    app.addHook('onRequest', async (_request, reply) => void reply.header('x-promotion-relay', 'SIMULATED'))
  const notFound = createNotFound(app)
  app.setNotFoundHandler(notFound)
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(error, request, reply, { notFound, log }),
  )
  const tokensFile = settings.RELAY_API_TOKENS_FILE
  await app.register(api, {
    prefix: '/v1',
    accept,
    sendSmokeTest: createSmokeTest({
      ledger,
      enqueue: (promotion, job) => addPromotedJob(promotions, promotion, job),
    }),
    operate: operateBy('api'),
    reader,
    ask: createAsk({ desk, listing }),
    token: options.apiToken,
    tokens: tokensFile === undefined ? undefined : secretFromFile('RELAY_API_TOKENS_FILE', tokensFile),
    perMinute: settings.API_RATE_PER_MINUTE,
    notFound,
    log,
  })
  await app.register(githubWebhook, {
    prefix: '/v1',
    secret: settings.GITHUB_WEBHOOK_SECRET,
    keep: async (event) => {
      // A queue that never had a connection would wait for one.
      if (redis.status !== 'ready') await redis.ping()
      if (!(await takeHint(event))) await addRunEventJob(tracking, event)
    },
    observe: createServerMetrics(registry, DELIVERY_RESULTS).delivery,
    log,
  })
  const mappings = mappingsOf(settings)
  const figures = mappings.length > 0 ? createRegistryFigures(registry, MLFLOW_DELIVERY_RESULTS) : undefined
  const notes = createNotes({ redis })
  let following: RunningRegistry | undefined
  await app.register(mlflowWebhook, {
    prefix: '/v1',
    secret: settings.MLFLOW_WEBHOOK_SECRET,
    mappings,
    keep: async (hint) => {
      await notes.keepHint(hint)
      following?.hinted()
    },
    observe: (result) => figures?.delivery(result),
    log,
  })
  const warnings = () => redisWarnings(redis).catch(() => [])
  const targetLabels = settings.METRICS_TARGET_LABELS
  const refresh = createLedgerMetrics({ registry, reader, queues, warnings, targetLabels })
  await app.register(openapiRoutes, { version: versionOf('promotion-relay') })
  await app.register(health, { redis, registry, refresh, log })
  await app.register(logInRoutes, { logIn })
  await app.register(dashboard, { prefix: DASHBOARD_PATH, queues, logIn })
  assetRoutes(app)
  await app.register(async (scope) => {
    guard(scope, { logIn, contentSecurity: PAGE_SECURITY })
    await pages(scope, { reader, listing, desk, audit, operate: operateBy('board'), simulated, log })
  })

  const close = async () => {
    // Who neither sends nor reads on is not waited for.
    const registryEnd = following?.close()
    const cut = setTimeout(() => app.server.closeAllConnections(), SLOW_CLIENTS_MS)
    await app.close().finally(() => clearTimeout(cut))
    await registryEnd
    for (const queue of queues) await queue.close().catch(() => {})
    redis.disconnect()
  }
  warnOfRedis(redis, log)
  await readyWithin(redis, READY_WITHIN_MS)
  try {
    await app.listen({ port: settings.PORT, host: settings.HOST })
  } catch (error) {
    await close()
    throw error
  }
  const { deployExisting = false } = options
  if (figures)
    following = runRegistry({
      redis,
      reader,
      accept,
      settings,
      mappings,
      deployExisting,
      metrics: figures,
      log,
    })
  return { url: addressOf(app), close }
}

/** What is being asked when the server ends is answered, within this time, ms. */
const SLOW_CLIENTS_MS = 3_000

/** So that the first to call finds Redis there. Without Redis it listens all the same, and says so when asked. */
const READY_WITHIN_MS = 1_500

async function readyWithin(redis: Redis, ms: number): Promise<void> {
  if (redis.status === 'ready') return
  await once(redis, 'ready', { signal: AbortSignal.timeout(ms) }).catch(() => {})
}
