// What clients of the ledger may do next: begin something and take some steps, go on, crash; and calls that come
// again. Numbers pick among what is there.
import fc from 'fast-check'
import * as hows from './how.ts'
import type { Fields } from './ledger-keys.ts'
import { accept, probe, resolve, work } from './roles.ts'
import type { World } from './world.ts'

export interface Deed {
  name: string
  possible(world: World): boolean
  run(world: World): Promise<unknown>
}

const anyTime = () => true
export const inState =
  (...states: string[]) =>
  (fields: Fields) =>
    states.includes(fields.state ?? '')
const inDoubt = (world: World) => world.ids((fields) => Boolean(fields.doubt)).length > 0
const notEmpty = (world: World) => world.whole().promotions.size > 0
const peopled = (world: World) => world.clients.length > 0

export const number = fc.nat(1_000)

/** One of those that fit; now and then any promotion, as late and confused callers have it. */
export function oneOf(world: World, n: number, fits: (fields: Fields) => boolean): string | undefined {
  const fitting = world.ids(fits)
  const from = n % 10 === 9 || fitting.length === 0 ? world.ids(() => true) : fitting
  return from[Math.floor(n / 10) % Math.max(from.length, 1)]
}

const request = fc.record({
  model: fc.constantFrom('a', 'b', 'a/b'),
  version: fc.integer({ min: 1, max: 6 }).map(String),
  rollback: fc.boolean(),
  key: fc.option(fc.constantFrom('k1', 'k2', 'k3', 'k4'), { freq: 3, nil: undefined }),
})

export const accepting: fc.Arbitrary<Deed> = fc.tuple(request, hows.one).map(([asked, how]) => ({
  name: `accept ${JSON.stringify(asked)} ${how.script}`,
  possible: anyTime,
  run: async (world) => world.step(await accept(world, { id: world.newId(), ...asked }), [how]),
}))

/** Its turn could be now. */
const atTurn = (world: World) => (fields: Fields) =>
  inState('dispatching')(fields) ||
  (inState('accepted')(fields) && !world.whole().targets.get(fields.target ?? '')?.inFlight)

export const working: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.oneof(hows.some, hows.throughout), fc.nat(39))
  .map(([n, steps, off]) => ({
    name: `work ${n} ${off === 39 ? 'switched off ' : ''}${hows.brief(steps)}`,
    possible: notEmpty,
    async run(world) {
      const id = oneOf(world, n, atTurn(world))
      if (id) await world.step(await work(world, id, off !== 39), steps)
    },
  }))

export const resolving: fc.Arbitrary<Deed> = hows.throughout.map((steps) => ({
  name: `resolve ${hows.brief(steps)}`,
  possible: inDoubt,
  run: async (world) => world.step(await resolve(world), steps),
}))

/** Several looks with time between them; a slow resolver waits as long between listing and saying so. */
export const resolvingAtLength: fc.Arbitrary<Deed> = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(60_000, 160_000), fc.boolean(), hows.throughout)
  .map(([looks, pauseMs, slow, steps]) => ({
    name: `resolve ${looks} times, every ${pauseMs} ms${slow ? ', slowly' : ''} ${hows.brief(steps)}`,
    possible: inDoubt,
    async run(world) {
      for (let look = 0; look < looks; look++) {
        if (!slow) await world.pass(pauseMs)
        const resolver = await resolve(world)
        await world.step(resolver, steps.slice(0, 1))
        if (slow) await world.pass(pauseMs)
        await world.step(resolver, steps.slice(1))
      }
    },
  }))

/** At once, or when the pause of a circuit is over. */
export const probing: fc.Arbitrary<Deed> = fc
  .tuple(fc.constantFrom(0, 61_000, 700_000), hows.throughout)
  .map(([laterMs, steps]) => ({
    name: `probe after ${laterMs} ms ${hows.brief(steps)}`,
    possible: (world) => world.whole().circuits.size > 0,
    async run(world) {
      if (laterMs > 0) await world.pass(laterMs)
      await world.step(await probe(world), steps)
    },
  }))

export const goingOn: fc.Arbitrary<Deed> = fc.tuple(number, hows.some).map(([n, steps]) => ({
  name: `go on ${n} ${hows.brief(steps)}`,
  possible: peopled,
  async run(world) {
    const client = world.clients[n % world.clients.length]
    if (client) await world.step(client, steps)
  },
}))

export const crashing: fc.Arbitrary<Deed> = number.map((n) => ({
  name: `crash ${n}`,
  possible: peopled,
  async run(world) {
    const client = world.clients[n % world.clients.length]
    world.trail.push(`${client?.name} crashes at: ${client?.standsAt()}`)
    if (client) world.crash(client)
  },
}))

export const comingAgain: fc.Arbitrary<Deed> = number.map((n) => ({
  name: `an earlier call comes again ${n}`,
  possible: (world) => world.earlier.length > 0,
  run: async (world) =>
    world.earlier[world.earlier.length - 1 - (n % Math.min(world.earlier.length, 12))]?.again(),
}))
