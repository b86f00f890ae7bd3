// The judge: compares the simulator's own log of runs with what producers were told and what the ledger says. Pure.
// Words that must stay empty: lost, doubled,
// stale (also what a hold should have stopped, and what was rolled back wrongly), stuck (and needless: doubts that no
// fault explains). What a restart from an older AOF takes with
// it is the documented bound: counted apart, and only where nothing else explains it.
import type { Answer } from './load.ts'
import { wronglyPutBack } from './put-back.ts'
import type { LostWindow } from './redis-strikes.ts'

/** All of these must stay empty. */
export const WORDS = ['lost', 'doubled', 'stale', 'stuck', 'needless'] as const

/** A promotion as the ledger has it at the end. */
export interface Ended {
  id: string
  target: string
  seq: number
  version: string
  /** ms since the epoch. */
  acceptedAt: number
  state: string
  runId?: string
  supersededBy?: string
  rollback: boolean
  /** Of a rollback that was made as this one failed. */
  parent?: string
}

export interface RunSeen {
  id: string
  promotionId: string
  /** By a person, or as another one failed. */
  isRollback: boolean
  /** ms since the epoch. */
  createdAt: number
  /** Of its newest attempt; null while that has not ended. */
  conclusion: string | null
  /** Of all its attempts, in order. */
  ends: readonly AttemptEnd[]
}

interface AttemptEnd {
  attempt: number
  conclusion: string
  /** ms since the epoch, whole seconds. */
  at: number
}

export interface Evidence {
  answers: readonly Answer[]
  promotions: readonly Ended[]
  /** In the order of their creation. */
  runs: readonly RunSeen[]
  windows: readonly LostWindow[]
  /** Version by target that the ledger calls live. */
  live: ReadonlyMap<string, string>
  /** Found by `needless.ts`. */
  needless: readonly Fault[]
  /** Found by `held.ts`. */
  sentThoughHeld: readonly Fault[]
}

export interface Fault {
  /** '' where it is nobody's. */
  promotionId: string
  why: string
}

export interface Verdict {
  lost: Fault[]
  doubled: Fault[]
  stale: Fault[]
  stuck: Fault[]
  /** Doubts that no fault explains: they cost patience, not a promise. */
  needless: Fault[]
  /** Accepted, or started, within the second that a restart from an older AOF took. */
  inWindow: string[]
  ends: Record<string, number>
}

const ENDS: Readonly<Record<string, readonly string[]>> = {
  deployed: ['success'],
  failed: ['failure'],
  cancelled: ['cancelled', 'skipped'],
  timed_out: ['cancelled', 'timed_out'],
}
/** A producer's call may be carried out until then, ms. */
const PRODUCER_DEADLINE_MS = 2_000

function emptyVerdict(): Verdict {
  return { lost: [], doubled: [], stale: [], stuck: [], needless: [], inWindow: [], ends: {} }
}

export function judge(evidence: Evidence): Verdict {
  const { answers, promotions, runs, windows, live } = evidence
  const verdict = emptyVerdict()
  const known = new Map(promotions.map((one) => [one.id, one]))
  const runsOf = Map.groupBy(runs, (run) => run.promotionId)
  const windowLost = new Set<string>()

  const withinWindow = (from: number, to: number) => windows.some((one) => from <= one.to && to >= one.from)
  function missing(id: string, from: number, to: number, why: string) {
    if (windowLost.has(id)) return
    if (withinWindow(from, to)) windowLost.add(id)
    else verdict.lost.push({ promotionId: id, why })
  }

  for (const { id, askedAt, answeredAt } of answers) {
    if (!known.has(id)) missing(id, askedAt, answeredAt, 'accepted, and the ledger does not know it')
  }
  for (const [id, [run]] of runsOf) {
    if (known.has(id)) continue
    // Nobody need have been told of it. The id of a rollback is as old as that of what it puts right.
    const from = run?.isRollback ? run.createdAt : madeAt(id)
    missing(id, from, from + PRODUCER_DEADLINE_MS, 'a run was started, and the ledger does not know it')
  }

  for (const one of promotions) {
    verdict.ends[one.state] = (verdict.ends[one.state] ?? 0) + 1
    const untruth = untruthOf(one, runsOf.get(one.id) ?? [], known)
    if (untruth === 'stuck') verdict.stuck.push({ promotionId: one.id, why: `still ${one.state}` })
    else if (untruth) verdict.lost.push({ promotionId: one.id, why: untruth })
  }
  verdict.doubled.push(...twice(runsOf), ...sameKeyTwice(answers, windowLost))
  verdict.stale.push(...outOfOrder(runs, known), ...evidence.sentThoughHeld, ...wronglyPutBack(runs, known))
  verdict.lost.push(...notLive(runs, known, live))
  verdict.inWindow = [...windowLost]
  verdict.needless = [...evidence.needless]
  return verdict
}

