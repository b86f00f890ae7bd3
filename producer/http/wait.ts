/** `?wait=30`: an answer that comes once a promotion has stopped, or when the time is over. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Promotion, STOPPED } from '../../shared/ledger/promotion-record.ts'

/** Shorter than proxies wait for an answer, seconds. */
export const LONGEST_WAIT_S = 60
const LOOK_EVERY_MS = 250

/** @returns ms; undefined where it can't be understood. */
export function waitAskedFor({ wait = '0' }: { wait?: unknown }): number | undefined {
  const seconds = typeof wait === 'string' && wait.trim() !== '' ? Number(wait) : Number.NaN
  return seconds >= 0 && seconds <= LONGEST_WAIT_S ? seconds * 1000 : undefined
}

/** @returns the promotion as it is once nothing more happens to it by itself, or when the wait is over. */
export async function whenStopped(
  find: () => Promise<Promotion | undefined>,
  waitMs: number,
  ended: AbortSignal,
  isGone: () => boolean,
): Promise<Promotion | undefined> {
  const until = Date.now() + waitMs
  for (;;) {
    const promotion = await find()
    const left = until - Date.now()
    if (!promotion || STOPPED.includes(promotion.state) || left <= 0 || ended.aborted || isGone())
      return promotion
    await pause(Math.min(LOOK_EVERY_MS, left), undefined, { signal: ended }).catch(() => {})
  }
}
