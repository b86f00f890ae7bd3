// The pipelines: they promote at the planned times and ask again until they are answered, as a real one would. Keeps
// what they were told: the verdict holds the relay to it.
import { setTimeout as pause } from 'node:timers/promises'
import type { PromoteResult, PromotionRequest } from '../../producer/index.ts'
import type { Tally } from './faults.ts'
import type { Delivery } from './schedule.ts'

/** What a producer was told. */
export interface Answer {
  id: string
  status: 'accepted' | 'duplicate'
  target: string
  version: string
  key: string
  /** Between these it was taken in, ms since the epoch. */
  askedAt: number
  answeredAt: number
}

export type Promote = (
  request: PromotionRequest & { model: string; version: string },
  options: { idempotencyKey?: string },
) => Promise<PromoteResult>

const ASK_AGAIN_MS = 200

export function createLoad({ promote, tally }: { promote: Promote; tally: Tally }) {
  const answers: Answer[] = []
  const refusals: string[] = []
  const underWay = new Set<Promise<void>>()
  let isGivenUp = false

  async function deliver({ target, version, key, kind }: Delivery) {
    const request = { model: target, version, accuracy: 0.9, rollback: kind === 'rollback' }
    while (!isGivenUp) {
      const askedAt = Date.now()
      const result = await promote(request, key ? { idempotencyKey: key } : {})
      if (result.status === 'unavailable') {
        tally.struck('asked-again')
        await pause(ASK_AGAIN_MS)
        continue
      }
      if (result.status === 'accepted' || result.status === 'duplicate') {
        const { id, status } = result
        answers.push({ id, status, target, version, key, askedAt, answeredAt: Date.now() })
      } else refusals.push(`${target} ${version} (${key || 'no key'}): ${result.status}`)
      return
    }
  }

  return {
    answers,
    /** Never expected. */
    refusals,
    /** Begins one; it goes on by itself. */
    begin(delivery: Delivery) {
      const { kind } = delivery
      if (kind === 'same-key' || kind === 'no-key' || kind === 'late-version') tally.struck(kind)
      const one = deliver(delivery).finally(() => underWay.delete(one))
      underWay.add(one)
    },
    waiting: () => underWay.size,
    async end() {
      isGivenUp = true
      await Promise.all(underWay)
    },
  }
}
