// The operators: one holds a target for a while and releases it, another rolls targets back, and a pipeline that knows
// nothing of it offers the same version again. What they were answered is kept: the verdict holds the relay to it.
import { setTimeout as pause } from 'node:timers/promises'
import { v7 as uuidv7 } from 'uuid'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import { type Target, targetName } from '../../shared/ledger/promotion-record.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Tally } from './faults.ts'
import type { HeldFor } from './held.ts'
import type { Answer, Promote } from './load.ts'
import type { Random } from './random.ts'

export interface OperatorsDeps {
  ledger: Pick<Ledger, 'hold' | 'release' | 'rollback'>
  reader: Pick<LedgerReader, 'targets'>
  promote: Promote
  tally: Tally
  random: Random
  holdMs: number
}

const SOME = 12
const EVERYTHING = 1_000_000

const orderFor = ({ model, environment }: Target) => ({ model, environment, by: 'an operator' })

export function createOperators({ ledger, reader, promote, tally, random, holdMs }: OperatorsDeps) {
  const holds: HeldFor[] = []
  const held = new Set<string>()
  const answers: Answer[] = []
  const underWay = new Set<Promise<unknown>>()
  let isOver = false

  function oneOf(targets: Target[]): Target | undefined {
    return targets[random.below(targets.length)]
  }

  async function hold() {
    // Of those that were promoted to lately: there is something to stop.
    const target = oneOf(await reader.targets(SOME))
    const name = target && targetName(target)
    if (!target || !name || held.has(name)) return
    held.add(name)
    const order = orderFor(target)
    await ledger.hold(order)
    const from = Date.now()
    tally.struck('target-held')
    for (const until = from + holdMs; !isOver && Date.now() < until; ) await pause(20)
    const to = Date.now()
    // Redis may have forgotten it.
    if ((await ledger.release(order)).kind === 'released') holds.push({ target: name, from, to })
    held.delete(name)
  }

  function note(told: Pick<Answer, 'id' | 'status' | 'version'>, target: Target, askedAt: number) {
    answers.push({ ...told, target: targetName(target), key: '', askedAt, answeredAt: Date.now() })
  }

  /** By a pipeline that has a key of its own for it. */
  async function offerAgain({ live: version = '', ...target }: Target, rollback: string) {
    const askedAt = Date.now()
    const result = await promote({ model: target.model, version }, { idempotencyKey: `after ${rollback}` })
    if (result.status === 'accepted' || result.status === 'duplicate')
      note({ id: result.id, status: result.status, version }, target, askedAt)
  }

  return {
    holds,
    answers,
    holdForAWhile() {
      const one = hold().finally(() => underWay.delete(one))
      underWay.add(one)
      return one
    },

    async rollBack() {
      const target = oneOf((await reader.targets(EVERYTHING)).filter(({ previous }) => previous))
      if (!target) return
      const askedAt = Date.now()
      const result = await ledger.rollback(uuidv7(), orderFor(target))
      if (result.status === 'refused') return
      const { id, status, version } = result
      note({ id, status, version }, target, askedAt)
      if (status !== 'accepted') return
      tally.struck('target-rolled-back')
      await offerAgain(target, id)
    },

    /** Everything is released, also where Redis has forgotten that it was. */
    async end() {
      isOver = true
      await Promise.all(underWay)
      const left = (await reader.targets(EVERYTHING)).filter(({ hold: one }) => one?.kind === 'person')
      for (const target of left) await ledger.release(orderFor(target))
    },
  }
}
