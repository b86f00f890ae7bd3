// Calls that nobody should make: none of them may change anything.
import fc from 'fast-check'
import { type Deed, inState, number, oneOf } from './deeds.ts'
import { hasEnded } from './invariants.ts'
import { isFormer } from './ledger-keys.ts'
import { REPOSITORY } from './route.ts'
import { finish } from './run-roles.ts'
import type { World } from './world.ts'

/** @param n picks among what is there */
type Mischief = (world: World, n: number) => Promise<unknown> | undefined

const finishesByForeignRun: Mischief = (world, n) => {
  const { id, stranger } = withStranger(world, n, 'dispatched')
  if (!id || !stranger) return undefined
  const end = {
    id,
    runId: stranger,
    runUrl: '',
    runAttempt: 1,
    state: 'deployed',
    conclusion: 'success',
  } as const
  return world.script('finish', `finishes ${id} by the foreign run ${stranger}`, () => finish(world, end))
}

const tracksForeignRun: Mischief = (world, n) => {
  const { id, stranger } = withStranger(world, n, 'dispatched')
  if (!id || !stranger) return undefined
  const seen = { id, runId: stranger, runUrl: '', status: 'queued', runAttempt: 1 }
  return world.script('track', `tracks ${id} by the foreign run ${stranger}`, () => world.ledger.track(seen))
}

const adoptsForeignRun: Mischief = (world, n) => {
  const { id, stranger } = withStranger(world, n, 'dispatching')
  if (!id || !stranger) return undefined
  const seen = { id, runId: stranger, runUrl: '' }
  return world.script('adopt', `adopts the foreign run ${stranger} for ${id}`, () => world.ledger.adopt(seen))
}

/** Nothing was sent: there is no run of it. */
const adoptsUnsent: Mischief = (world, n) => {
  const id = oneOf(world, n, (one) => inState('accepted')(one) && one.attempts === '0')
  const { state, attempts, doubt, epoch } = (id && world.whole().promotions.get(id)) || {}
  if (!id || state !== 'accepted' || attempts !== '0' || doubt || !epoch || isFormer(epoch)) return undefined
  const seen = { id, runId: '7', runUrl: '' }
  return world.script('adopt', `adopts run 7 for ${id}, which was never sent`, () => world.ledger.adopt(seen))
}

/** Before its end, by another's run, or again what was noted already. */
const notesWrongAttempt: Mischief = (world, n) => {
  const id = oneOf(world, n, (one) => Boolean(one.runId))
  const { runId = '', runAttempt, ...fields } = (id && world.whole().promotions.get(id)) || {}
  const isOver = hasEnded(fields)
  const stranger = world.github.runs.find((run) => run.id !== runId)?.id
  if (!id || !runId || (isOver && !stranger)) return undefined
  const attempt = Number(runAttempt ?? 0) + 1
  const end = { id, success: true, conclusion: 'success', updatedAt: world.stored(world.now()) }
  const which = isOver ? { runId: stranger ?? '', runAttempt: attempt } : { runId, runAttempt: attempt }
  return world.script('rerun', `notes attempt ${attempt} of run ${which.runId} for ${id}`, () =>
    world.ledger.rerun({ ...end, ...which }),
  )
}

const tracksEnded: Mischief = (world, n) => {
  const id = oneOf(world, n, (one) => hasEnded(one) && Boolean(one.runId))
  const { runId = '', ...fields } = (id && world.whole().promotions.get(id)) || {}
  if (!id || !runId || !hasEnded(fields)) return undefined
  const seen = { id, runId, runUrl: '', status: 'queued', runAttempt: Number(fields.runAttempt) + 1 }
  return world.script('track', `tracks ${id}, which has ended`, () => world.ledger.track(seen))
}

const tellsAsStranger: Mischief = (world, n) => {
  const id = oneOf(world, n, (fields) => !hasEnded(fields))
  const attempt = id && world.whole().promotions.get(id)?.attempts
  if (!id || !attempt) return undefined
  const circuit = { scope: REPOSITORY, reason: 'credentials', waitMs: 1_000, untilReset: false }
  const next = [
    { kind: 'again', delayMs: 0, spend: true, circuit } as const,
    { kind: 'dead_letter', exhausted: false } as const,
    { kind: 'unknown' } as const,
  ][n % 3] ?? { kind: 'unknown' }
  const end = {
    ...{ id, attempt: Number(attempt), token: 'of a stranger', outcome: 'x', detail: 'x', status: 503, next },
    ...{ recheckMs: 1, scopes: [REPOSITORY], fault: true, faultPauseMs: 1 },
  }
  return world.script('outcome', `a stranger tells ${id}: ${next.kind}`, () =>
    world.ledger.recordOutcome(end),
  )
}

const ALL: readonly Mischief[] = [
  tellsAsStranger,
  tellsAsStranger,
  finishesByForeignRun,
  finishesByForeignRun,
  tracksForeignRun,
  tracksEnded,
  adoptsForeignRun,
  adoptsUnsent,
  notesWrongAttempt,
]

export const mischief: fc.Arbitrary<Deed> = fc.tuple(number, fc.nat(ALL.length - 1)).map(([n, which]) => ({
  name: `mischief ${n} ${which}`,
  possible: (world) => world.whole().promotions.size > 0,
  async run(world) {
    const before = world.whole()
    await ALL[which]?.(world, n)
    world.unchangedSince(before)
  },
}))

/** A promotion, best one in this state whose run is not known, and a run of another one. */
function withStranger(world: World, n: number, state: string) {
  const withoutRun = world.ids((fields) => inState(state)(fields) && !fields.runId)
  const id = withoutRun[0] ?? oneOf(world, n, (fields) => !hasEnded(fields))
  const isAnothers = (run: string) => ![undefined, id].includes(world.whole().texts.get(`run:${run}`))
  return { id, stranger: world.github.runs.find((run) => isAnothers(run.id))?.id }
}
