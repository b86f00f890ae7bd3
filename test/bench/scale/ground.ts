// A Redis with so much in it, and the product's server and a worker's parts on it.
import { Agent, get } from 'node:http'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { loadSettings } from '../../../shared/config.ts'
import { createLedger, type Ledger } from '../../../shared/ledger/ledger.ts'
import { createLedgerReader, type LedgerReader } from '../../../shared/ledger/read.ts'
import { silentLogger } from '../../../shared/logger.ts'
import { createQueue, DEAD_LETTERS, PROMOTIONS, TRACKING } from '../../../shared/queues.ts'
import { connectForWorker } from '../../../shared/redis/connect.ts'
import { secretFromValue } from '../../../shared/secret.ts'
import { serve } from '../../../standalone/serve.ts'
import { health } from '../../../worker/ops/health.ts'
import { createWorkerMetrics } from '../../../worker/ops/worker-metrics.ts'
import { startPrivateRedis } from '../../support/private-redis.ts'
import { type Filled, fill } from './fill.ts'

export interface Ground {
  filled: Filled
  redis: Redis
  ledger: Ledger
  reader: LedgerReader
  queues: Record<'promotions' | 'tracking' | 'deadLetters', ReturnType<typeof createQueue>>
  /** The body of an answer that is no refusal; `worker` is asked where it says so. */
  read(path: string, from?: 'server' | 'worker'): Promise<string>
  close(): Promise<void>
}

const PASSWORD = 'password-of-a-benchmark'

export async function prepare(promotions: number): Promise<Ground> {
  const ends: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const end of ends.reverse()) await end().catch(() => {})
  }
  try {
    const server = await startPrivateRedis()
    ends.push(server.stop)
    const redis = connectForWorker(server.url, silentLogger)
    ends.push(async () => redis.disconnect())
    const filled = await fillOver(server.url, promotions)
    const relay = await startServer(server.url)
    ends.push(relay.close)
    const worker = Fastify({ logger: false })
    const registry = new Registry()
    createWorkerMetrics(registry)
    await worker.register(health, { redis, registry, log: silentLogger })
    const workerUrl = await worker.listen({ port: 0, host: '127.0.0.1' })
    ends.push(() => worker.close())
    const agent = new Agent({ keepAlive: true })
    ends.push(async () => agent.destroy())
    const [promotionsQueue, tracking, deadLetters] = [PROMOTIONS, TRACKING, DEAD_LETTERS].map((name) => {
      const queue = createQueue(name, redis)
      ends.push(() => queue.close())
      return queue
    }) as [ReturnType<typeof createQueue>, ReturnType<typeof createQueue>, ReturnType<typeof createQueue>]
    return {
      filled,
      redis,
      ledger: createLedger({ redis }),
      reader: createLedgerReader({ redis }),
      queues: { promotions: promotionsQueue, tracking, deadLetters },
      read: (path, from = 'server') => bodyOf(`${from === 'server' ? relay.url : workerUrl}${path}`, agent),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A connection of its own: a batch of copies takes longer than the product waits for anything. */
async function fillOver(url: string, promotions: number): Promise<Filled> {
  const redis = new Redis(url, { replyMapping: 'legacy' })
  try {
    return await fill(redis, promotions)
  } finally {
    redis.disconnect()
  }
}

async function startServer(redisUrl: string) {
  const loaded = loadSettings(
    { REDIS_URL: redisUrl, PORT: '0', RELAY_API_TOKEN: PASSWORD, OPS_PASSWORD: PASSWORD },
    ['redis', 'server'],
  )
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return serve({
    redisUrl,
    settings: loaded.settings,
    apiToken: secretFromValue('RELAY_API_TOKEN', PASSWORD),
    opsPassword: secretFromValue('OPS_PASSWORD', PASSWORD),
    registry: new Registry(),
    log: silentLogger,
  })
}

function bodyOf(url: string, agent: Agent): Promise<string> {
  const authorization = url.includes('/v1/') ? `Bearer ${PASSWORD}` : `Basic ${btoa(`ops:${PASSWORD}`)}`
  return new Promise((resolve, reject) => {
    const asked = get(
      url,
      { agent, headers: { authorization, accept: 'text/html, application/json' } },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => {
          body += part
        })
        answer.on('error', reject)
        answer.on('end', () => {
          const { statusCode = 0 } = answer
          if (statusCode < 400) resolve(body)
          else reject(new Error(`${url}: ${statusCode} ${body.slice(0, 500)}`))
        })
      },
    )
    asked.on('error', reject)
  })
}
