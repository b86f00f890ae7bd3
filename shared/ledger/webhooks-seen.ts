/**
 * Do GitHub's webhooks arrive? Told by each that does, and taken back by an end that the poll has found first: then
 * one was lost, or they have stopped.
 */
import { KEY_PREFIX } from '../redis/connect.ts'
import type { LedgerOptions } from './ledger.ts'

/** A workflow that nobody has run for so long shows nothing. */
const SEEN_MS = 24 * 3_600_000
/** It need not be noted of each. */
export const WEBHOOKS_NOTED_MS = 1_000

export type WebhooksSeen = ReturnType<typeof createWebhooksSeen>

export function createWebhooksSeen({ redis, prefix = KEY_PREFIX }: Pick<LedgerOptions, 'redis' | 'prefix'>) {
  const key = (scope: string) => `${prefix}:hooked:${scope}`
  return {
    /** @param scope owner/name/workflow */
    async arrive(scope: string): Promise<boolean> {
      return (await redis.exists(key(scope))) === 1
    },
    async arrived(scope: string): Promise<void> {
      await redis.set(key(scope), String(Date.now()), 'PX', SEEN_MS)
    },
    async missed(scope: string): Promise<void> {
      await redis.del(key(scope))
    },
  }
}
