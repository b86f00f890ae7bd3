/** How triggers and deployments have ended lately, of all workers: counted by the minute, a hash an hour, for a day. */
import type { Redis } from 'ioredis'
import { readHashes } from './hashes.ts'

export interface EndCount {
  good: number
  bad: number
}

/** What is counted: triggers (GitHub took it, or a person has to), deployments (live, or failed). */
export type Counted = 'triggers' | 'deployments'

export interface HourOfEnds extends EndCount {
  /** Its beginning, ms since the epoch. */
  hour: number
}

const HOUR_MS = 3_600_000
/** Older ones are not kept. */
const HOURS_KEPT = 26

export function createEnds(deps: { redis: Redis; nowMs(): Promise<number>; prefix: string }) {
  const { redis, nowMs, prefix } = deps

  async function minutesOf(what: Counted, firstHour: number, lastHour: number) {
    const hours = Array.from({ length: lastHour - firstHour + 1 }, (_, i) => firstHour + i)
    const records = await readHashes(
      redis,
      hours.map((hour) => `${prefix}:${what}:${hour}`),
    )
    return records.flatMap((record) =>
      Object.entries(record).map(([name, value]) => {
        const [minute, end] = name.split(':')
        return { minute: Number(minute), end: end as keyof EndCount, count: Number(value) }
      }),
    )
  }

  return {
    /** Ends within each of the windows (minutes, up to a day), counted by whole minutes. */
    async within(what: Counted, windows: readonly number[]): Promise<EndCount[]> {
      const minuteNow = Math.floor((await nowMs()) / 60_000)
      const firstHour = Math.floor((minuteNow - Math.max(...windows) + 1) / 60)
      const ends = await minutesOf(what, firstHour, Math.floor(minuteNow / 60))
      return windows.map((minutes) => {
        const total = { good: 0, bad: 0 }
        for (const { minute, end, count } of ends) if (minute > minuteNow - minutes) total[end] += count
        return total
      })
    },

    /** The last `hours` hours up to the present one, the oldest first; a day and what has begun of the next are kept. */
    async byHour(what: Counted, hours: number): Promise<HourOfEnds[]> {
      const length = Math.min(Math.max(Math.floor(hours), 1), HOURS_KEPT)
      const present = Math.floor((await nowMs()) / HOUR_MS)
      const first = present - length + 1
      const all = Array.from({ length }, (_, i) => ({ hour: (first + i) * HOUR_MS, good: 0, bad: 0 }))
      for (const { minute, end, count } of await minutesOf(what, first, present)) {
        const hour = all[Math.floor(minute / 60) - first]
        if (hour) hour[end] += count
      }
      return all
    },
  }
}
