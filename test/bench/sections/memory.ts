// How much of Redis a promotion keeps at its end, and where: the real producer and worker on a Redis of their own, against
// the simulator; each round takes the next version of every target to its end. BullMQ's streams of events, which have a
// limit of their own, are left out.
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { v7 as newPromotionId } from 'uuid'
import { createProducer } from '../../../producer/index.ts'
import { loadSettings, secretsOf } from '../../../shared/config.ts'
import { createLedger } from '../../../shared/ledger/ledger.ts'
import { createLedgerReader } from '../../../shared/ledger/read.ts'
import { silentLogger } from '../../../shared/logger.ts'
import { validatePromotion } from '../../../shared/promotion.ts'
import { bullPrefix, DEAD_LETTERS, PROMOTIONS, TRACKING } from '../../../shared/queues.ts'
import { createRedactor } from '../../../shared/redact.ts'
import { KEY_PREFIX } from '../../../shared/redis/connect.ts'
import { createWorkerMetrics } from '../../../worker/ops/worker-metrics.ts'
import { PAUSES } from '../../../worker/pauses.ts'
import { runWorker } from '../../../worker/run-worker.ts'
import { startSimulator } from '../../github-simulator/simulator.ts'
import { startPrivateRedis } from '../../support/private-redis.ts'
import { until } from '../../support/until.ts'
import type { Options, Result, Section } from '../section.ts'
import { short } from '../statistics.ts'

/** One of every kind of figure that a training run tells. */
const METRICS = { auc: 0.981, f1: 0.902, precision: 0.911, recall: 0.894, loss: 0.0713 }
const DAY_MS = 24 * 3_600_000
const MOST_BYTES = 2_048
const QUEUES = [PROMOTIONS, TRACKING, DEAD_LETTERS]

/** What a promotion keeps, bytes. */
interface Kept {
  atOnce: number
  /** Without what ends by itself within a day. */
  afterADay: number
  byKind: ReadonlyMap<string, { bytes: number; goes: string }>
}

interface Size {
  targets: number
  versions: number
}

/** Brings this version of every target to its end. */
type End = (version: number) => Promise<void>

export const memory: Section = {
  name: 'memory',
  title: 'Memory kept of a promotion at its end',
  async run({ quick }: Options): Promise<Result> {
    // What does not grow with them, some 100 KB, is shared by many.
    const size = quick ? { targets: 20, versions: 4 } : { targets: 50, versions: 80 }
    return resultOf(await ofDeployed(size), await ofSuperseded(size))
  },
}

/** Each with metrics, an idempotency key, and a run that is followed to its end. */
function ofDeployed(size: Size): Promise<Kept> {
  return withRedis(async (redisUrl, redis, atEnd) => {
    const simulator = await startSimulator({ queuedMs: 0, runMs: 0, rateLimit: 1_000_000 })
    atEnd(() => simulator.close())
    const worker = await startWorker(redisUrl, simulator.url)
    atEnd(() => worker.close())
    const producer = createProducer({ redisUrl })
    atEnd(() => producer.close())
    const reader = createLedgerReader({ redis })

    return measure(redis, size, async (version) => {
      for (let n = 0; n < size.targets; n++) {
        const { status } = await producer.promote(requestOf(version, n), {
          idempotencyKey: keyOf(version, n),
        })
        if (status !== 'accepted') throw new Error(`version ${version} is ${status}`)
      }
      await until(
        'every one has ended',
        async () => Object.values(await reader.countByState()).every((count) => count === 0),
        120_000,
      )
      const newest = await reader.newest(size.targets)
      if (newest.some(({ state }) => state !== 'deployed')) throw new Error('not every one is deployed')
    })
  })
}

