// What befalls a world from outside: time, GitHub's runs, people, Redis itself.
import fc from 'fast-check'
import type { Deed } from './deeds.ts'
import { isFormer } from './ledger-keys.ts'
import { trim } from './roles.ts'
import type { World } from './world.ts'

const notEmpty = (world: World) => world.whole().promotions.size > 0

function always(name: string, possible: Deed['possible'], run: Deed['run']): fc.Arbitrary<Deed> {
  return fc.constant({ name, possible, run })
}

const DAY_MS = 24 * 3_600_000

export const passing: fc.Arbitrary<Deed> = fc
  .constantFrom(1_000, 6_000, 45_000, 160_000, 700_000, DAY_MS + 3_600_000)
  .map((ms) => ({
    name: `${ms} ms pass`,
    // No day passes without anybody claiming what waits since a restart: the sweep gives it a job within a minute.
    possible: (world) =>
      ms < DAY_MS ||
      world.ids(({ state, epoch, doubt }) => state === 'accepted' && isFormer(epoch) && !doubt).length === 0,
    run: (world) => world.pass(ms),
  }))

/** By hand: it could be taken for one of ours, and where GitHub names no runs it would be, by design. */
export const foreignRun = always(
  'a person starts a run',
  (world) => world.traits.givesIds,
  async (world) => world.trail.push(`a person starts run ${world.github.foreignRun().id}`),
)

export const trimming = always('trim', notEmpty, async (world) => {
  world.acceptedForGood()
  await world.script('trim', 'trim', () => trim(world))
})

export const restarting = always('restart', notEmpty, (world) => world.restart())

/** Redis loses its last writes: of these deeds, and those of the last two seconds before. */
export function losing(deeds: fc.Arbitrary<Deed>): fc.Arbitrary<Deed> {
  return fc.array(deeds, { minLength: 1, maxLength: 5, size: 'max' }).map((lost) => ({
    name: `lose (${lost.map(({ name }) => name).join('; ')})`,
    possible: (world) => world.traits.losesWrites && notEmpty(world),
    async run(world) {
      await world.remember()
      for (const deed of lost) if (deed.possible(world)) await deed.run(world)
      if (world.mayForget()) await world.forget()
    },
  }))
}
