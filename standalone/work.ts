/** A worker process put together: the worker, and its health and own figures on `WORKER_PORT`. */
import Fastify from 'fastify'
import { Registry } from 'prom-client'
import type { Settings } from '../shared/config.ts'
import type { Logger } from '../shared/logger.ts'
import type { Redactor } from '../shared/redact.ts'
import type { Tracing } from '../shared/tracing.ts'
import { health } from '../worker/ops/health.ts'
import { warnOfRedis } from '../worker/ops/redis-warnings.ts'
import { createWorkerMetrics } from '../worker/ops/worker-metrics.ts'
import { type RunningWorker, runWorker } from '../worker/run-worker.ts'
import { addressOf } from './address-of.ts'
import { tellAtStart } from './doctor/at-start.ts'

export interface WorkOptions {
  redisUrl: string
  settings: Settings
  redact: Redactor
  tracing?: Tracing | undefined
  log: Logger
  name: string
  /** Only a restart helps: see the watchdog. */
  onStuck(): void
}

/** @throws the listen error, e.g. with code EADDRINUSE. */
export async function work({
  redisUrl,
  settings,
  redact,
  tracing,
  log,
  name,
  onStuck,
}: WorkOptions): Promise<Pick<RunningWorker, 'close'> & { url: string }> {
  const registry = new Registry()
  const metrics = createWorkerMetrics(registry)
  const worker = await runWorker({ redisUrl, settings, redact, metrics, tracing, log, name, onStuck })
  warnOfRedis(worker.redis, log)
  const app = Fastify({ logger: false })
  await app.register(health, { redis: worker.redis, registry, stuck: worker.stuck, log })
  try {
    await app.listen({ port: settings.WORKER_PORT, host: settings.HOST })
  } catch (error) {
    await worker.close()
    throw error
  }
  void tellAtStart({ settings, redisUrl, redact, log })
  return {
    url: addressOf(app),
    async close(withinMs) {
      await worker.close(withinMs)
      await app.close()
    },
  }
}
