/**
 * A relay of a test's own: the simulator, a producer and as many workers as asked for, on an empty test database.
 * All of it is undone when the test ends, in reverse order; a connection to Redis that is left behind fails it, and
 * so does a key that `keys.md` does not describe.
 */
import { type Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { createProducer, type Producer, type PromotionRequest } from '../../producer/index.ts'
import { type Environment, loadSettings, type Settings, secretsOf } from '../../shared/config.ts'
import { createLedger, type Ledger } from '../../shared/ledger/ledger.ts'
import { ENDED, type Promotion, type State } from '../../shared/ledger/promotion-record.ts'
import { createLedgerReader, type LedgerReader } from '../../shared/ledger/read.ts'
import { createLogger, silentLogger } from '../../shared/logger.ts'
import {
  asConnection,
  bullPrefix,
  circuitJobId,
  createQueue,
  DEAD_LETTERS,
  deadLetterJobId,
  FEEDBACK,
  PROMOTIONS,
  TRACKING,
} from '../../shared/queues.ts'
import { createRedactor } from '../../shared/redact.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import type { Tracing } from '../../shared/tracing.ts'
import type { RateLimit } from '../../worker/github/rate-limit.ts'
import { PAUSES, type Pauses } from '../../worker/pauses.ts'
import { type RunningWorker, runWorker } from '../../worker/run-worker.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'
import { keysMustBeDescribed } from './keys-described.ts'
import { testRedis } from './test-redis.ts'
import { until } from './until.ts'

export interface RelayOptions {
  simulator?: SimulatorOptions
  /** Settings that differ from `SETTINGS`. */
  env?: Environment
  pauses?: Partial<Pauses>
  /** How many workers to start; 1 by default. */
  workers?: number
  /** A Redis of the test's own; the shared one's test database by default. */
  redisUrl?: string
  tracing?: Tracing | undefined
}

export interface LogLine {
  level: string
  msg: string
  [field: string]: unknown
}

export interface Relay {
  readonly redisUrl: string
  readonly settings: Settings
  readonly simulator: Simulator
  readonly producer: Producer
  readonly redis: Redis
  readonly ledger: Ledger
  readonly reader: LedgerReader
  readonly queues: { promotions: Queue; tracking: Queue; deadLetters: Queue; feedback: Queue }
  /** What the workers logged. */
  readonly lines: LogLine[]
  /** What the workers counted: outcomes of attempts, conclusions of runs. */
  readonly counted: { attempts: string[]; deployments: string[]; feedback: string[] }
  /** What the workers were told of the rate limit and of the token's end (ms since the epoch), in order. */
  readonly told: { limits: RateLimit[]; expiries: (number | undefined)[]; off: Map<string, boolean> }
  startWorker(change?: { pauses?: Partial<Pauses>; env?: Environment }): Promise<RunningWorker>
  /** Promotes a version of `fraud-detector` that must be accepted. @returns its id */
  promote(version: string, more?: Partial<PromotionRequest>): Promise<string>
  /** Waits for the state. @throws with the timeline when it does not come */
  reaches(id: string, state: State, withinMs?: number): Promise<Promotion>
  ends(id: string, withinMs?: number): Promise<Promotion>
  /** Waits until the promotion waits for this. */
  waitsFor(id: string, code: string): Promise<Promotion>
  /** Waits until the promotion's dead letter of this number is parked under Failed. */
  parked(id: string, deadLetter?: number): Promise<Job>
  /** Waits until the one open circuit is an entry under Failed. */
  circuitParked(): Promise<Job>
  /** Waits until every promotion is at its end or with a person, and no job waits or runs. */
  idle(): Promise<void>
  /** The versions of the runs that were started, in order. */
  versionsRun(): string[]
}

/** Quick, so that a test waits for nothing; what a test is about, it sets itself. */
const SETTINGS: Environment = {
  ENABLE_CD_TRIGGER: 'true',
  GITHUB_REPO_OWNER: 'acme',
  GITHUB_REPO_NAME: 'models',
  GITHUB_TOKEN: 'ghp_test-token-0001',
  DISPATCH_RATE_PER_SECOND: '1000',
  DISPATCH_BACKOFF_BASE_SECONDS: '0.02',
  DISPATCH_BACKOFF_MAX_SECONDS: '0.1',
  TRACK_INTERVAL_SECONDS: '0.03',
  RESOLVE_PATIENCE_SECONDS: '0.3',
}

const QUICK: Pauses = {
  ...PAUSES,
  recheckMs: 1_000,
  hearAgainMs: 20,
  circuitPauseMs: 100,
  faultPauseMs: 100,
  tokenPauseMs: 50,
  probeMs: 30,
  resolveMs: 50,
  sweepMs: 500,
  settleMs: 1_000,
  feedback: { ...PAUSES.feedback, drainMs: 50, retryMs: 20, busyMs: 20 },
}

export async function startRelay(options: RelayOptions = {}): Promise<Relay> {
  const undo: (() => unknown)[] = []
  onTestFinished(async () => {
    for (const step of undo.reverse()) await step()
  }, 30_000)

  const redisUrl = options.redisUrl ?? (await testRedis()).url
  if (options.redisUrl === undefined)
    undo.push(
      () => keysMustBeDescribed(redisUrl),
      () => noConnectionLeft(redisUrl),
    )
  const simulator = await startSimulator({ queuedMs: 0, runMs: 0, ...options.simulator })
  undo.push(simulator.close)

  const lines: LogLine[] = []
  const counted = { attempts: [] as string[], deployments: [] as string[], feedback: [] as string[] }
  const told: Relay['told'] = { limits: [], expiries: [], off: new Map() }
  const settingsWith = (env: Environment = {}) => {
    const given = { ...SETTINGS, REDIS_URL: redisUrl, GITHUB_API_URL: simulator.url, ...options.env, ...env }
    const loaded = loadSettings(given, ['redis', 'dispatch'])
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
    return loaded.settings
  }
  const settings = settingsWith()

  const redis = connectForWorker(redisUrl, silentLogger)
  undo.push(() => redis.disconnect())
  const reader = createLedgerReader({ redis })
  const queueNamed = (name: string) => {
    const queue = createQueue(name, redis)
    queue.on('error', () => {})
    undo.push(() => queue.close())
    return queue
  }
  const queues = {
    promotions: queueNamed(PROMOTIONS),
    tracking: queueNamed(TRACKING),
    deadLetters: queueNamed(DEAD_LETTERS),
    feedback: queueNamed(FEEDBACK),
  }
  const producer = createProducer({ redisUrl })
  undo.push(producer.close)

  let workers = 0
  const relay: Relay = {
    redisUrl,
    settings,
    simulator,
    producer,
    redis,
    ledger: createLedger({ redis }),
    reader,
    queues,
    lines,
    counted,
    told,

    async startWorker({ pauses, env } = {}) {
      const own = settingsWith(env)
      const redact = createRedactor(secretsOf(own))
      const destination = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }
      const worker = await runWorker({
        redisUrl,
        settings: own,
        redact,
        metrics: {
          attempt: ({ outcome }) => void counted.attempts.push(outcome),
          deployment: ({ conclusion }) => void counted.deployments.push(conclusion),
          rateLimit: (limit) => void told.limits.push(limit),
          tokenExpiry: (atMs) => void told.expiries.push(atMs),
          feedback: ({ sink, result }) => void counted.feedback.push(`${sink} ${result}`),
          feedbackOff: ({ sink, off }) => void told.off.set(sink, off),
        },
        tracing: options.tracing,
        log: createLogger({ level: 'debug', redact, destination }),
        name: `worker-${++workers}`,
        pauses: { ...QUICK, ...options.pauses, ...pauses },
        onStuck: () => void lines.push({ level: 'fatal', msg: 'stuck' }),
      })
      let closed: Promise<void> | undefined
      const close = (withinMs = 5_000) => {
        closed ??= worker.close(withinMs)
        return closed
      }
      undo.push(() => close())
      return { ...worker, close }
    },

    async promote(version, more = {}) {
      const result = await producer.promote({ model: 'fraud-detector', version, ...more })
      if (result.status !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(result)}`)
      return result.id
    },

    reaches: (id, state, withinMs) => when(id, state, (one) => one.state === state, withinMs),
    ends: (id, withinMs) => when(id, 'an end', (one) => ENDED.includes(one.state), withinMs),
    waitsFor: (id, code) => when(id, `a wait: ${code}`, (one) => one.wait?.code === code),

    parked(id, deadLetter = 1) {
      const jobId = deadLetterJobId(id, deadLetter)
      return until(`${jobId} is under Failed`, async () => {
        const state = await queues.deadLetters.getJobState(jobId)
        return state === 'failed' && queues.deadLetters.getJob(jobId)
      })
    },

    circuitParked() {
      return until('the open circuit is under Failed', async () => {
        const [circuit] = await reader.openCircuits()
        if (!circuit) return false
        const jobId = circuitJobId(circuit)
        const state = await queues.deadLetters.getJobState(jobId)
        return state === 'failed' && queues.deadLetters.getJob(jobId)
      })
    },

    async idle() {
      await until('nothing is under way', async () => {
        const { accepted, dispatching, dispatched } = await reader.countByState()
        if (accepted + dispatching + dispatched > 0) return false
        const counts = await Promise.all(
          Object.values(queues).map((queue) => queue.getJobCounts('waiting', 'active')),
        )
        return counts.every((count) => Object.values(count).every((jobs) => jobs === 0))
      })
    },

    versionsRun: () => simulator.runs.map(({ inputs }) => inputs.model_version ?? ''),
  }

  async function when(
    id: string,
    what: string,
    is: (promotion: Promotion) => boolean,
    withinMs?: number,
  ): Promise<Promotion> {
    const look = async () => {
      const promotion = await reader.promotion(id)
      return promotion && is(promotion) ? promotion : undefined
    }
    return until(`${id} reaches ${what}`, look, withinMs).catch(async (error: Error) => {
      const seen = await Promise.all([reader.promotion(id), reader.timeline(id)])
      throw new Error(`${error.message}\n${JSON.stringify(seen, null, 1)}`)
    })
  }

  for (let n = 0; n < (options.workers ?? 1); n++) await relay.startWorker()
  return relay
}

/** Another client of BullMQ, such as a training pipeline that knows nothing of ours. */
export function foreignQueue(redisUrl: string): Queue {
  const redis = connectForWorker(redisUrl, silentLogger)
  const queue = new Queue(PROMOTIONS, { connection: asConnection(redis), prefix: bullPrefix() })
  onTestFinished(async () => {
    await queue.close()
    redis.disconnect()
  })
  return queue
}

/** Each vitest process has a database of its own: whoever is still connected to it was left behind. */
async function noConnectionLeft(redisUrl: string): Promise<void> {
  const redis = connectForWorker(redisUrl, silentLogger)
  try {
    const own = Number(await redis.client('ID'))
    const database = new URL(redisUrl).pathname.slice(1)
    await until(
      'every connection to the test database is closed',
      async () => {
        const clients = String(await redis.client('LIST')).split('\n')
        return clients.every((line) => !line.includes(` db=${database} `) || line.startsWith(`id=${own} `))
      },
      5_000,
    )
  } finally {
    redis.disconnect()
  }
}
