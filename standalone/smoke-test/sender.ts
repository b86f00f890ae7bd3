/** Sends a smoke test and looks after it, straight in Redis or through the relay's server. */
import type { PromotionView } from '../../producer/index.ts'
import type { SmokeTestSent } from '../../shared/smoke-test.ts'
import type { Whereabouts } from '../commands/find-relay.ts'
import { within } from '../doctor/within.ts'

export interface Sender {
  /** @throws Error with a reason for a person where the relay can't be reached, or refuses */
  send(dispatch: boolean, by: string): Promise<SmokeTestSent>
  get(id: string): Promise<PromotionView | undefined>
  /** At work now; undefined where that can't be asked. */
  workers(): Promise<number | undefined>
  close(): Promise<void>
}

/** For one call, ms. */
const WITHIN_MS = 5_000

export function findSender(place: Whereabouts): Promise<Sender> {
  return 'redisUrl' in place ? inRedis(place) : overHttp(place)
}

async function inRedis({ redisUrl, replicas }: { redisUrl: string; replicas: number }): Promise<Sender> {
  const [{ createLedger }, { createLedgerReader }, queues, { connectForProducer }, test, { silentLogger }] =
    await Promise.all([
      import('../../shared/ledger/ledger.ts'),
      import('../../shared/ledger/read.ts'),
      import('../../shared/queues.ts'),
      import('../../shared/redis/connect.ts'),
      import('../../shared/smoke-test.ts'),
      import('../../shared/logger.ts'),
    ])
  const redis = connectForProducer(redisUrl, silentLogger)
  const queue = queues.createQueue(queues.PROMOTIONS, redis)
  queue.on('error', () => {})
  const reader = createLedgerReader({ redis })
  const send = test.createSmokeTest({
    ledger: createLedger({ redis, replicas }),
    enqueue: (promotion, job) => queues.addPromotedJob(queue, promotion, job),
  })
  const ready = new Promise<void>((resolve, reject) => {
    redis.once('ready', resolve)
    redis.once('error', reject)
  })
  ready.catch(() => {})

  return {
    async send(dispatch, by) {
      try {
        await within(WITHIN_MS, ready)
        return await within(WITHIN_MS, send({ dispatch, by }))
      } catch (error) {
        const { code, message } = error as { code?: unknown; message?: string }
        throw new Error(
          `Redis can't be used (${typeof code === 'string' ? code : (message ?? '').split(' ')[0]})`,
        )
      }
    },
    async get(id) {
      const promotion = await within(WITHIN_MS, reader.promotion(id))
      return promotion && { promotion, timeline: await within(WITHIN_MS, reader.timeline(id)) }
    },
    workers: () => within(WITHIN_MS, reader.workers()).catch(() => undefined),
    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}

async function overHttp({ url, token }: { url: string; token: string }): Promise<Sender> {
  const { createHttpProducer } = await import('../../producer/http-producer.ts')
  const producer = createHttpProducer({ url, token, deadlineMs: WITHIN_MS })
  return {
    async send(dispatch) {
      const response = await fetch(`${url}/v1/smoke-tests`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ dispatch }),
        signal: AbortSignal.timeout(WITHIN_MS),
      }).catch(() => undefined)
      if (!response) throw new Error(`the relay at ${url} can't be reached`)
      const body = (await response.json().catch(() => ({}))) as SmokeTestSent & { title?: string }
      if (response.status === 404)
        throw new Error(`the relay at ${url} knows no smoke tests: it is an older one`)
      if (!response.ok) throw new Error(`the relay refused: ${body.title ?? response.status}`)
      return body
    },
    get: (id) => producer.get(id),
    workers: async () => undefined,
    close: () => producer.close(),
  }
}
