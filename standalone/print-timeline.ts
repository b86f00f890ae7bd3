/** A promotion's timeline on the terminal, step by step as it happens, until it has ended or a time is over. */
import { setTimeout as pause } from 'node:timers/promises'
import { sentenceOf } from '../shared/explain.ts'
import { type Promotion, STOPPED, type State, type TimelineEntry } from '../shared/ledger/promotion-record.ts'
import { printable } from './printable.ts'

export interface Following {
  get(): Promise<{ promotion: Pick<Promotion, 'state'>; timeline: TimelineEntry[] } | undefined>
  print(line: string): void
  timeoutMs: number
  signal?: AbortSignal
}

const LOOK_EVERY_MS = 250

/** @returns the state in which it stopped, or `timeout`, or `lost` when it is not there (any more). */
export async function printTimeline({
  get,
  print,
  timeoutMs,
  signal,
}: Following): Promise<State | 'timeout' | 'lost'> {
  const until = Date.now() + timeoutMs
  let shown = 0
  let startedAt = 0
  while (!signal?.aborted) {
    const seen = await get().catch(() => 'away' as const)
    if (seen === undefined) return 'lost'
    if (seen !== 'away') {
      startedAt ||= seen.timeline[0]?.at ?? 0
      for (const entry of seen.timeline.slice(shown)) print(lineFor(entry, startedAt))
      shown = Math.max(shown, seen.timeline.length)
      if (STOPPED.includes(seen.promotion.state)) return seen.promotion.state
    }
    if (Date.now() >= until) break
    await pause(LOOK_EVERY_MS, undefined, { ...(signal ? { signal } : {}) }).catch(() => {})
  }
  return 'timeout'
}

export function lineFor(entry: TimelineEntry, startedAt: number): string {
  // The reader's own clock, as in the log lines beside it.
  const clock = new Date(entry.at).toTimeString().slice(0, 8)
  const since = `+${((entry.at - startedAt) / 1000).toFixed(1)} s`
  return printable(`  ${clock}  ${since.padStart(9)}  ${sentenceOf(entry)}`)
}
