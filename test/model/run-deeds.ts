// What may befall runs: they move on, a person starts one again, somebody looks at one, a webhook comes: in time, late,
// twice, in the wrong order, or made up.
import fc from 'fast-check'
import { type Deed, inState, number, oneOf } from './deeds.ts'
import { FORGERIES, forged } from './forge.ts'
import * as hows from './how.ts'
import { hold, release, rollBack } from './people.ts'
import { accept, work } from './roles.ts'
import { follow, hear } from './run-roles.ts'
import { AS_IT_SHOULD, type How, type World } from './world.ts'

const completed = (world: World) => world.github.runs.filter(({ status }) => status === 'completed')
const running = (world: World) => world.github.runs.filter(({ status }) => status !== 'completed')

export const runMoving: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.constantFrom('waiting', 'in_progress', 'success', 'failure', 'cancelled'))
  .map(([n, to]) => ({
    name: `run ${n} ${to}`,
    possible: (world) => running(world).length > 0,
    async run(world) {
      const run = running(world)[n % running(world).length]
      if (!run) return
      world.trail.push(`run ${run.id} of ${run.promotion}: ${to}`)
      if (to === 'waiting' || to === 'in_progress') world.github.moveOn(run, to)
      else world.github.end(run, to)
    },
  }))

/** A person presses "Re-run" at GitHub; most often it comes to an end again. */
export const runAgain: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.constantFrom(undefined, 'success', 'success', 'failure'))
  .map(([n, to]) => ({
    name: `a person starts run ${n} again: ${to ?? 'no end yet'}`,
    possible: (world) => completed(world).length > 0,
    async run(world) {
      const run = completed(world)[n % completed(world).length]
      if (!run) return
      world.github.startAgain(run)
      if (to) world.github.end(run, to)
      world.trail.push(
        `a person starts run ${run.id} of ${run.promotion} again: ${run.status} ${run.conclusion}`,
      )
    },
  }))

export const following: fc.Arbitrary<Deed> = fc
  .tuple(number, hows.throughout, fc.boolean())
  .map(([n, steps, ended]) => ({
    name: `follow ${n} ${ended ? 'to its end ' : ''}${hows.brief(steps)}`,
    possible: (world) => world.ids(() => true).length > 0,
    async run(world) {
      const id = oneOf(world, n, inState('dispatched'))
      const run = id === undefined ? undefined : world.github.runOf(id)
      if (ended && run) world.github.end(run, n % 3 === 0 ? 'failure' : 'success')
      if (id) await world.step(await follow(world, id), steps)
    },
  }))

/**
 * Versions go the whole way without any hindrance of ours, and the deployment of the last one succeeds or fails; a
 * newer one may have come meanwhile, or a person have held the target.
 */
export const deploying: fc.Arbitrary<Deed> = fc
  .tuple(
    fc.constantFrom('a', 'b', 'a/b'),
    fc.integer({ min: 7, max: 40 }),
    fc.constantFrom(['success'], ['failure'], ['success', 'failure']),
    fc.constantFrom(0, 1, 1),
    fc.constantFrom('nothing', 'nothing', 'a newer one', 'a hold'),
    hows.throughout,
  )
  .map(([model, first, conclusions, higher, meanwhile, steps]) => ({
    name: `deploy ${model} ${first}, each ${higher} higher: ${conclusions}, meanwhile ${meanwhile} ${hows.brief(steps)}`,
    possible: () => true,
    async run(world) {
      for (const [n, conclusion] of conclusions.entries()) {
        const version = first + n * higher
        const id = await accepted(world, model, version)
        await world.step(await work(world, id), WELL)
        const run = world.github.runOf(id)
        if (!run) return
        const isLast = n === conclusions.length - 1
        if (isLast && meanwhile === 'a newer one') await accepted(world, model, version + 1)
        if (isLast && meanwhile === 'a hold') await world.step(await hold(world, model), WELL)
        world.github.end(run, conclusion)
        await world.step(await follow(world, id), isLast ? steps : WELL)
      }
    },
  }))

/** A person rolls a target back, and that goes the whole way; then once more, or it is released and what was left offered. */
export const rollingBackAndOn: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.boolean(), hows.throughout)
  .map(([n, isReleased, steps]) => ({
    name: `roll back ${n}, ${isReleased ? 'release and offer again' : 'and again'} ${hows.brief(steps)}`,
    possible: (world) => Object.keys(world.reference().targets).length > 0,
    async run(world) {
      const models = Object.keys(world.reference().targets)
      const model = models[n % models.length] ?? ''
      await world.step(await rollBack(world, model), WELL)
      const target = world.reference().targets[model]
      if (target?.newest) await goes(world, target.newest, 'success', WELL)
      if (!isReleased) return world.step(await rollBack(world, model), steps)
      const left = target?.blocked[0]
      await world.step(await release(world, model), WELL)
      const request = { id: world.newId(), model, version: left ?? '1', rollback: false }
      await world.step(await accept(world, request), steps)
    },
  }))

async function goes(world: World, id: string, conclusion: string, steps: readonly How[]) {
  await world.step(await work(world, id), WELL)
  const run = world.github.runOf(id)
  if (run) world.github.end(run, conclusion)
  await world.step(await follow(world, id), steps)
}

