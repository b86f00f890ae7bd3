// What people may do at any time: with dead letters, and with targets.
import fc from 'fast-check'
import { type Deed, inState, number, oneOf } from './deeds.ts'
import * as hows from './how.ts'
import { discard, hold, redrive, release, rollBack, settle } from './people.ts'
import { mayStillSend, work } from './roles.ts'
import type { World } from './world.ts'

const notEmpty = (world: World) => world.whole().promotions.size > 0

export const redriving: fc.Arbitrary<Deed> = fc.tuple(number, hows.one, fc.nat(3)).map(([n, how, old]) => ({
  name: `redrive ${n} ${old === 3 ? 'an old one ' : ''}${how.script}`,
  possible: notEmpty,
  async run(world) {
    const id = oneOf(world, n, inState('dead_lettered', 'unresolved'))
    if (!id) return
    const newest = Number(world.whole().promotions.get(id)?.deadLetters)
    await world.step(await redrive(world, id, newest - (old === 3 ? 1 : 0)), [how])
  },
}))

export const discarding: fc.Arbitrary<Deed> = fc.tuple(number, hows.one, fc.nat(3)).map(([n, how, old]) => ({
  name: `discard ${n} ${old === 3 ? 'an old one ' : ''}${how.script}`,
  possible: (world) => world.ids(inState('dead_lettered', 'unresolved')).length > 0,
  async run(world) {
    const id = oneOf(world, n, inState('dead_lettered', 'unresolved'))
    if (!id) return
    const newest = Number(world.whole().promotions.get(id)?.deadLetters)
    await world.step(await discard(world, id, newest - (old === 3 ? 1 : 0)), [how])
  },
}))

/** Redis has forgotten that it was redriven and sent, and a person who sees a dead letter discards it. */
export const discardingForgotten: fc.Arbitrary<Deed> = fc
  .tuple(number, hows.one, hows.throughout)
  .map(([n, how, steps]) => ({
    name: `lose (redrive ${n}; work ${hows.brief(steps)}), then discard it`,
    possible: (world) => world.traits.losesWrites && world.ids(inState('dead_lettered')).length > 0,
    async run(world) {
      const id = oneOf(world, n, inState('dead_lettered'))
      if (!id) return
      const letter = Number(world.whole().promotions.get(id)?.deadLetters)
      await world.remember()
      await world.step(await redrive(world, id, letter), [how])
      await world.step(await work(world, id), steps)
      if (world.mayForget()) await world.forget()
      await world.step(await discard(world, id, letter), [how])
    },
  }))

export const settling: fc.Arbitrary<Deed> = fc.tuple(number, hows.one).map(([n, how]) => ({
  name: `settle ${n} ${how.script}`,
  possible: (world) => world.ids(inState('unresolved')).length > 0,
  async run(world) {
    const id = oneOf(world, n, inState('unresolved'))
    if (!id || (!world.github.runOf(id) && mayStillSend(world, id))) return
    await world.step(await settle(world, id), [how])
  },
}))

function modelOf(world: World, n: number): string {
  const models = Object.keys(world.reference().targets)
  return models[n % models.length] ?? ''
}

export const holding: fc.Arbitrary<Deed> = fc
  .tuple(number, hows.one, fc.boolean())
  .map(([n, how, isHeld]) => ({
    name: `${isHeld ? 'hold' : 'release'} ${n} ${how.script}`,
    possible: notEmpty,
    run: async (world) => world.step(await (isHeld ? hold : release)(world, modelOf(world, n)), [how]),
  }))

export const rollingBack: fc.Arbitrary<Deed> = fc
  .tuple(number, hows.one, fc.option(fc.integer({ min: 1, max: 6 }).map(String), { nil: undefined }))
  .map(([n, how, to]) => ({
    name: `roll back ${n} to ${to ?? 'what was before'} ${how.script}`,
    possible: notEmpty,
    run: async (world) => world.step(await rollBack(world, modelOf(world, n), to), [how]),
  }))
