import { createHash } from 'node:crypto'

/**
 * The id of the promotion that rolls another one back, told by that one's: however often its end is told, and should
 * Redis forget the first time, it is the same rollback. A UUIDv7 of the same time as the other's.
 */
export function rollbackIdOf(promotionId: string): string {
  const digest = createHash('sha256').update(`rollback of ${promotionId}`).digest('hex')
  return `${promotionId.slice(0, 13)}-7${digest.slice(0, 3)}-8${digest.slice(3, 6)}-${digest.slice(6, 18)}`
}
