// Random interleavings of everything that may befall the ledger, played on a real Redis and judged after each call.
// `MODEL_RUNS=5000` for long; a failure prints its seed and path, given back as `MODEL_SEED` and `MODEL_PATH`.
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, test } from 'vitest'
import { type PrivateRedis, startPrivateRedis } from '../support/private-redis.ts'
import { ledgerHolds } from './property.ts'
import { tally } from './world.ts'

const runs = Number(process.env.MODEL_RUNS ?? 250)
const seed = process.env.MODEL_SEED ? Number(process.env.MODEL_SEED) : undefined
const path = process.env.MODEL_PATH

let server: PrivateRedis
let redis: Redis
beforeAll(async () => {
  // What a disk does is not asked here.
  server = await startPrivateRedis({ config: ['appendonly no'] })
  redis = new Redis(server.url, { replyMapping: 'legacy' })
})
afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

test('whatever happens in whatever order, the ledger stays right, and healed it comes to rest', async () => {
  await fc.assert(ledgerHolds(redis), {
    numRuns: runs,
    unbiased: true,
    ...(seed !== undefined && { seed }),
    ...(path && { path }),
    interruptAfterTimeLimit: 3_600_000,
  })
  if (process.env.MODEL_TALLY) process.stdout.write(`${[...tally].sort().join('\n')}\n`)
}, 3_600_000)
