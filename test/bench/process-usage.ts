// What a process has used so far, from Linux's /proc.
import { readFileSync } from 'node:fs'

export interface Usage {
  /** In user and kernel mode together. */
  cpuSeconds: number
  residentMiB: number
}

/** Linux counts in these, whatever its own clock: `getconf CLK_TCK`. */
const TICKS_PER_SECOND = 100

export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program stands before it in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user = Number.NaN, kernel = Number.NaN] = fields.slice(11, 13).map(Number)
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuSeconds: (user + kernel) / TICKS_PER_SECOND, residentMiB: Number(resident) / 1024 }
}
