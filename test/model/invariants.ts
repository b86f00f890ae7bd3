// What must be true of the ledger after every single call, whatever came before, and of GitHub's own list of runs.
// Each throws with words that name what is wrong.
import { ENDED, type Hold, type State } from '../../shared/ledger/promotion-record.ts'
import { LISTED_STATES } from '../../shared/ledger/read.ts'
import type { SimulatedRun } from './github.ts'
import type { Fields, Whole } from './ledger-keys.ts'
import { type Call, mayMove, type Reference, type ReferenceTarget } from './reference.ts'
import { SCOPE } from './route.ts'

export const targetOf = (model: string) => `production/${model}`

function mustBe(what: string, seen: unknown, expected: unknown) {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${what}: ${left}, and not ${right}`)
}

const sorted = (ids: Iterable<string>) => [...ids].toSorted()

/** The ledger agrees with itself and with what is known to have been accepted. */
export function checkWhole(whole: Whole, reference: Reference, lostOnce: boolean) {
  const all = [...whole.promotions]
  const idsWhere = (is: (fields: Fields) => boolean) =>
    sorted(all.filter(([, fields]) => is(fields)).map(([id]) => id))
  const listed = (name: string) => sorted(whole.lists.get(name) ?? [])

  const known = Object.keys(reference.promotions).filter((id) => !reference.trimmed.includes(id))
  mustBe('promotions in the ledger', sorted(whole.promotions.keys()), sorted(known))
  mustBe('the list of all promotions', listed('promotions'), sorted(known))
  for (const state of LISTED_STATES) {
    mustBe(
      `the list of ${state}`,
      listed(`state:${state}`),
      idsWhere((one) => one.state === state),
    )
  }
  mustBe('the list of the ended', listed('ended'), idsWhere(hasEnded))

  const inDoubt = idsWhere((one) => Boolean(one.doubt))
  const doubts = [...whole.lists].filter(([name]) => name.startsWith('doubts:')).flatMap(([, ids]) => ids)
  mustBe('the list of doubts', sorted(doubts), inDoubt)
  for (const id of inDoubt) {
    const { state = '' } = whole.promotions.get(id) ?? {}
    if (!['accepted', 'dispatching'].includes(state)) throw new Error(`${id} is ${state} and in doubt`)
  }
  mustBe('the list of open circuits', listed('circuits'), sorted(whole.circuits.keys()))

  checkRollbacks(whole)
  for (const [model, expected] of Object.entries(reference.targets)) {
    const target = whole.targets.get(targetOf(model)) ?? {}
    const own = all.filter(([, { model: its }]) => its === model)
    mustBe(`the history of ${model}`, listed(`history:${model}`), sorted(own.map(([id]) => id)))
    const inState = (...states: string[]) =>
      sorted(own.filter(([, { state }]) => states.includes(state ?? '')).map(([id]) => id))
    const atIt = (id?: string) => (id ? [id] : [])
    const unsure = listed(`unsure:${targetOf(model)}`)
    const waiting = inState('accepted')
    const queued = waiting.filter((id) => !unsure.includes(id) || id === target.pending)
    mustBe(`who waits for ${model}`, queued, atIt(target.pending))
    for (const id of unsure) {
      if (hasEnded(whole.promotions.get(id) ?? {})) throw new Error(`${id} has ended and is unsure`)
    }
    const places = inState('dispatching', 'dispatched', 'unresolved')
    // What a server has forgotten may be found to run beside what it still knew.
    // An unsure one may be found beside the one in flight; whoever is newer waits for both.
    const keeping = places.filter((id) => !unsure.includes(id) || id === target.inFlight)
    if (!lostOnce) mustBe(`in flight of ${model}`, keeping, atIt(target.inFlight))
    else if (target.inFlight && !places.includes(target.inFlight)) {
      throw new Error(`${target.inFlight} keeps the place of ${model} and is not in flight`)
    }
    checkHold(model, whole, expected)
    mustBe(`live of ${model}`, target.live ?? '', expected.live ?? '')
    mustBe(`live before in ${model}`, target.previous ?? '', expected.previous ?? '')
    mustBe(`newest of ${model}`, target.newest ?? '', expected.newest ?? '')
  }
}

function checkHold(model: string, whole: Whole, { isHeld, blocked }: ReferenceTarget) {
  const hold = holdOf(whole, targetOf(model))
  const seen = { isHeld: hold?.kind === 'person', blocked: sorted(hold?.versions ?? []) }
  mustBe(`the hold on ${model}`, seen, { isHeld, blocked: sorted(blocked) })
  mustBe(`the list of holds: ${model}`, whole.others.get('holds')?.[targetOf(model)], hold?.kind)
}

/** Never a rollback of a rollback; it puts back what was live, and both know each other. */
function checkRollbacks(whole: Whole) {
  for (const [id, { parent, version, liveBefore, rollback }] of whole.promotions) {
    const failed = parent ? whole.promotions.get(parent) : undefined
    if (!failed) continue
    if (failed.rollback === '1') throw new Error(`${id} rolls back ${parent}, a rollback`)
    mustBe(`${id}, by which ${parent} is rolled back`, failed.rolledBackBy, id)
    mustBe(`what ${id} puts back`, [version, rollback], [liveBefore, '1'])
    if (!['failed', 'timed_out'].includes(failed.state ?? ''))
      throw new Error(`${id} rolls back ${parent}, which is ${failed.state}`)
  }
}

function holdOf(whole: Whole, target: string): Hold | undefined {
  const text = whole.targets.get(target)?.hold
  return text ? (JSON.parse(text) as Hold) : undefined
}

/** Never twice, never stale: GitHub's list of runs against what was accepted. */
export function checkRuns(runs: readonly SimulatedRun[], reference: Reference) {
  const ours = runs.filter(({ promotion }) => promotion !== '')
  const last: Record<string, { id: string; order: number }> = {}
  const seen = new Set<string>()
  for (const { promotion } of ours) {
    if (seen.has(promotion)) throw new Error(`TWICE: ${promotion} has a second run`)
    seen.add(promotion)
    const known = reference.promotions[promotion]
    if (!known) continue
    const before = last[known.model]
    if (before && before.order > known.order) {
      throw new Error(`STALE: ${promotion} came to GitHub after the newer ${before.id}`)
    }
    last[known.model] = { id: promotion, order: known.order }
  }
}

/** One call moves a promotion by one step that it may take, and nothing that is fixed changes. */
export function checkMoves(before: Whole, after: Whole, call: Call) {
  for (const [id, was] of before.promotions) {
    const is = after.promotions.get(id)
    if (!is) {
      mustBe(`${id} is gone, by`, call, 'trim')
      if (!hasEnded(was)) throw new Error(`${id} was ${was.state} and is gone`)
      const { livePromotion, newest } = after.targets.get(`${was.environment}/${was.model}`) ?? {}
      if (livePromotion === id || newest === id) throw new Error(`${id} is live or newest, and is gone`)
      continue
    }
    for (const fixed of ['model', 'environment', 'version', 'seq', 'source'] as const) {
      mustBe(`${fixed} of ${id}`, is[fixed], was[fixed])
    }
    if (was.runId && is.runId !== was.runId)
      throw new Error(`${id} had run ${was.runId}, and has ${is.runId}`)
    if (Number(is.attempts) < Number(was.attempts)) throw new Error(`${id} has lost an attempt`)
    checkRunKnown(id, was, is, call)
    if (is.state === was.state) continue
    if (!mayMove(was.state as State, is.state as State, call)) {
      throw new Error(`${id} went from ${was.state} to ${is.state} by ${call}`)
    }
  }
}

/** What is known of its run is never older than before: by attempt, GitHub's time, and, told by webhooks, by status. */
function checkRunKnown(id: string, was: Fields, is: Fields, call: Call) {
  if (hasEnded(was)) {
    for (const fixed of ['state', 'runStatus', 'conclusion'] as const)
      mustBe(`${fixed} of ${id}, which has ended, by ${call}`, is[fixed], was[fixed])
    if (call !== 'rerun')
      mustBe(`the attempt of ${id}, which has ended, by ${call}`, is.runAttempt, was.runAttempt)
  }
  // Nothing comes after an end: its record does not say when and how far the run was.
  const [before, after] = [was, is].map((one) => [
    Number(one.runAttempt ?? 0),
    hasEnded(one) ? Number.POSITIVE_INFINITY : Number(one.runUpdatedAt ?? 0),
    call === 'told' && !hasEnded(one) ? STEPS.indexOf(one.runStatus ?? '') : STEPS.length,
  ])
  const at = (before ?? []).findIndex((one, i) => one !== after?.[i])
  if (at >= 0 && was.runId && Number(after?.[at]) < Number(before?.[at]))
    throw new Error(
      `${id} knew ${was.runStatus} of attempt ${was.runAttempt}, and goes back to ${is.runStatus} of ${is.runAttempt}`,
    )
}

const STEPS = ['', 'requested', 'queued', 'waiting', 'in_progress', 'completed']

/** What a claim may let go, told by what was there before it. Sent again, it may not go in doubt either. */
export function checkClaims(before: Whole, after: Whole, answer: unknown) {
  for (const [id, is] of after.promotions) {
    const was = before.promotions.get(id)
    if (!was) continue
    if (is.wait !== was.wait && is.wait?.includes('"code":"held"') && !isStopped(before, id, was))
      throw new Error(`${id} waits for a hold that does not stop it`)
    if (is.attempts === was.attempts) continue
    const fault = whyNot(before, id, was)
    if (fault) throw new Error(`${id} may go: ${fault}`)
  }
  const { kind, promotion } = answer as { kind?: string; promotion?: { id: string } }
  if (kind === 'go' && before.promotions.get(promotion?.id ?? '')?.doubt) {
    throw new Error(`${promotion?.id} may go: it is in doubt`)
  }
}

/** By a person's hold, or since its version was rolled back from; the rollback itself goes. */
function isStopped(before: Whole, id: string, { target = '', version = '' }: Fields): boolean {
  const hold = holdOf(before, target)
  if (!hold || hold.passes === id) return false
  return hold.kind === 'person' || Boolean(hold.versions?.includes(version))
}

function whyNot(before: Whole, id: string, was: Fields): string | undefined {
  if (isStopped(before, id, was)) return 'it is held'
  if (was.doubt) return 'it is in doubt'
  const isOlder = (one: Fields) => one.target === was.target && Number(one.seq) < Number(was.seq)
  const waiting = [...before.promotions].find(([, one]) => one.state === 'accepted' && isOlder(one))
  if (waiting) return `the older ${waiting[0]} waits yet`
  if (Number(was.notBefore ?? 0) > Date.now() + CLOCKS_MS) return 'it backs off'
  for (const [scope, circuit] of before.circuits) {
    if (circuit.halfOpen !== '1') return `the circuit of ${scope} is open`
    if (Number(circuit.probeUntil ?? 0) > Date.now() + CLOCKS_MS) return `${scope} is being probed`
  }
  const doubts = before.lists.get(`doubts:${SCOPE}`) ?? []
  const proven =
    before.texts.has(`proven:${SCOPE}`) && !before.others.get(`adjustments:${SCOPE}`)?.['input:promotion_id']
  return doubts.length > 0 && !proven ? `${doubts.join(', ')} can not be told from it` : undefined
}

/** Redis's clock and ours are one; a call takes a moment. */
const CLOCKS_MS = 5

/** The run that the ledger names is the promotion's own. */
export function checkOwnRuns(whole: Whole, runs: readonly SimulatedRun[]) {
  for (const [id, { runId }] of whole.promotions) {
    const run = runId ? runs.find((one) => one.id === runId) : undefined
    if (run && run.promotion !== id) throw new Error(`run ${runId} is of ${run.promotion}, and ${id} has it`)
  }
}

/** A call sent again changes nothing but numbers of jobs and times of waiting. */
export function checkUnchanged(once: Whole, twice: Whole, what: string) {
  const before = new Set(lines(once))
  const after = new Set(lines(twice))
  const added = [...after].filter((line) => !before.has(line))
  const gone = [...before].filter((line) => !after.has(line))
  if (added.length + gone.length > 0) {
    throw new Error(`${what}, sent twice, makes ${added.join(', ')} of ${gone.join(', ')}`)
  }
}

function lines(whole: Whole): string[] {
  const hashes = [whole.promotions, whole.targets, whole.circuits, whole.others].flatMap((all) =>
    [...all].flatMap(([id, fields]) =>
      Object.entries(fields)
        .filter(([name]) => !PASSING.includes(name))
        .map(([name, value]) => `${id} ${name}=${value}`),
    ),
  )
  const lists = [...whole.lists].flatMap(([name, ids]) => ids.map((id) => `${name} has ${id}`))
  const told = [...whole.told].map(([id, entries]) => `${id} told ${entries}`)
  return [...hashes, ...lists, ...told]
}

const PASSING = ['job', 'trackJob', 'updatedAt', 'wait']

export function hasEnded({ state }: Fields): boolean {
  return ENDED.includes(state as State)
}
