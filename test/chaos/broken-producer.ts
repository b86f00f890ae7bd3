// The library's producer put together with other scripts: a guard may stand in accept too, and all must agree.
import type { Producer } from '../../producer/index.ts'
import { createAccept } from '../../shared/accept.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import type { ReadScript } from '../../shared/ledger/scripts.ts'
import { silentLogger } from '../../shared/logger.ts'
import { addPromotedJob, createQueue, PROMOTIONS, removePromotedJob } from '../../shared/queues.ts'
import { connectForProducer } from '../../shared/redis/connect.ts'

export function brokenProducer(redisUrl: string, read: ReadScript): Pick<Producer, 'promote' | 'close'> {
  const redis = connectForProducer(redisUrl, silentLogger)
  const queue = createQueue(PROMOTIONS, redis)
  queue.on('error', () => {})
  const accept = createAccept({
    ledger: createLedger({ redis, read }),
    enqueue: (promotion, job) => addPromotedJob(queue, promotion, job),
    withdraw: (id, job) => removePromotedJob(queue, id, job),
    log: silentLogger,
  })
  return {
    promote: (request, { idempotencyKey } = {}) =>
      accept(request, { idempotencyKey }).catch((error: Error) => ({
        status: 'unavailable' as const,
        reason: error.message,
      })),
    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}
