/**
 * A deadline that holds when the process was stopped or the machine slept in between: it has passed as soon as
 * either clock says so. The monotonic one doesn't jump; the wall clock goes on while the machine sleeps.
 */
export interface Deadline {
  passed(): boolean
  /** ms, 0 or more */
  leftMs(): number
}

export interface Clocks {
  /** ms, never jumps. */
  monotonicMs(): number
  /** ms since the epoch. */
  wallMs(): number
}

export const systemClocks: Clocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() }

export function createDeadline(ms: number, clocks: Clocks = systemClocks): Deadline {
  const monotonicStart = clocks.monotonicMs()
  const wallStart = clocks.wallMs()
  const leftMs = () => {
    const elapsed = Math.max(clocks.monotonicMs() - monotonicStart, clocks.wallMs() - wallStart)
    return Math.max(0, ms - elapsed)
  }
  return { leftMs, passed: () => leftMs() === 0 }
}
