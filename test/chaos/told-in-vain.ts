// What the workers' logs tell.
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Course } from './needless.ts'

/** What `handle` logs then. */
const IN_VAIN = 'The attempt ended after the ledger had moved on'

/** Outcomes that came too late for the ledger, as the workers logged it. */
export async function toldInVain(logDir: string) {
  const told: Course['toldInVain'][number][] = []
  for (const file of await readdir(logDir)) {
    for (const line of (await readFile(path.join(logDir, file), 'utf8')).split('\n')) {
      if (!line.includes(IN_VAIN)) continue
      const { promotionId, attempt, worker, time, tookMs } = JSON.parse(line) as {
        promotionId: string
        attempt: number
        worker: string
        time: string
        tookMs: number
      }
      told.push({ promotionId, attempt, worker, at: Date.parse(time), tookMs })
    }
  }
  return told
}
