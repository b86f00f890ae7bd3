// What people say to the ledger, each one call: about a dead letter, about a run, and about a target.
import { isDeepStrictEqual } from 'node:util'
import { expectedRollback, takeRollback } from './rollbacks.ts'
import type { World, WorldClient } from './world.ts'

export function redrive(world: World, id: string, deadLetter: number): Promise<WorldClient> {
  const who = `person ${world.number()}`
  return world.start(who, (gate) =>
    world.call(gate, 'redrive', `${who} redrives ${id} ${deadLetter}`, async () => {
      const meant = Number(world.whole().promotions.get(id)?.deadLetters) === deadLetter
      const answer = await world.ledger.redrive(id, deadLetter, who)
      if (!meant && answer.kind !== 'settled') throw new Error(`another dead letter of ${id} was meant`)
      return answer
    }),
  )
}

export function discard(world: World, id: string, deadLetter: number): Promise<WorldClient> {
  const who = `person ${world.number()}`
  return world.start(who, (gate) =>
    world.call(gate, 'discard', `${who} discards ${id} ${deadLetter}`, async () => {
      const { deadLetters, state } = world.whole().promotions.get(id) ?? {}
      const answer = await world.ledger.discard(id, deadLetter, who)
      const meant = Number(deadLetters) === deadLetter && state === 'dead_lettered'
      const done = answer.kind === 'discarded' || answer.kind === 'looked_for'
      if (meant !== done && state === 'dead_lettered')
        throw new Error(`discard of ${id} answers ${answer.kind}`)
      return answer
    }),
  )
}

/** A person looks at GitHub and says what is true. */
export function settle(world: World, id: string): Promise<WorldClient> {
  const who = `person ${world.number()}`
  const run = world.github.runOf(id)
  const word = run ? { runId: run.id } : ({ absent: true } as const)
  return world.start(who, (gate) =>
    world.call(gate, 'settle', `${who} settles ${id}: ${run?.id ?? 'absent'}`, () =>
      world.ledger.settle(id, word, who),
    ),
  )
}

export function hold(world: World, model: string): Promise<WorldClient> {
  const who = `person ${world.number()}`
  return world.start(who, (gate) =>
    world.call(gate, 'hold', `${who} holds ${model}`, async () => {
      const answer = await world.ledger.hold({ model, environment: 'production', by: who })
      const target = world.reference().targets[model]
      if ((answer.kind === 'held') !== Boolean(target?.newest)) throw new Error(`hold answers ${answer.kind}`)
      if (target?.newest) target.isHeld = true
      return answer
    }),
  )
}

export function release(world: World, model: string): Promise<WorldClient> {
  const who = `person ${world.number()}`
  return world.start(who, (gate) =>
    world.call(gate, 'release', `${who} releases ${model}`, async () => {
      const answer = await world.ledger.release({ model, environment: 'production', by: who })
      const target = world.reference().targets[model]
      for (const version of target?.blocked ?? []) delete target?.seen[version]
      if (target) Object.assign(target, { isHeld: false, blocked: [] })
      return answer
    }),
  )
}

/** @param to the version that is to go live again; the one before by default */
export function rollBack(world: World, model: string, to?: string): Promise<WorldClient> {
  const who = `person ${world.number()}`
  const id = world.newId()
  const what = `${who} rolls ${model} back to ${to ?? 'what was before'} by ${id}`
  return world.start(who, (gate) =>
    world.call(gate, 'rollback', what, async () => {
      const { from, ...expected } = expectedRollback(world.reference(), { id, model, to }, world.stateOf)
      const answer = await world.ledger.rollback(id, { model, environment: 'production', to, by: who })
      const { status, version } = answer
      const seen =
        status === 'refused'
          ? { status, why: answer.why, ...(version && { version }) }
          : { status, id: answer.id, version }
      if (!isDeepStrictEqual(seen, expected))
        throw new Error(`rollback answers ${JSON.stringify(seen)}, and not ${JSON.stringify(expected)}`)
      if (from !== undefined && version)
        takeRollback(world.reference(), { id, model, to: version, from }, world.now())
      return answer
    }),
  )
}