/** For one without a ledger: whatever was accepted must have been started, once, in the order of acceptance. */
export function judgePlain({ answers, promotions, runs, windows }: Evidence): Verdict {
  const runsOf = Map.groupBy(runs, (run) => run.promotionId)
  const known = new Map(promotions.map((one) => [one.id, one]))
  const verdict = emptyVerdict()
  for (const { id, state } of promotions) {
    const isStarted = runsOf.has(id)
    const end = isStarted ? 'started' : state
    verdict.ends[end] = (verdict.ends[end] ?? 0) + 1
    if (isStarted) continue
    const told = answers.filter((answer) => answer.id === id)
    const inWindow = windows.some((one) => told.some((a) => a.askedAt <= one.to && a.answeredAt >= one.from))
    if (state === 'unfinished') verdict.stuck.push({ promotionId: id, why: 'its job never ended' })
    else if (inWindow) verdict.inWindow.push(id)
    else verdict.lost.push({ promotionId: id, why: 'accepted, and no run was ever started' })
  }
  verdict.doubled.push(...twice(runsOf))
  verdict.stale.push(...outOfOrder(runs, known))
  return verdict
}

function twice(runsOf: ReadonlyMap<string, readonly RunSeen[]>): Fault[] {
  return [...runsOf].flatMap(([promotionId, own]) =>
    own.length < 2 ? [] : { promotionId, why: `${own.length} runs: ${own.map((run) => run.id).join(', ')}` },
  )
}

/** When a UUIDv7 was made, ms since the epoch. */
export function madeAt(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16)
}

/** What the ledger says, and what is not so; `stuck` where it has not ended. */
function untruthOf(
  one: Ended,
  own: readonly RunSeen[],
  known: ReadonlyMap<string, Ended>,
): string | undefined {
  if (one.state === 'superseded') {
    // What a person has put live again has no need of being put right.
    if (one.parent && one.parent === one.supersededBy) return startedOf(own)
    const newer = known.get(one.supersededBy ?? '')
    if (!newer || newer.target !== one.target || newer.seq <= one.seq) {
      return 'superseded by nothing newer'
    }
    return startedOf(own)
  }
  if (one.state === 'skipped') {
    const isAfterRollback = [...known.values()].some(
      ({ target, seq, rollback }) => rollback && target === one.target && seq < one.seq,
    )
    return isAfterRollback ? startedOf(own) : 'skipped, although nothing was rolled back'
  }
  const conclusions = ENDS[one.state]
  if (!conclusions) return 'stuck'
  const run = own.find(({ id }) => id === one.runId)
  if (!run) return `${one.state} by run ${one.runId}, which is not its own`
  // Of whichever attempt: a person may have started it again before its end was known, or after.
  if (!run.ends.some(({ conclusion }) => conclusions.includes(conclusion)))
    return `${one.state}, but run ${run.id} is ${run.conclusion}`
  return undefined
}

function startedOf([run]: readonly RunSeen[]): string | undefined {
  return run && `it has given way, although run ${run.id} was started`
}

/**
 * `live` is the version whose run last succeeded, by GitHub's time, which has whole seconds. An attempt that was over
 * and begun anew before anybody looked may be known or not.
 */
function notLive(
  runs: readonly RunSeen[],
  known: ReadonlyMap<string, Ended>,
  live: ReadonlyMap<string, string>,
): Fault[] {
  const successes = runs.flatMap(({ promotionId, ends }) => {
    const one = known.get(promotionId)
    const newest = Math.max(...ends.map(({ attempt }) => attempt))
    const good = ends.filter(({ conclusion }) => conclusion === 'success')
    return one ? good.map(({ attempt, at }) => ({ one, at, isNewest: attempt === newest })) : []
  })
  return [...Map.groupBy(successes, ({ one }) => one.target)].flatMap(([target, all]) => {
    const last = all.filter(({ isNewest }) => isNewest).toSorted((a, b) => b.at - a.at)[0]
    const mayBe = last && all.filter(({ at }) => at >= last.at)
    return !last || mayBe?.some(({ one }) => one.version === live.get(target))
      ? []
      : {
          promotionId: last.one.id,
          why: `last to succeed for ${target}, and ${live.get(target)} is called live`,
        }
  })
}

/** One key, two promotions; one that a restart took is not counted. */
function sameKeyTwice(answers: readonly Answer[], windowLost: ReadonlySet<string>): Fault[] {
  const keyed = answers.filter(({ key, id }) => key !== '' && !windowLost.has(id))
  return [...Map.groupBy(keyed, ({ key }) => key)].flatMap(([key, told]) => {
    const ids = new Set(told.map(({ id }) => id))
    return ids.size < 2
      ? []
      : { promotionId: [...ids][0] ?? '', why: `key ${key} made ${[...ids].join(' and ')}` }
  })
}

/** Of one target, a run of an earlier accepted promotion after one of a later. */
function outOfOrder(runs: readonly RunSeen[], known: ReadonlyMap<string, Ended>): Fault[] {
  const newest = new Map<string, Ended>()
  return runs.flatMap((run) => {
    const one = known.get(run.promotionId)
    // Started before it was accepted: of an acceptance that a restart took, and that came again with the same id.
    if (!one || run.createdAt < one.acceptedAt) return []
    const last = newest.get(one.target)
    if (!last || one.seq >= last.seq) {
      newest.set(one.target, one)
      return []
    }
    return {
      promotionId: one.id,
      why: `run ${run.id} (number ${one.seq} of ${one.target}) after one of number ${last.seq}, ${last.id}`,
    }
  })
}
