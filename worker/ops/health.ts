/**
 * Health pages: /healthz (the process lives), /readyz (it reaches Redis), /metrics. Settings of Redis that don't
 * keep the promises are warnings, not unreadiness: a managed server may not tell, or can't be changed.
 */
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import type { Registry } from 'prom-client'
import type { Logger } from '../../shared/logger.ts'
import { redisWarnings } from './redis-warnings.ts'

export interface HealthDeps {
  redis: Redis
  registry: Registry
  /** Reads what is shown anew before each scrape. */
  refresh?: () => Promise<void>
  /** Whether work waits and nothing is done. */
  stuck?: () => boolean
  log: Logger
}

const PING_WITHIN_MS = 1_000

export async function health(
  app: FastifyInstance,
  { redis, registry, refresh, stuck, log }: HealthDeps,
): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const unready = (reason: string) =>
      reply.code(503).header('retry-after', '5').send({ status: 'unavailable', reason })
    if (!(await answers(redis))) return unready('Redis does not answer')
    if (stuck?.()) return unready('work waits and nothing is done')
    return { status: 'ready', warnings: await redisWarnings(redis).catch(() => []) }
  })

  app.get('/metrics', async (_request, reply) => {
    // With Redis away the process's own figures are still worth having.
    await refresh?.().catch((err) => log.warn({ err }, 'Figures from Redis are missing in this scrape'))
    return reply.type(registry.contentType).send(spelled(await registry.metrics()))
  })
}

/** prom-client writes `Nan`; the format's word is `NaN`, and not every reader is lenient. */
function spelled(text: string): string {
  return text.replace(/ Nan$/gm, ' NaN')
}

async function answers(redis: Redis): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PING_WITHIN_MS)
  })
  try {
    return await Promise.race([
      redis.ping().then(
        () => true,
        () => false,
      ),
      late,
    ])
  } finally {
    clearTimeout(timer)
  }
}
