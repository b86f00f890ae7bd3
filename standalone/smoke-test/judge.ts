/** Where a smoke test stands: through, stopped by something, or still on its way. */
import { explain } from '../../shared/explain.ts'
import { type Promotion, STOPPED, type TimelineEntry } from '../../shared/ledger/promotion-record.ts'
import { isNamed, type Seen, stepsIn } from './steps.ts'

export type Standing =
  | { kind: 'under way' }
  | { kind: 'through'; words: string }
  | { kind: 'stopped'; why: string; mend: string }

export interface Asked {
  dispatch: boolean
  /** To the end of its run. */
  wait: boolean
}

const DOCTOR = 'promotion-relay doctor tells what to mend'

export function judge(seen: Seen, { dispatch, wait }: Asked): Standing {
  const { promotion, timeline } = seen
  const last = timeline.findLast(({ what }) => what === 'skipped')
  if (!dispatch && promotion.state === 'skipped') {
    const meets = last?.meets
    if (typeof meets === 'string')
      return { kind: 'stopped', why: `a worker is there, but ${meets}`, mend: DOCTOR }
    return { kind: 'through', words: 'It came through: a worker took it, and would send a promotion.' }
  }
  if (promotion.state === 'deployed')
    return { kind: 'through', words: 'It came through, to the end of its run.' }
  if (STOPPED.includes(promotion.state)) {
    const mend = isNamed(seen)
      ? 'look at its run; where trigger_source is smoke_test the workflow may end early'
      : DOCTOR
    return {
      kind: 'stopped',
      why: `it is ${promotion.state.replaceAll('_', ' ')}: ${wordsOf(promotion)}`,
      mend,
    }
  }
  if (isStuck(timeline.at(-1))) {
    const why = `it waits until that is mended, ten minutes at the most: ${wordsOf(promotion)}`
    return { kind: 'stopped', why, mend: DOCTOR }
  }
  if (!wait && isNamed(seen)) return { kind: 'through', words: 'It came through: its run is on its way.' }
  return { kind: 'under way' }
}

/** Nothing but a person, or time at GitHub, brings it on. */
function isStuck(last: TimelineEntry | undefined): boolean {
  if (last?.what === 'waiting') return last.code === 'circuit' || last.code === 'held'
  return last?.what === 'outcome' && CIRCUIT_OUTCOMES.includes(String(last.outcome))
}

const CIRCUIT_OUTCOMES: readonly string[] = ['repository_fault', 'workflow_fault', 'throttled']

/** @param workers at work; undefined where that can't be asked */
export function judgeLate(seen: Seen | undefined, seconds: number, workers: number | undefined): Standing {
  if (seen && stepsIn(seen).length > 0) {
    return {
      kind: 'stopped',
      why: `not further within ${seconds} s: ${wordsOf(seen.promotion)}`,
      mend: DOCTOR,
    }
  }
  const waits = seen?.timeline.findLast(({ what }) => what === 'waiting')
  if (seen && waits)
    return {
      kind: 'stopped',
      why: `a worker took it, and it waits: ${wordsOf(seen.promotion)}`,
      mend: DOCTOR,
    }
  const none = `no worker took it within ${seconds} s`
  if (workers !== undefined && workers > 0)
    return {
      kind: 'stopped',
      why: `${none}, and ${workers} are there`,
      mend: 'see their logs and /readyz: their queue is long, or they hang',
    }
  const is = workers === 0 ? ': no worker is at work' : ''
  return { kind: 'stopped', why: `${none}${is}`, mend: 'start one: promotion-relay work, or npm start' }
}

/** Over HTTP its state comes in a sentence already. */
function wordsOf(promotion: Seen['promotion']): string {
  const { reason } = promotion as Partial<Promotion>
  const isRecord = 'acceptedAt' in promotion && typeof promotion.acceptedAt === 'number'
  return isRecord ? explain(promotion as Promotion) : (reason ?? promotion.state)
}
