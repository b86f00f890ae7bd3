// The healed world: everything works, every client does what it is there for, people do their part and tell the
// truth. Within a bounded number of rounds nothing may be left on its way, and nothing be lost.
import { hasEnded } from './invariants.ts'
import { redrive, release, settle } from './people.ts'
import { accept, probe, resolve, work } from './roles.ts'
import { follow, hear } from './run-roles.ts'
import { AS_IT_SHOULD, type World, type WorldClient } from './world.ts'

const ROUNDS = 25
const AT_LENGTH = Array.from({ length: 40 }, () => AS_IT_SHOULD)

export async function heal(world: World): Promise<void> {
  world.trail.push('the world is healed')
  for (const client of [...world.clients]) world.crash(client)
  const finishes = async (client: WorldClient) => world.step(client, AT_LENGTH)

  for (const model of Object.keys(world.reference().targets)) await finishes(await release(world, model))
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
  await hearsOfLast(world)
  for (const model of Object.keys(world.reference().targets)) {
    const id = world.newId()
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

/** Its runs have ended, also those that a person has started again, and a webhook has told so: live is the last success. */
async function hearsOfLast(world: World) {
  for (const run of world.github.runs) {
    world.github.end(run, 'success')
    const event = world.github.newestWebhook(run)
    if (event) await world.step(await hear(world, event), AT_LENGTH)
    // GitHub starts nothing again that is so old that it is forgotten here.
    const known = world.stateOf(run.promotion) && world.reference().promotions[run.promotion]
    if (run.conclusion !== 'success' || !event || !known) continue
    const { live, liveAt = 0 } = world.reference().targets[known.model] ?? {}
    if (liveAt < event.updatedAt)
      throw new Error(`UNTRUE: ${live} is live for ${known.model}, and ${known.version} succeeded later`)
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
