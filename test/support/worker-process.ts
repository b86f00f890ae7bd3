/** A worker alone, as a process that a test can kill or stop: settings from the environment, pauses as argument. */
import { Registry } from 'prom-client'
import { loadSettings, secretsOf } from '../../shared/config.ts'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { createWorkerMetrics } from '../../worker/ops/worker-metrics.ts'
import { PAUSES, type Pauses } from '../../worker/pauses.ts'
import { runWorker } from '../../worker/run-worker.ts'

const pauses = JSON.parse(process.argv[2] ?? '{}') as Partial<Pauses>
const loaded = loadSettings(process.env, ['redis', 'dispatch'])
if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
const { settings } = loaded
const redact = createRedactor(secretsOf(settings))
await runWorker({
  redisUrl: settings.REDIS_URL?.read() ?? '',
  settings,
  redact,
  metrics: createWorkerMetrics(new Registry()),
  log: createLogger({ level: 'info', redact }),
  name: `process-${process.pid}`,
  pauses: { ...PAUSES, ...pauses },
  onStuck: () => process.exit(1),
})
