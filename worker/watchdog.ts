/**
 * The watchdog: waiting work and no progress makes the process unready, and after a limit ends it. Reconnects have
 * wedged queue workers before: their connection stands, and they ask for no job any more.
 */
import type { Queue } from 'bullmq'
import type { Logger } from '../shared/logger.ts'

export interface WatchdogDeps {
  queue: Pick<Queue, 'getWaitingCount'>
  log: Logger
  unreadyMs: number
  exitMs: number
  onStuck(): void
  now?(): number
}

export interface Watchdog {
  /** A job was begun. */
  progress(): void
  /** Looks whether work waits; while Redis is away nothing can be told, and nothing is held against the worker. */
  look(): Promise<void>
  stuck(): boolean
}

export function createWatchdog(deps: WatchdogDeps): Watchdog {
  const { queue, log, unreadyMs, exitMs, onStuck, now = Date.now } = deps
  let waitingSince: number | undefined
  /** Since when Redis is being asked: how long it takes to answer is not the worker's fault. */
  let asking: number | undefined
  let told = false

  const stuckMs = () => (waitingSince === undefined ? 0 : (asking ?? now()) - waitingSince)
  const progress = () => {
    waitingSince = undefined
    told = false
  }
  return {
    progress,
    async look() {
      if ((await countWaiting()) === 0) return progress()
      waitingSince ??= now()
      if (stuckMs() < unreadyMs) return
      if (!told) log.error({ stuckMs: stuckMs() }, 'Work waits and nothing is done: this worker is not ready')
      told = true
      if (stuckMs() >= exitMs) onStuck()
    },
    stuck: () => stuckMs() >= unreadyMs,
  }

  async function countWaiting(): Promise<number> {
    const askedAt = now()
    asking = askedAt
    try {
      return await queue.getWaitingCount()
    } catch (error) {
      progress()
      throw error
    } finally {
      asking = undefined
      if (waitingSince !== undefined) waitingSince += now() - askedAt
    }
  }
}
