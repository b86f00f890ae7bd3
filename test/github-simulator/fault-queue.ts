// Faults wait here for what they are to befall: taken in the order in which they were added, each so many times.
import { z } from 'zod'

/** How often a fault strikes, 1 when not given. */
export const timesSchema = z
  .union([z.int().positive(), z.literal('Infinity').transform(() => Number.POSITIVE_INFINITY)])
  .optional()

export interface FaultQueue<Fault> {
  add(fault: Fault): void
  clear(): void
  /** The first fault that applies, if any; it is used up by that. */
  take(applies: (fault: Fault) => boolean): Fault | undefined
}

export function createFaultQueue<Fault extends { times?: number | undefined }>(): FaultQueue<Fault> {
  let waiting: { fault: Fault; left: number }[] = []
  return {
    add: (fault) => {
      waiting.push({ fault, left: fault.times ?? 1 })
    },
    clear: () => {
      waiting = []
    },
    take: (applies) => {
      const met = waiting.find(({ fault }) => applies(fault))
      if (!met) return undefined
      met.left -= 1
      waiting = waiting.filter(({ left }) => left > 0)
      return met.fault
    },
  }
}
