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

/** An hour that is over hardly changes (a late run undoes a bad end): what was read of it is taken for so long. */
const KNOWN_MS = 30_000

interface MinuteOfEnds {
  minute: number
  end: keyof EndCount
  count: number
}

export function createEnds(deps: { redis: Redis; nowMs(): Promise<number>; prefix: string }) {
  const { redis, nowMs, prefix } = deps

  const known = new Map<string, { until: number; minutes: MinuteOfEnds[] }>()

  async function minutesOf(what: Counted, firstHour: number, lastHour: number): Promise<MinuteOfEnds[]> {
    const hours = Array.from({ length: lastHour - firstHour + 1 }, (_, i) => firstHour + i)
    const now = performance.now()
    for (const [name, { until }] of known) if (until <= now) known.delete(name)
    const names = hours.map((hour) => `${prefix}:${what}:${hour}`)
    const unknown = names.filter((name) => !known.has(name))
    const records = await readHashes(redis, unknown)
    const read = new Map(unknown.map((name, i) => [name, minutesIn(records[i] ?? {})]))
    const isOver = (name: string) => Number(name.split(':').at(-1)) < lastHour
    for (const [name, minutes] of read)
      if (minutes.length > 0 && isOver(name)) known.set(name, { until: now + KNOWN_MS, minutes })
    return names.flatMap((name) => read.get(name) ?? known.get(name)?.minutes ?? [])
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

function minutesIn(record: Readonly<Record<string, string>>): MinuteOfEnds[] {
  return Object.entries(record).map(([name, value]) => {
    const [minute, end] = name.split(':')
    return { minute: Number(minute), end: end as keyof EndCount, count: Number(value) }
  })
}
