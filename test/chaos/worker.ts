// A worker process of the chaos harness: the product's own `runWorker`, with pauses and script texts passed in as one
// JSON argument. It ends with the harness.
import { Registry } from 'prom-client'
import { loadSettings, secretsOf } from '../../shared/config.ts'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { createWorkerMetrics } from '../../worker/ops/worker-metrics.ts'
import type { Pauses } from '../../worker/pauses.ts'
import { runWorker } from '../../worker/run-worker.ts'
import { type Break, brokenScripts, brokenTerms } from './breaks.ts'
import { WATCHDOG_EXIT } from './processes.ts'
import { stopAtConnectWhenTold } from './stop-at-connect.ts'

export interface WorkerArgument {
  name: string
  /** As the product's settings are named. */
  env: Record<string, string>
  pauses: Pauses
  breaks: Break | null
}

const { name, env, pauses, breaks } = JSON.parse(process.argv[2] ?? '') as WorkerArgument
process.once('disconnect', () => process.exit(0))
stopAtConnectWhenTold()

const loaded = loadSettings(env, ['redis', 'dispatch'])
if (!loaded.ok) throw new Error(loaded.problems.join('; '))
const { settings, ...terms } = brokenTerms(breaks, loaded.settings, pauses)
const redact = createRedactor(secretsOf(settings))
const worker = await runWorker({
  redisUrl: env.REDIS_URL ?? '',
  settings,
  redact,
  metrics: createWorkerMetrics(new Registry()),
  log: createLogger({ level: settings.LOG_LEVEL, redact }),
  name,
  ...terms,
  ...(breaks && { readScript: brokenScripts(breaks) }),
  onStuck: () => process.exit(WATCHDOG_EXIT),
})
process.once('SIGTERM', async () => {
  await worker.close(pauses.dispatchTimeoutMs * 2)
  process.exit(0)
})
process.send?.('ready')
