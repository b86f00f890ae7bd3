// GitHub's primary rate limit: so many requests in a fixed window that opens with its first request.
// Secondary limits can't be asked for at GitHub and are played by a fault here.

export interface RateLimit {
  /** Counts a request. @returns whether it was still allowed */
  spend(): boolean
  /** Takes the count back, for a 304. */
  refund(): void
  /** Empty when there is no limit. */
  headers(): Record<string, string>
  state(): { limit: number; used: number; remaining: number; reset: number } | null
}

export function createRateLimit(limit: number | undefined, windowMs: number, now: () => number): RateLimit {
  let windowEndsAt = 0
  let used = 0

  function openWindow(): void {
    if (now() < windowEndsAt) return
    windowEndsAt = now() + windowMs
    used = 0
  }

  function state() {
    if (limit === undefined) return null
    openWindow()
    return { limit, used, remaining: limit - used, reset: Math.ceil(windowEndsAt / 1000) }
  }

  return {
    state,
    spend: () => {
      const { remaining } = state() ?? { remaining: Number.POSITIVE_INFINITY }
      if (remaining <= 0) return false
      used += 1
      return true
    },
    refund: () => {
      used = Math.max(0, used - 1)
    },
    headers: () => {
      const current = state()
      if (!current) return {}
      return {
        'x-ratelimit-limit': String(current.limit),
        'x-ratelimit-remaining': String(current.remaining),
        'x-ratelimit-used': String(current.used),
        'x-ratelimit-reset': String(current.reset),
        'x-ratelimit-resource': 'core',
      }
    },
  }
}
