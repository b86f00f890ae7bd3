/** The sample promotion that a simulated `up` takes through, so that there is something to see at once. */
import { once } from 'node:events'
import { createProducer } from '../producer/index.ts'
import { createLedgerReader } from '../shared/ledger/read.ts'
import { silentLogger } from '../shared/logger.ts'
import { connectForProducer } from '../shared/redis/connect.ts'
import { printTimeline } from './print-timeline.ts'

export interface SampleOptions {
  redisUrl: string
  print(line: string): void
  signal: AbortSignal
}

const MODEL = 'sample-model'
const ALL_TARGETS = 100_000
const WATCHED_FOR_MS = 60_000

export async function showSample({ redisUrl, print, signal }: SampleOptions): Promise<void> {
  const producer = createProducer({ redisUrl })
  try {
    const version = await nextVersion(redisUrl)
    const result = await producer.promote({ model: MODEL, version, accuracy: 0.9234 })
    if (result.status !== 'accepted') return print(`No sample promotion this time: it was ${result.status}.`)
    print(`A sample promotion, ${MODEL} version ${version}, on its way:`)
    print('')
    const get = () => producer.get(result.id)
    const state = await printTimeline({ get, print, timeoutMs: WATCHED_FOR_MS, signal })
    if (state === 'timeout' && !signal.aborted) print('  It goes on; see the dashboard.')
    print('')
  } finally {
    await producer.close()
  }
}

/** 1, 2, 3… from start to start. */
async function nextVersion(redisUrl: string): Promise<string> {
  const redis = connectForProducer(redisUrl, silentLogger)
  try {
    await once(redis, 'ready')
    const targets = await createLedgerReader({ redis }).targets(ALL_TARGETS)
    return String((targets.find(({ model }) => model === MODEL)?.seq ?? 0) + 1)
  } catch {
    // Redis is away; promote says so.
    return '1'
  } finally {
    redis.disconnect()
  }
}