/** Each taken in, made to wait, and superseded by the next one: in an outage those are the many. */
function ofSuperseded(size: Size): Promise<Kept> {
  return withRedis(async (_, redis) => {
    const ledger = createLedger({ redis })
    return measure(redis, size, async (version) => {
      for (let n = 0; n < size.targets; n++) {
        const valid = validatePromotion(requestOf(version, n))
        if (!valid.ok) throw new Error(`version ${version} is not valid`)
        const { model, environment } = valid.value
        const { id } = await ledger.accept(newPromotionId(), valid.value, keyOf(version, n))
        if (version === 0) await ledger.hold({ model, environment, by: 'bench', why: 'GitHub is away' })
        const { kind } = await ledger.claim({ id, ...CLAIM })
        if (kind !== 'wait') throw new Error(`version ${version} does not wait: ${kind}`)
      }
      // As where nobody wants any.
      await redis.del(`${KEY_PREFIX}:news`)
    })
  })
}

async function withRedis<T>(
  run: (url: string, redis: Redis, atEnd: (close: () => unknown) => void) => Promise<T>,
): Promise<T> {
  const closes: (() => unknown)[] = []
  const server = await startPrivateRedis({ appendfsync: 'no' })
  closes.push(() => server.stop())
  const redis = new Redis(server.url, { replyMapping: 'legacy' })
  closes.push(() => redis.disconnect())
  try {
    return await run(server.url, redis, (close) => closes.push(close))
  } finally {
    for (const close of closes.toReversed()) await close()
  }
}

const CLAIM = {
  token: 'bench',
  worker: 'bench',
  enabled: true,
  repository: 'acme/models',
  workflow: 'cd_pipeline.yml',
  slotMs: 0,
  uncertainMs: 60_000,
  recheckMs: 60_000,
  maxClaims: 10,
}

function requestOf(version: number, n: number) {
  return { model: `fraud-detector-${n}`, version: String(version), accuracy: 0.9234, metrics: METRICS }
}

function keyOf(version: number, n: number): string {
  return `training-run-${version}-${n}`
}

/** What is there once for each target, and BullMQ's own, is there after the first version. */
async function measure(redis: Redis, { targets, versions }: Size, end: End): Promise<Kept> {
  await end(0)
  await atRest(redis)
  const before = { used: await usedBytes(redis), kinds: await bytesByKind(redis) }
  for (let version = 1; version <= versions; version++) await end(version)
  await atRest(redis)
  const after = { used: await usedBytes(redis), kinds: await bytesByKind(redis) }
  const passing = await passADay(redis)
  const left = await usedBytes(redis)

  const count = targets * versions
  const atOnce = (after.used - before.used) / count
  // Those of the first version went with them.
  const gone = (after.used - left) / (count + targets)
  const byKind = new Map(
    [...after.kinds]
      .map(([kind, bytes]) => [kind, (bytes - (before.kinds.get(kind) ?? 0)) / count] as const)
      .filter(([, bytes]) => bytes >= 1)
      .sort(([, a], [, b]) => b - a)
      .map(([kind, bytes]) => [kind, { bytes, goes: passing.get(kind) ?? 'with it' }] as const),
  )
  return { atOnce, afterADay: atOnce - gone, byKind }
}

/** No job is left, and what happened is told. */
async function atRest(redis: Redis): Promise<void> {
  await until('nothing is under way', async () => {
    const counts = await Promise.all([
      ...QUEUES.flatMap((queue) => [
        redis.llen(`${bullPrefix()}:${queue}:wait`),
        redis.llen(`${bullPrefix()}:${queue}:active`),
        redis.zcard(`${bullPrefix()}:${queue}:delayed`),
      ]),
      redis.exists(`${KEY_PREFIX}:news`),
    ])
    return counts.every((count) => count === 0)
  })
}

async function usedBytes(redis: Redis): Promise<number> {
  for (const queue of QUEUES) await redis.xtrim(`${bullPrefix()}:${queue}:events`, 'MAXLEN', 0)
  const info = await redis.info('memory')
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return bytes('used_memory') - bytes('mem_clients_normal') - bytes('mem_aof_buffer')
}

/** `promotion`, `timeline`, …: what keys.md describes. */
function kindOf(name: string): string {
  return name.slice(KEY_PREFIX.length + 1).split(/[:\n]/)[0] ?? ''
}

