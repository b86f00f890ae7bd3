/** Gives those their turn at once that wait behind a circuit, instead of when they would look again. */
import type { Ledger } from '../shared/ledger/ledger.ts'
import type { LedgerReader } from '../shared/ledger/read.ts'
import type { Wake } from '../shared/ledger/steps.ts'

export interface WakeWaitingDeps {
  ledger: Pick<Ledger, 'nextJob'>
  reader: Pick<LedgerReader, 'idsIn' | 'promotions'>
  wake(next: Wake): Promise<void>
}

const AT_ONCE = 100

/** @returns how many were woken; the longest waiting ones first. */
export function createWakeWaiting({ ledger, reader, wake }: WakeWaitingDeps) {
  return async (howMany: 'all' | 'one'): Promise<number> => {
    let woken = 0
    const ids = await reader.idsIn('accepted')
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const promotions = await reader.promotions(ids.slice(at, at + AT_ONCE))
      const waiting = promotions.filter(({ state, wait }) => state === 'accepted' && wait?.code === 'circuit')
      const chosen = howMany === 'one' ? waiting.slice(0, 1) : waiting
      await Promise.all(
        chosen.map(async ({ id }) => {
          const job = await ledger.nextJob(id, 'job', ['accepted'])
          if (job !== undefined) await wake({ id, job })
        }),
      )
      woken += chosen.length
      if (howMany === 'one' && woken > 0) break
    }
    return woken
  }
}
