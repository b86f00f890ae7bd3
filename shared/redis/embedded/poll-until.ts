// Waiting for a condition of another process (a lock, a port, an ending), which can only be asked again and again.
// Guarantees: returns within the deadline and at once when the signal fires; asks at least once.

export interface PollOptions {
  everyMs?: number
  /** By `Date.now()`, asked each time, so that it may move; without one it waits as long as it takes. */
  deadlineAt?: () => number
  signal?: AbortSignal | undefined
}

/** The first value of `probe` other than `undefined`, or `undefined` when time is up or the signal fired. */
export async function pollUntil<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  { everyMs = 25, deadlineAt = () => Number.POSITIVE_INFINITY, signal }: PollOptions = {},
): Promise<T | undefined> {
  for (;;) {
    if (signal?.aborted) return undefined
    const value = await probe()
    if (value !== undefined) return value
    const leftMs = deadlineAt() - Date.now()
    if (leftMs <= 0) return undefined
    await pause(Math.min(everyMs, leftMs), signal)
  }
}

/** A deadline that long from now. */
export function within(delayMs: number): () => number {
  const at = Date.now() + delayMs
  return () => at
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, delayMs)
    signal?.addEventListener('abort', wake)
  })
}
