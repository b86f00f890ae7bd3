// What every comparison stands on: one Redis as the product has it (AOF, fsync always), the bare simulator, and the two
// that are compared, each started anew for each round on an empty Redis.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createProducer, type Producer } from '../../producer/index.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { type Process, startProgram, startRelay } from './processes.ts'

/** `fresh`: the plain thing on a fresh connection for each call. */
export type Contender = 'plain' | 'fresh' | 'ours'

export interface Stage {
  readonly redisUrl: string
  readonly redis: Redis
  /** An empty Redis and a simulator that has seen nothing. `held`: its runs go on until `tell`. */
  clear(how?: { held: boolean }): Promise<void>
  /** Webhooks tell of every held run: queued, running, completed. */
  tell(): Promise<void>
  /** So many workers of ours, or one plain one; with the server that hears webhooks, as ours is whole. */
  startWorkers(
    who: Contender,
    concurrency: number,
    count?: number,
  ): Promise<{ pids: number[]; end(): Promise<void> }>
  startServer(): Promise<Process>
  producer(): Producer
  /** What the simulator was asked for so far, in the order of arrival; ms since the epoch. */
  arrivals(): Promise<[string, number][]>
  /** Waits until so many dispatches have come. */
  dispatched(count: number, everyMs?: number): Promise<void>
  /** Waits until so many promotions have ended, as the ledger says. */
  ended(count: number): Promise<void>
  /** Waits until no job is waiting or active. */
  idle(): Promise<void>
  close(): Promise<void>
}

export const API_TOKEN = 'token-of-a-bench-0001'

export async function openStage({ appendfsync = 'always' } = {}): Promise<Stage> {
  const server = await startPrivateRedis({ appendfsync })
  const redis = new Redis(server.url, { replyMapping: 'legacy' })
  const secret = randomBytes(24).toString('hex')
  const serverPort = await pickFreePort()
  const simulator = await startProgram(
    'bare-simulator.ts',
    ['--webhook-url', `http://127.0.0.1:${serverPort}/v1/webhooks/github`],
    { GITHUB_WEBHOOK_SECRET: secret },
  )
  const env = {
    REDIS_URL: server.url,
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_API_URL: simulator.word,
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    GITHUB_TOKEN: 'ghp_token-of-a-bench',
    GITHUB_WEBHOOK_SECRET: secret,
    RELAY_API_TOKEN: API_TOKEN,
    OPS_PASSWORD: 'password-of-a-bench-0001',
    API_RATE_PER_MINUTE: '1000000',
    DISPATCH_RATE_PER_SECOND: '10000',
    // Runs of hours: what waits for them looks rarely.
    TRACK_INTERVAL_SECONDS: '60',
  }
  const ask = async <T>(path: string, method = 'GET') =>
    (await (await fetch(`${simulator.word}${path}`, { method })).json()) as T

  return {
    redisUrl: server.url,
    redis,
    async clear({ held } = { held: false }) {
      await redis.flushall()
      await ask(`/_bench/reset${held ? '?held' : ''}`, 'POST')
    },
    tell: () => ask('/_bench/tell', 'POST'),
    async startWorkers(who, concurrency, count = 1) {
      const processes: Process[] = []
      const fresh = who === 'fresh'
      const plain = { redisUrl: server.url, githubUrl: simulator.word, concurrency, fresh }
      if (who !== 'ours') processes.push(await startProgram('plain-worker.ts', [JSON.stringify(plain)]))
      for (let n = 0; who === 'ours' && n < count; n++) {
        const ours = { ...env, WORKER_CONCURRENCY: String(concurrency) }
        processes.push(await startRelay('work', await pickFreePort(), ours))
      }
      return {
        pids: processes.map(({ pid }) => pid),
        end: async () => void (await Promise.all(processes.map((one) => one.end()))),
      }
    },
    startServer: () => startRelay('serve', serverPort, env),
    producer: () => createProducer({ redisUrl: server.url, deadlineMs: 60_000 }),
    arrivals: () => ask<[string, number][]>('/_bench/arrivals'),
    dispatched: (count, everyMs) =>
      look(async () => (await ask<{ count: number }>('/_bench/count')).count >= count, everyMs),
    ended: (count) => look(async () => (await redis.zcard('{relay:0}:ended')) >= count),
    idle: () =>
      look(async () => {
        const lists = ['promotions', 'tracking'].flatMap((queue) => [`${queue}:wait`, `${queue}:active`])
        const lengths = await Promise.all(lists.map((list) => redis.llen(`{relay:0}:bull:${list}`)))
        return lengths.every((length) => length === 0)
      }),
    async close() {
      redis.disconnect()
      await simulator.end()
      await server.stop()
    },
  }
}

const PATIENCE_MS = 180_000

/** Rarely, so that looking costs nothing. */
async function look(is: () => Promise<boolean>, everyMs = 50): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  while (!(await is())) {
    if (Date.now() > until) throw new Error('waited in vain for what a round was to bring about')
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
