/**
 * Exponential backoff with full jitter and an upper bound: a random pause between 0 and base × 2^n, at most max.
 * Full jitter spreads many that failed together best (AWS Architecture Blog, "Exponential Backoff And Jitter").
 */
export interface Backoff {
  baseMs: number
  maxMs: number
}

/** @param failed attempts that have failed before, from 1. @param random from [0, 1). @returns ms */
export function backoffMs({ baseMs, maxMs }: Backoff, failed: number, random: () => number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** (failed - 1))
  return Math.round(random() * ceiling)
}
