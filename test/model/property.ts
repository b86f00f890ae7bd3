// The one property: whatever happens to a world, the ledger stays right after every call, and once it is healed
// everything comes to its end. How many sequences, of which length, and which seed is said by the caller.
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import type { ReadScript } from '../../shared/ledger/scripts.ts'
import { anyCommands } from './commands.ts'
import { heal } from './heal.ts'
import { readOnce } from './read-once.ts'
import { createWorld, type Traits } from './world.ts'

const traits: fc.Arbitrary<Traits> = fc.record({
  named: fc.boolean(),
  givesIds: fc.oneof({ arbitrary: fc.constant(true), weight: 3 }, { arbitrary: fc.boolean(), weight: 1 }),
  proven: fc.boolean(),
  maxAttempts: fc.constantFrom(3, 8, 100),
  slotMs: fc.constantFrom(0, 0, 1_000),
  rollsBack: fc.oneof(
    { arbitrary: fc.constant(true), weight: 2 },
    { arbitrary: fc.constant(false), weight: 1 },
  ),
  losesWrites: fc.boolean(),
})

export function ledgerHolds(redis: Redis, options: { read?: ReadScript; maxCommands?: number } = {}) {
  const { read = readOnce, maxCommands = 100 } = options
  return fc.asyncProperty(traits, anyCommands(maxCommands), async (chosen, commands) => {
    const world = await createWorld(redis, chosen, read)
    try {
      await fc.asyncModelRun(() => ({ model: world, real: world }), commands)
      await heal(world)
    } catch (error) {
      throw new Error(short(`${(error as Error).message}\n${world.trail.slice(-400).join('\n')}`), {
        cause: error,
      })
    }
  })
}

/** Ids are long, so that they look as ours do. */
const short = (text: string) =>
  text
    .replace(/(?:0{8}|f{8})-0000-7000-8000-0+(\d+)/g, 'p$1')
    .replace(/(?:0{8}|f{8})-0000-7[0-9a-f]{3}-8[0-9a-f]{3}-([0-9a-f]{4})[0-9a-f]{8}/g, 'r-$1')
