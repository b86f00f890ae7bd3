/**
 * How often somebody may try to log in, by address and by name. A try is taken before the password is looked at and
 * given back where it was right, so that many at once get no further than many in turn. Counted in memory: each of
 * several servers counts for itself.
 */
export interface Attempts {
  /** @returns seconds to wait where there were too many; else nothing, and it counts */
  take(key: string): number | undefined
  giveBack(key: string): void
}

export interface AttemptsOptions {
  max: number
  windowMs: number
  now?: () => number
}

/** Beyond so many keys the oldest are forgotten: memory is bounded, whoever asks. */
const MOST_KEYS = 10_000

export function createAttempts({ max, windowMs, now = Date.now }: AttemptsOptions): Attempts {
  const counts = new Map<string, { taken: number; until: number }>()

  function current(key: string) {
    const count = counts.get(key)
    if (count && count.until > now()) return count
    counts.delete(key)
    const [oldest] = counts.keys()
    if (oldest !== undefined && counts.size >= MOST_KEYS) counts.delete(oldest)
    const fresh = { taken: 0, until: now() + windowMs }
    counts.set(key, fresh)
    return fresh
  }

  return {
    take(key) {
      const count = current(key)
      if (count.taken >= max) return Math.max(1, Math.ceil((count.until - now()) / 1000))
      count.taken++
      return undefined
    },
    giveBack(key) {
      const count = counts.get(key)
      if (count && count.taken > 0) count.taken--
    },
  }
}
