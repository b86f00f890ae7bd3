// Takes turns: each operation at each size, one after another, and again in the next round, so that what else the
// machine does meanwhile falls on all sizes alike.
import type { Redis } from 'ioredis'
import type { Ground } from './ground.ts'
import type { Operation } from './operations.ts'

/** Times in ms, by operation and size. */
export type Times = ReadonlyMap<Operation, ReadonlyMap<Ground, number[]>>

const TIMES = 10

export interface Turns {
  rounds: number
  /** Times each operation is done before it counts: what is loaded once is loaded. */
  warm: number
}

/** @param sets operations that are done one by one, and sets of which each takes up what the one before has left */
export async function measure(
  grounds: readonly Ground[],
  sets: readonly (readonly Operation[])[],
  { rounds, warm }: Turns,
): Promise<Times> {
  const taken = new Map(sets.flat().map((one) => [one, new Map(grounds.map((at) => [at, [] as number[]]))]))
  let n = 0
  for (let round = -1; round < rounds; round++) {
    for (const set of sets) {
      const times = set[0]?.times ?? TIMES
      const often = round < 0 ? Math.min(warm, times) : times
      for (let i = 0; i < often; i++) {
        n++
        for (const ground of grounds) {
          for (const operation of set.filter((one) => !one.fullPages || ground.filled.promotions > 10)) {
            await operation.before?.(ground)
            const began = performance.now()
            await operation.run(ground, n)
            if (round >= 0)
              taken
                .get(operation)
                ?.get(ground)
                ?.push(performance.now() - began)
          }
        }
      }
    }
  }
  return taken
}

/** The slowest command that Redis has done for one operation, ms: for so long nobody else is served. */
export async function longestCommand(
  ground: Ground,
  operation: Operation,
): Promise<{ ms: number; what: string }> {
  const { redis } = ground
  await operation.before?.(ground)
  await redis.config('SET', 'slowlog-log-slower-than', '50')
  await redis.config('SET', 'slowlog-max-len', '100000')
  await redis.slowlog('RESET')
  await operation.run(ground, 900_000)
  await redis.config('SET', 'slowlog-log-slower-than', '-1')
  return slowest(redis)
}

async function slowest(redis: Redis): Promise<{ ms: number; what: string }> {
  const entries = (await redis.slowlog('GET', 100_000)) as [number, number, number, string[]][]
  const commands = entries.filter(
    ([, , , [name = '']]) => !['config', 'slowlog'].includes(name.toLowerCase()),
  )
  const [longest] = commands.sort(([, , a], [, , b]) => b - a)
  if (!longest) return { ms: 0, what: '' }
  const [, , micros, words] = longest
  return { ms: micros / 1000, what: words.slice(0, 3).join(' ').slice(0, 80) }
}
