/** Promotions and targets as rows of a table. */
import type { LetterView, PromotionView, TargetView } from '../shared/views.ts'
import { ageOf, type Column, durationOf, styleOf, type Terminal, words } from './terminal.ts'

/** As much of an id as tells it from the others of its second; all of it where there is room. */
const SHORT_ID = 18
const ROOM_FOR_IDS = 150

export function idColumn(terminal: Terminal): Column<{ id: string }> {
  const isShort = (terminal.width() ?? ROOM_FOR_IDS) < ROOM_FOR_IDS
  return { head: 'id', of: ({ id }) => (isShort ? id.slice(0, SHORT_ID) : id) }
}

type Listed = Omit<PromotionView, 'timeline'>

/** Production is what is not named. */
const TARGET: Column<{ model: string; environment: string }> = {
  head: 'model',
  of: ({ model, environment }) => (environment === 'production' ? model : `${model} in ${environment}`),
  least: 12,
}
const VERSION: Column<{ version: string }> = { head: 'version', of: ({ version }) => version, least: 7 }
const STATE: Column<Listed> = {
  head: 'state',
  of: ({ state }) => words(state),
  style: ({ state }) => styleOf(state),
}
/** Without what its state says already. */
const REASON: Column<Listed> = {
  head: 'reason',
  of: ({ reason }) => reason.replace(/^(nothing was started|waiting): /, ''),
  least: 16,
}

export function promotionColumns(terminal: Terminal, nowMs: number): Column<Listed>[] {
  const age: Column<Listed> = { head: 'age', of: ({ acceptedAt }) => ageOf(acceptedAt, nowMs) }
  return [idColumn(terminal), TARGET, VERSION, STATE, age, REASON]
}

/** Of one target alone. */
export function historyColumns(terminal: Terminal, nowMs: number): Column<Listed>[] {
  return promotionColumns(terminal, nowMs).filter((column) => column !== TARGET)
}

export function letterColumns(
  rows: readonly LetterView[],
  terminal: Terminal,
  nowMs: number,
): Column<LetterView>[] {
  const age: Column<LetterView> = { head: 'age', of: ({ buriedAt }) => ageOf(buriedAt, nowMs) }
  const areAlike = rows.every(({ state }) => state === 'dead_lettered')
  return [idColumn(terminal), TARGET, VERSION, ...(areAlike ? [] : [STATE]), age, REASON]
}

export function targetColumns(nowMs: number): Column<TargetView>[] {
  return [
    TARGET,
    {
      head: 'live',
      of: ({ live }) => live ?? '-',
      style: ({ live }) => (live === null ? 'dim' : 'green'),
      least: 7,
    },
    {
      head: 'for',
      of: ({ liveSince }) => (liveSince === undefined ? '' : durationOf(nowMs - Date.parse(liveSince))),
    },
    { head: 'before', of: ({ previous }) => previous ?? '', least: 7 },
    { head: 'going on', of: doing, style: (one) => (one.hold ? 'yellow' : 'cyan'), least: 8 },
  ]
}

export function doing({ inFlight, pending, hold, drift }: TargetView): string {
  return [
    inFlight !== null && 'one in flight',
    pending !== null && 'one waiting',
    hold?.kind === 'person' && `held by ${hold.by}`,
    hold?.kind === 'rollback' && `rolled back from ${(hold.versions ?? []).join(', ')}`,
    drift !== undefined && `drift: run ${drift.runId} was started again`,
  ]
    .filter(Boolean)
    .join(', ')
}