async function bytesByKind(redis: Redis): Promise<Map<string, number>> {
  const sums = new Map<string, number>()
  for (const name of await redis.keys(`${KEY_PREFIX}:*`)) {
    const bytes = Number(await redis.memory('USAGE', name, 'SAMPLES', 0))
    sums.set(kindOf(name), (sums.get(kindOf(name)) ?? 0) + bytes)
  }
  return sums
}

/** Takes away what ends by itself within a day. @returns after how long it goes, by kind, where it goes by itself */
async function passADay(redis: Redis): Promise<Map<string, string>> {
  const goes = new Map<string, string>()
  for (const name of await redis.keys(`${KEY_PREFIX}:*`)) {
    const leftMs = await redis.pttl(name)
    if (leftMs < 0) continue
    const hours = Math.ceil(leftMs / 3_600_000)
    goes.set(kindOf(name), hours > 24 ? `after ${Math.ceil(hours / 24)} days` : `after ${hours} h`)
    if (leftMs <= DAY_MS) await redis.del(name)
  }
  return goes
}

function resultOf(deployed: Kept, superseded: Kept): Result {
  const table = (what: string, { atOnce, afterADay, byKind }: Kept) => {
    const named = [...byKind.values()].reduce((sum, { bytes }) => sum + bytes, 0)
    return {
      title: `A ${what} promotion, bytes by kind of key (keys.md in shared/ledger)`,
      columns: ['key', 'bytes', 'goes'],
      rows: [
        ...[...byKind].map(([kind, { bytes, goes }]) => [kind, short(bytes), goes]),
        ["Redis's tables of keys and ends", short(atOnce - named), 'with its keys'],
        ['together, at once', short(atOnce), ''],
        ['together, after a day', short(afterADay), ''],
      ],
    }
  }
  return {
    figures: {
      bytesPerTerminalPromotion: Math.round(deployed.afterADay),
      atOnceBytesPerTerminalPromotion: Math.round(deployed.atOnce),
      bytesPerSupersededPromotion: Math.round(superseded.afterADay),
      atOnceBytesPerSupersededPromotion: Math.round(superseded.atOnce),
    },
    tables: [table('deployed', deployed), table('superseded', superseded)],
    targets: [
      {
        what: 'kept of a deployed promotion after a day',
        value: Math.round(deployed.afterADay),
        unit: 'bytes',
        atMost: MOST_BYTES,
      },
    ],
    notes: [
      'Each with five metrics and an idempotency key, of 50 targets. The deployed ones were sent once, and their run was seen once, at its end: each further attempt, wait or status of a run is an entry more in the timeline. A text of more than 64 bytes in the record makes it 1 KB larger, and more than 128 promotions of its model make its `history` one of 135 bytes.',
      'The target is about what stays; in its first hour and on its first day a promotion keeps more. Of fewer promotions each bears more of what is there once: of 1,000 some 100 bytes. Less would need one sorted set in place of `ended` and `promotions`.',
    ],
  }
}

function startWorker(redisUrl: string, simulatorUrl: string) {
  const loaded = loadSettings(
    {
      ENABLE_CD_TRIGGER: 'true',
      GITHUB_API_URL: simulatorUrl,
      GITHUB_REPO_OWNER: 'acme',
      GITHUB_REPO_NAME: 'models',
      GITHUB_TOKEN: 'ghp_bench-token',
      DISPATCH_RATE_PER_SECOND: '10000',
      TRACK_INTERVAL_SECONDS: '0.05',
    },
    ['dispatch'],
  )
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return runWorker({
    redisUrl,
    settings: loaded.settings,
    redact: createRedactor(secretsOf(loaded.settings)),
    metrics: createWorkerMetrics(new Registry()),
    log: silentLogger,
    name: 'bench',
    pauses: { ...PAUSES, sweepMs: 1_000, settleMs: 500 },
    onStuck() {},
  })
}
