// What came to GitHub although a person held its target. Pure.
import type { LostWindow } from './redis-strikes.ts'
import type { Fault } from './verdict.ts'

/** ms since the epoch. */
export interface HeldFor {
  target: string
  /** The hold was answered. */
  from: number
  /** Its release was asked for. */
  to: number
}

export interface Post {
  promotionId: string
  /** By a person, or as another one failed: it passes. */
  isRollback: boolean
  at: number
}

export interface Held {
  holds: readonly HeldFor[]
  posts: readonly Post[]
  targetOf(promotionId: string): string | undefined
  windows: readonly LostWindow[]
  /** What was claimed before the hold may still be sent for so long, ms. */
  sendDeadlineMs: number
}

/** A busy machine notes an arrival a little later, ms. */
const MARGIN_MS = 500

export function sentThoughHeld({ holds, posts, targetOf, windows, sendDeadlineMs }: Held): Fault[] {
  const isForgotten = ({ from }: HeldFor) => windows.some((one) => one.from <= from && from <= one.to)
  return holds
    .filter((hold) => !isForgotten(hold))
    .flatMap(({ target, from, to }) => {
      const begin = from + sendDeadlineMs + MARGIN_MS
      const sent = posts.filter(({ at, isRollback }) => !isRollback && at > begin && at < to)
      return sent
        .filter(({ promotionId }) => targetOf(promotionId) === target)
        .map(({ promotionId }) => ({ promotionId, why: `sent although a person held ${target}` }))
    })
}
