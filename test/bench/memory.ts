// How much of Redis a promotion keeps at its end: `node test/bench/memory.ts [--targets N] [--rounds N]`. The real
// producer and worker on a Redis of their own, against the simulator; each round takes the next version of every target
// to its end. Prints one line of JSON; BullMQ's streams of events, which have a limit of their own, are left out.
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { createProducer } from '../../producer/index.ts'
import { loadSettings, secretsOf } from '../../shared/config.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { silentLogger } from '../../shared/logger.ts'
import { bullPrefix, DEAD_LETTERS, PROMOTIONS, TRACKING } from '../../shared/queues.ts'
import { createRedactor } from '../../shared/redact.ts'
import { createWorkerMetrics } from '../../worker/ops/worker-metrics.ts'
import { PAUSES } from '../../worker/pauses.ts'
import { runWorker } from '../../worker/run-worker.ts'
import { startSimulator } from '../github-simulator/simulator.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, targets: { type: 'string' } } })
const rounds = Number(values.rounds ?? 20)
const targets = Number(values.targets ?? 50)

const server = await startPrivateRedis({ appendfsync: 'no' })
const simulator = await startSimulator({ queuedMs: 0, runMs: 0 })
const loaded = loadSettings(
  {
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_API_URL: simulator.url,
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    GITHUB_TOKEN: 'ghp_bench-token',
    DISPATCH_RATE_PER_SECOND: '10000',
    TRACK_INTERVAL_SECONDS: '0.05',
  },
  ['dispatch'],
)
if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
const worker = await runWorker({
  redisUrl: server.url,
  settings: loaded.settings,
  redact: createRedactor(secretsOf(loaded.settings)),
  metrics: createWorkerMetrics(new Registry()),
  log: silentLogger,
  name: 'bench',
  pauses: { ...PAUSES, sweepMs: 1_000, settleMs: 500 },
  onStuck() {},
})
const redis = new Redis(server.url, { replyMapping: 'legacy' })
const reader = createLedgerReader({ redis })
const producer = createProducer({ redisUrl: server.url })

/** One of every kind of figure that a training run tells. */
const METRICS = { auc: 0.981, f1: 0.902, precision: 0.911, recall: 0.894, loss: 0.0713 }

async function promoteAll(version: number): Promise<void> {
  for (let n = 0; n < targets; n++) {
    const model = `fraud-detector-${n}`
    const request = { model, version: String(version), accuracy: 0.9234, metrics: METRICS }
    const key = { idempotencyKey: `training-run-${version}-${n}` }
    const { status } = await producer.promote(request, key)
    if (status !== 'accepted') throw new Error(`version ${version} is ${status}`)
  }
  await until(
    'every one is live',
    async () => {
      const counts = Object.values(await reader.countByState())
      return counts.every((count) => count === 0)
    },
    120_000,
  )
}

async function usedBytes(): Promise<number> {
  for (const queue of [PROMOTIONS, TRACKING, DEAD_LETTERS]) {
    await redis.xtrim(`${bullPrefix()}:${queue}:events`, 'MAXLEN', 0)
  }
  const info = await redis.info('memory')
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return bytes('used_memory') - bytes('mem_clients_normal') - bytes('mem_aof_buffer')
}

// What is there once for each target, and BullMQ's own, is there after the first.
await promoteAll(0)
const before = await usedBytes()
for (let round = 1; round <= rounds; round++) await promoteAll(round)
const after = await usedBytes()

const promotions = rounds * targets
const bytesEach = Math.round((after - before) / promotions)
process.stdout.write(`${JSON.stringify({ promotions, bytesEach })}\n`)

await producer.close()
await worker.close()
redis.disconnect()
await simulator.close()
await server.stop()
