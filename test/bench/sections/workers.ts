// Dispatches per second with one, two and four worker processes on the same Redis. The jobs are there and the queue is
// paused until every worker is ready, so that none begins before the others.
import { Redis } from 'ioredis'
import { createQueue, PROMOTIONS } from '../../../shared/queues.ts'
import type { Result, Section } from '../section.ts'
import { openStage, type Stage } from '../stage.ts'
import { median, short, withSpread } from '../statistics.ts'
import { promote } from './dispatch.ts'

const WORKERS = [1, 2, 4]
const CONCURRENCY = 16
/** Left out at the beginning: connections, caches, the compiler. */
const WARM_UP = 0.2

export const workers: Section = {
  name: 'workers',
  title: 'One, two and four workers',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    try {
      const seen = new Map<number, number[]>(WORKERS.map((count) => [count, []]))
      for (let round = 0; round < rounds; round++) {
        for (const count of WORKERS)
          seen.get(count)?.push(await dispatchesPerSecond(stage, count, quick ? 40 : 3_000))
      }
      return resultOf(seen)
    } finally {
      await stage.close()
    }
  },
}

async function dispatchesPerSecond(stage: Stage, count: number, promotions: number): Promise<number> {
  await stage.clear()
  const redis = new Redis(stage.redisUrl, { replyMapping: 'legacy' })
  const queue = createQueue(PROMOTIONS, redis)
  const server = await stage.startServer()
  await queue.pause()
  await promote(stage, promotions)
  const started = await stage.startWorkers('ours', CONCURRENCY, count)
  try {
    const early = (await stage.arrivals()).length
    if (early > 0) throw new Error(`${early} dispatches while the queue was paused`)
    await queue.resume()
    await stage.ended(promotions)
    const arrivals = await stage.arrivals()
    const different = new Set(arrivals.map(([id]) => id)).size
    if (arrivals.length !== promotions || different !== promotions)
      throw new Error(
        `${arrivals.length} dispatches of ${promotions} promotions, ${different} of them different`,
      )
    const times = arrivals.map(([, at]) => at)
    const first = Math.floor(promotions * WARM_UP)
    return ((promotions - 1 - first) * 1_000) / ((times.at(-1) ?? 0) - (times[first] ?? 0))
  } finally {
    await started.end()
    await server.end()
    await queue.close()
    redis.disconnect()
  }
}

function resultOf(seen: ReadonlyMap<number, readonly number[]>): Result {
  const one = median(seen.get(1) ?? [])
  return {
    figures: Object.fromEntries(
      [...seen].map(([count, perSecond]) => [`with${count}PerSecond`, median(perSecond)]),
    ),
    tables: [
      {
        title: `Dispatches per second at concurrency ${CONCURRENCY} each, while webhooks tell of the runs`,
        columns: ['workers', 'per second', 'of one worker'],
        rows: [...seen].map(([count, perSecond]) => [
          count,
          withSpread(perSecond),
          `${short(median(perSecond) / one)} times`,
        ]),
      },
    ],
    targets: [],
    notes: [
      'Held: each promotion is dispatched once, however many workers there are. Workers, server, simulator and Redis share the cores of this machine: beyond these, more workers add none.',
    ],
  }
}
