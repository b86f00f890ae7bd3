// The reference's part of rollbacks and holds: what is put back, when, and what is held back for it.
import type { RolledBack } from '../../shared/ledger/steps.ts'
import { hasEnded } from './invariants.ts'
import { isFormer } from './ledger-keys.ts'
import { type Reference, type ReferenceTarget, SEEN_MS, type StateOf } from './reference.ts'
import type { World } from './world.ts'

interface Order {
  id: string
  model: string
  to: string
  /** What it is put back from; '' for nothing. */
  from: string
}

/** A rollback was accepted. */
export function takeRollback(reference: Reference, { id, model, to, from }: Order, now: number) {
  const target = reference.targets[model]
  if (!target) throw new Error(`${model} is rolled back, and nothing was promoted to it`)
  reference.promotions[id] = { model, version: to, order: ++reference.accepted, isRollback: true }
  target.newest = id
  target.seen[to] = { id, until: now + SEEN_MS }
  const others = target.blocked.filter((version) => version !== to && version !== from)
  target.blocked = from === '' || from === to ? others : [...others, from]
}

/** The version that goes live again as this promotion has failed: never from a rollback, nor over something newer. */
export function toPutBack(world: World, id: string): string | undefined {
  const known = world.reference().promotions[id]
  const target = known && world.reference().targets[known.model]
  if (!known || !target?.live) return undefined
  if (known.isRollback || target.isHeld || target.live === known.version) return undefined
  const newer = Object.entries(world.reference().promotions).some(
    ([other, { model, order }]) =>
      model === known.model && order > known.order && world.pendingOf(model) === other,
  )
  return newer ? undefined : target.live
}

type Expected = { status: RolledBack['status']; id?: string; version?: string; why?: string; from?: string }

/** What a person is to be answered who rolls a target back. @param to the version that is asked for */
export function expectedRollback(
  { promotions, targets }: Reference,
  { id, model, to }: { id: string; model: string; to?: string | undefined },
  stateOf: StateOf,
): Expected {
  const known = promotions[id]
  if (known && stateOf(id)) return { status: 'accepted', id, version: known.version }
  const target = targets[model]
  const newest = promotions[target?.newest ?? '']
  if (!target?.newest || !newest) return { status: 'refused', why: 'unknown' }
  const state = stateOf(target.newest) ?? 'skipped'
  const isUnderWay = newest.isRollback && !hasEnded({ state }) && state !== 'dead_lettered'
  if (isUnderWay && (to === undefined || to === newest.version))
    return { status: 'duplicate', id: target.newest, version: newest.version }
  return chosen(target, { id, to, newest: newest.version, hasStarted: STARTED.includes(state) })
}

function chosen(
  { live = '', previous = '', blocked }: ReferenceTarget,
  { id, to, newest, hasStarted }: { id: string; to: string | undefined; newest: string; hasStarted: boolean },
): Expected {
  const hasLeft = hasStarted && newest !== live
  const version = to ?? (hasLeft ? live : previous)
  if (version === '') return { status: 'refused', why: 'nothing_before' }
  if (to === undefined && blocked.includes(version)) return { status: 'refused', why: 'blocked', version }
  return { status: 'accepted', id, version, from: hasLeft && newest !== version ? newest : live }
}

const STARTED = ['dispatching', 'dispatched', 'unresolved', 'failed', 'cancelled', 'timed_out']

/** A person has put a version live: it is not held back any more, and what was to replace it gives way. */
export function takeBack(world: World, id: string) {
  const { promotions, targets } = world.reference()
  const known = promotions[id]
  const target = known && targets[known.model]
  if (!target) return
  if (target.blocked.includes(known.version)) target.blocked = []
  const waiting = world.whole().promotions.get(world.pendingOf(known.model) ?? '')
  const maybeSent = Boolean(waiting?.doubt) || !waiting?.epoch || isFormer(waiting.epoch)
  if (waiting?.parent === id && !maybeSent) target.newest = id
}