const WELL = Array.from({ length: 6 }, () => AS_IT_SHOULD)

async function accepted(world: World, model: string, version: number): Promise<string> {
  const id = world.newId()
  await world.step(
    await accept(world, { id, model, version: String(version), rollback: false, key: id }),
    WELL,
  )
  return id
}

/** One of GitHub's webhooks, a late one or one that came before at times; or one that somebody has made up from it. */
export const hearing: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.boolean(), fc.constantFrom(...FORGERIES), hows.throughout)
  .map(([n, late, forgery, steps]) => ({
    name: `hear ${n} ${late ? 'late ' : ''}${forgery} ${hows.brief(steps)}`,
    possible: (world) => world.github.webhooks.length > 0,
    async run(world) {
      const all = world.github.webhooks.slice(late ? 0 : -3)
      const event = all[n % all.length]
      if (event) await world.step(await hear(world, forged(world, event, forgery, n)), steps)
    },
  }))

/**
 * What is live is started again by a person, and succeeds shortly before or after the run in flight of the same
 * target; who is told first is another matter.
 */
export const overtaking: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.boolean(), fc.boolean(), hows.throughout)
  .map(([n, againFirst, toldFirst, steps]) => ({
    name: `overtake ${n} again ${againFirst ? 'first' : 'last'}, told ${toldFirst ? 'first' : 'last'} ${hows.brief(steps)}`,
    possible: (world) => contested(world).length > 0,
    async run(world) {
      const [live, running] = contested(world)[n % contested(world).length] ?? []
      if (!live || !running) return
      const again = () => {
        world.github.startAgain(live)
        world.github.end(live, 'success')
      }
      const end = () => world.github.end(running, 'success')
      const [first, last] = againFirst ? [again, end] : [end, again]
      first()
      await world.pass(2_000)
      last()
      const [sooner, later] = toldFirst ? [live, running] : [running, live]
      for (const run of [sooner, later]) {
        const event = world.github.newestWebhook(run)
        if (event) await world.step(await hear(world, event), steps)
      }
    },
  }))

/** Runs that are live and have completed, each with the one in flight of the same target. */
function contested(world: World) {
  return [...world.whole().targets.values()].flatMap(({ livePromotion = '', inFlight = '' }) => {
    const [live, running] = [world.github.runOf(livePromotion), world.github.runOf(inFlight)]
    return live?.status === 'completed' && running && running.status !== 'completed'
      ? [[live, running] as const]
      : []
  })
}

/** What has failed is started again by a person, and succeeds, while what is to be put back for it still waits. */
export const putBackInVain: fc.Arbitrary<Deed> = fc
  .tuple(fc.constantFrom('a', 'b', 'a/b'), fc.integer({ min: 7, max: 40 }), hows.throughout)
  .map(([model, version, steps]) => ({
    name: `put ${model} ${version} back in vain ${hows.brief(steps)}`,
    possible: () => true,
    async run(world) {
      await goes(world, await accepted(world, model, version), 'success', WELL)
      const id = await accepted(world, model, version + 1)
      await goes(world, id, 'failure', WELL)
      const run = world.github.runOf(id)
      if (!run) return
      world.github.startAgain(run)
      world.github.end(run, 'success')
      const event = world.github.newestWebhook(run)
      if (event) await world.step(await hear(world, event), steps)
    },
  }))

/** Somebody has read the end of a run, and a person starts it again before that is told. */
export const endOutdated: fc.Arbitrary<Deed> = fc.tuple(number, hows.throughout).map(([n, steps]) => ({
  name: `end outdated ${n} ${hows.brief(steps)}`,
  possible: (world) => world.ids(inState('dispatched')).length > 0,
  async run(world) {
    const id = oneOf(world, n, inState('dispatched'))
    const run = id === undefined ? undefined : world.github.runOf(id)
    if (!id || !run) return
    world.github.end(run, 'success')
    const late = await follow(world, id)
    await world.step(late, [AS_IT_SHOULD, AS_IT_SHOULD])
    world.github.startAgain(run)
    const event = world.github.newestWebhook(run)
    if (event) await world.step(await hear(world, event), steps)
    await world.step(late, steps)
  },
}))

/** A run comes to wait for an approval, and goes on, or does so first; the webhooks come the other way round. */
export const toldInReverse: fc.Arbitrary<Deed> = fc
  .tuple(number, fc.shuffledSubarray(['waiting', 'in_progress'] as const, { minLength: 2 }), hows.throughout)
  .map(([n, [first, last], steps]) => ({
    name: `told in reverse ${n}, ${first} first ${hows.brief(steps)}`,
    possible: (world) => running(world).length > 0,
    async run(world) {
      const run = running(world)[n % running(world).length]
      if (!run || !first || !last) return
      world.github.moveOn(run, first)
      const earlier = world.github.newestWebhook(run)
      await world.pass(2_000)
      world.github.moveOn(run, last)
      for (const event of [world.github.newestWebhook(run), earlier])
        if (event) await world.step(await hear(world, event), steps)
    },
  }))
