// What befalls a world from outside: time, GitHub's runs, people, Redis itself; and calls that nobody should make.
import fc from 'fast-check'
import { type Deed, inState, number, oneOf } from './deeds.ts'
import { hasEnded } from './invariants.ts'
import { isFormer } from './ledger-keys.ts'
import { finish, trim } from './roles.ts'
import { REPOSITORY } from './route.ts'
import type { World } from './world.ts'

const notEmpty = (world: World) => world.whole().promotions.size > 0
const running = (world: World) => world.github.runs.filter(({ status }) => status !== 'completed')
const targets = (world: World) => [...world.whole().targets.keys()]

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

export const runMoving: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.constantFrom('in_progress', 'success', 'failure', 'cancelled'))
  .map(([n, to]) => ({
    name: `run ${n} ${to}`,
    possible: (world) => running(world).length > 0,
    async run(world) {
      const run = running(world)[n % running(world).length]
      if (!run) return
      world.trail.push(`run ${run.id} of ${run.promotion}: ${to}`)
      if (to === 'in_progress') run.status = to
      else world.github.end(run, to)
    },
  }))

/** By hand: it could be taken for one of ours, and where GitHub names no runs it would be, by design. */
export const foreignRun = always(
  'a person starts a run',
  (world) => world.traits.givesIds,
  async (world) => world.trail.push(`a person starts run ${world.github.foreignRun().id}`),
)

export const holding: fc.Arbitrary<Deed> = fc.tuple(number, fc.boolean()).map(([n, hold]) => ({
  name: `${hold ? 'hold' : 'free'} ${n}`,
  possible: notEmpty,
  run: async (world) => world.hold(targets(world)[n % targets(world).length] ?? '', hold ? 'a person' : ''),
}))

export const trimming = always('trim', notEmpty, async (world) => {
  world.acceptedForGood()
  await world.script('trim', 'trim', () => trim(world))
})

export const restarting = always('restart', notEmpty, (world) => world.restart())

/** Redis loses its last writes: of these deeds, and those of the last two seconds before. */
export function losing(deeds: fc.Arbitrary<Deed>): fc.Arbitrary<Deed> {
  return fc.array(deeds, { minLength: 1, maxLength: 5, size: 'max' }).map((lost) => ({
    name: `lose (${lost.map(({ name }) => name).join('; ')})`,
    possible: notEmpty,
    async run(world) {
      await world.remember()
      for (const deed of lost) if (deed.possible(world)) await deed.run(world)
      if (world.mayForget()) await world.forget()
    },
  }))
}

/** None of these calls may change anything. */
export const mischief: fc.Arbitrary<Deed> = fc.tuple(number, fc.nat(4)).map(([n, which]) => ({
  name: `mischief ${n} ${which}`,
  possible: notEmpty,
  async run(world) {
    const withoutRun = world.ids((fields) => inState('dispatched')(fields) && !fields.runId)
    const id = which > 1 && withoutRun[0] ? withoutRun[0] : oneOf(world, n, (fields) => !hasEnded(fields))
    const fields = id && world.whole().promotions.get(id)
    if (!id || !fields) return
    const isAnothers = (run: string) => ![undefined, id].includes(world.whole().texts.get(`run:${run}`))
    const stranger = world.github.runs.find((run) => isAnothers(run.id))?.id
    const before = world.whole()
    if (which < 2) await tellAsStranger(world, id, Number(fields.attempts), n)
    else if (stranger && which < 4) {
      const end = { id, runId: stranger, runUrl: '', runAttempt: 1 } as const
      await world.script('finish', `finishes ${id} by the foreign run ${stranger}`, () =>
        finish(world, { ...end, state: 'deployed', conclusion: 'success' }),
      )
    } else if (stranger) {
      const seen = { id, runId: stranger, runUrl: '', status: 'queued', runAttempt: 1 }
      await world.script('track', `tracks ${id} by the foreign run ${stranger}`, () =>
        world.ledger.track(seen),
      )
    }
    world.unchangedSince(before)
  },
}))

async function tellAsStranger(world: World, id: string, attempt: number, n: number) {
  const circuit = { scope: REPOSITORY, reason: 'credentials', waitMs: 1_000, untilReset: false }
  const next = [
    { kind: 'again', delayMs: 0, spend: true, circuit } as const,
    { kind: 'dead_letter', exhausted: false } as const,
    { kind: 'unknown' } as const,
  ][n % 3] ?? { kind: 'unknown' }
  const end = {
    ...{ id, attempt, token: 'of a stranger', outcome: 'x', detail: 'x', status: 503, next },
    ...{ recheckMs: 1, scopes: [REPOSITORY], fault: true, faultPauseMs: 1 },
  }
  await world.script('outcome', `a stranger tells ${id}: ${next.kind}`, () => world.ledger.recordOutcome(end))
}
