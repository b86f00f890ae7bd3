/** `promotion-relay resolve`: a person's word on an unresolved promotion goes into the ledger; the sweep does the rest. */
import { createLedger } from '../shared/ledger/ledger.ts'
import type { Logger } from '../shared/logger.ts'
import { connectForProducer } from '../shared/redis/connect.ts'

export interface SettleOptions {
  redisUrl: string
  id: string
  word: { runId: string } | { absent: true }
  by: string
  why?: string | undefined
  log: Logger
}

export async function settle({
  redisUrl,
  id,
  word,
  by,
  why,
  log,
}: SettleOptions): Promise<{ ok: boolean; text: string }> {
  const redis = connectForProducer(redisUrl, log)
  try {
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve)
      redis.once('error', reject)
    })
    const settled = await createLedger({ redis }).settle(id, word, by, why)
    switch (settled.kind) {
      case 'track':
        return { ok: true, text: `${id} is followed by that run now` }
      case 'accepted':
        return { ok: true, text: `${id} will be sent again` }
      case 'superseded':
        return { ok: true, text: `${id} gives way to a newer version` }
      case 'refused':
        return { ok: false, text: `refused: it is ${settled.state} (${settled.why})` }
      default:
        return settled satisfies never
    }
  } catch (error) {
    return { ok: false, text: `Redis can't be reached (${(error as { code?: string }).code ?? 'no answer'})` }
  } finally {
    redis.disconnect()
  }
}
