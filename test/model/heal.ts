// The healed world: everything works, every client does what it is there for, people do their part and tell the
// truth. Within a bounded number of rounds nothing may be left on its way, and nothing be lost.
import { hasEnded } from './invariants.ts'
import { accept, follow, probe, redrive, resolve, settle, work } from './roles.ts'
import { AS_IT_SHOULD, type World, type WorldClient } from './world.ts'

const ROUNDS = 25
const AT_LENGTH = Array.from({ length: 40 }, () => AS_IT_SHOULD)

export async function heal(world: World): Promise<void> {
  world.trail.push('the world is healed')
  for (const client of [...world.clients]) world.crash(client)
  for (const name of world.whole().targets.keys()) await world.hold(name, '')
  const finishes = async (client: WorldClient) => world.step(client, AT_LENGTH)

  for (let round = 0; round < ROUNDS; round++) {
    const left = world.ids((fields) => !hasEnded(fields))
    if (left.length === 0) return atRest(world)
    await world.pass(180_000)
    await finishes(await probe(world))
    await finishes(await resolve(world))
    for (const id of left) {
      const fields = world.whole().promotions.get(id) ?? {}
      const run = world.github.runOf(id)
      switch (fields.state) {
        case 'accepted':
        case 'dispatching':
          // Its job looks again, and finds it in doubt still.
          if (!fields.doubt) await finishes(await work(world, id))
          break
        case 'dispatched':
          if (run) world.github.end(run, 'success')
          await finishes(await follow(world, id))
          // Several could be its own: a person says which.
          if (!world.whole().promotions.get(id)?.runId && round % 3 === 2)
            await finishes(await settle(world, id))
          break
        case 'dead_lettered':
          await finishes(await redrive(world, id, Number(fields.deadLetters)))
          break
        case 'unresolved':
          await finishes(await settle(world, id))
          break
      }
    }
  }
  const stuck = world
    .ids((fields) => !hasEnded(fields))
    .map((id) => world.whole().promotions.get(id))
    .map((fields) => JSON.stringify(fields))
  throw new Error(`STUCK after ${ROUNDS} rounds: ${stuck.join('\n')}`)
}

/** Whoever has ended says truly whether a run of it exists; and a new promotion of every target still goes through. */
async function atRest(world: World) {
  tellsTheTruth(world)
  for (const model of Object.keys(world.reference().targets)) {
    const id = `00000000-0000-7000-8000-${String(world.number()).padStart(12, '9')}`
    await world.step(await accept(world, { id, model, version: `last-${id}`, rollback: false }), [
      AS_IT_SHOULD,
    ])
    for (let round = 0; round < 8 && world.stateOf(id) !== 'dispatched'; round++) {
      await world.pass(180_000)
      await world.step(await probe(world), AT_LENGTH)
      await world.step(await work(world, id), AT_LENGTH)
    }
    if (world.stateOf(id) !== 'dispatched')
      throw new Error(`STUCK: nothing goes through for ${model} any more`)
  }
}

function tellsTheTruth(world: World) {
  for (const [id, { state = '', runId }] of world.whole().promotions) {
    const run = world.github.runOf(id)
    const started = !['superseded', 'skipped'].includes(state)
    if (started !== Boolean(run))
      throw new Error(`UNTRUE: ${id} is ${state}, and its run is ${run?.id ?? 'none'}`)
    if (run && run.id !== runId)
      throw new Error(`UNTRUE: ${id} has run ${run.id}, and the ledger says ${runId}`)
  }
}
