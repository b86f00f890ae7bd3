// Doubts that no fault explains. A guard may save no run, and yet patience: where a script is sent again after a lost
// reply and is not known again, the promotion is looked for without need, waits for minutes, and in a workflow without
// run-name holds up all others. So each doubt must have its cause, and each outcome its listener. Pure.
import type { TimelineEntry } from '../../shared/ledger/promotion-record.ts'
import type { LostWindow } from './redis-strikes.ts'
import type { Fault } from './verdict.ts'

/** A worker that was killed, ended or stopped, ms since the epoch. */
export interface StruckWorker {
  worker: string
  at: number
}

export interface Course {
  timelines: readonly { id: string; entries: readonly TimelineEntry[] }[]
  posts: readonly { promotionId: string; at: number }[]
  struck: readonly StruckWorker[]
  windows: readonly LostWindow[]
  /** Outcomes that a worker told in vain, from its log. */
  toldInVain: readonly { promotionId: string; attempt: number; worker: string; at: number; tookMs: number }[]
}

/** Clocks are one machine's; a log line, and a request's arrival, come a little after what they tell, ms. */
const MARGIN_MS = 500

export function needlessDoubts({ timelines, posts, struck, windows, toldInVain }: Course): Fault[] {
  const postsOf = Map.groupBy(posts, ({ promotionId }) => promotionId)
  const isStruck = (worker: string, from: number, to: number) =>
    struck.some((one) => one.worker === worker && one.at >= from - MARGIN_MS && one.at <= to + MARGIN_MS)
  const isRolledBack = (from: number, to: number) =>
    windows.some((one) => one.to >= from - MARGIN_MS && one.from <= to + MARGIN_MS)

  const faults = timelines.flatMap(({ id, entries }) =>
    entries.flatMap((doubt, index) => {
      if (doubt.what !== 'in_doubt' || doubt.why !== 'unknown') return []
      const intent = entries.slice(0, index).findLast(({ what }) => what === 'dispatching')
      if (!intent) return []
      const { at: from } = intent
      const isSent = postsOf.get(id)?.some(({ at }) => at >= from - MARGIN_MS && at <= doubt.at + MARGIN_MS)
      if (isSent || isStruck(String(intent.worker), from, doubt.at) || isRolledBack(from, doubt.at)) return []
      return {
        promotionId: id,
        why: `in doubt, although attempt ${intent.attempt} of ${intent.worker} sent nothing`,
      }
    }),
  )
  for (const { promotionId, attempt, worker, at, tookMs } of toldInVain) {
    // Its intent may be gone with a lost second; its call begins after the claim, and maybe long after.
    const intent = timelines
      .find(({ id }) => id === promotionId)
      ?.entries.find((entry) => entry.worker === worker && entry.attempt === attempt)
    const from = Math.min(intent?.at ?? at, at - tookMs)
    if (isStruck(worker, from, at) || isRolledBack(from, at)) continue
    faults.push({ promotionId, why: `the outcome that ${worker} told was not taken` })
  }
  return faults
}
