// What a run shows, as a table for people: how often each fault struck, how promotions ended, and the verdict; on
// failure the whole story of the promotions at fault.
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import type { ChaosOptions } from './options.ts'
import type { PhaseResult } from './phase.ts'
import { WORDS } from './verdict.ts'

/** One column of the table. */
export interface Column extends PhaseResult {
  title: string
  contender: 'relay' | 'baseline'
}

export interface ChaosResult {
  options: ChaosOptions
  columns: Column[]
  /** Kinds that struck nowhere. */
  neverStruck: FaultKind[]
  passed: boolean
}

export function tableOf({ options, columns, neverStruck, passed }: ChaosResult): string {
  const { seed, promotions, targets, workers, seconds, pace, breaks } = options
  const rows: string[] = []
  const row = (name: string, cells: (string | number)[]) =>
    rows.push(`  ${name.padEnd(72)}${cells.map((cell) => String(cell).padStart(14)).join('')}`.trimEnd())
  const section = (title: string) => rows.push('', title)

  rows.push(
    `chaos: seed ${seed}, ${promotions} promotions over ${targets} targets, ${workers} workers, ` +
      `${seconds} s of faults at pace ${pace}${breaks ? `, WITHOUT its guard "${breaks}"` : ''}`,
    '',
  )
  row(
    '',
    columns.map(({ title }) => title),
  )
  section('Faults that struck')
  for (const [kind, words] of Object.entries(FAULT_KINDS)) {
    row(
      words,
      columns.map(({ struck }) => struck[kind as FaultKind] ?? '-'),
    )
  }
  section('Promotions')
  row(
    'accepted',
    columns.map(({ accepted }) => accepted),
  )
  const ends = [...new Set(columns.flatMap(({ verdict }) => Object.keys(verdict.ends)))]
  for (const end of ends)
    row(
      end.replaceAll('_', ' '),
      columns.map(({ verdict }) => verdict.ends[end] ?? '-'),
    )
  row(
    'runs started',
    columns.map(({ runs }) => runs),
  )
  row(
    "calls of GitHub's API for each run",
    columns.map(({ calls, runs }) => (calls / runs).toFixed(1)),
  )
  row(
    'settled by a person: by its run, absent, its run shown',
    columns.map(({ settled }) => Object.values(settled).join(', ') || '-'),
  )
  row(
    'lost with the last second of a machine (documented bound, not counted)',
    columns.map(({ verdict }) => verdict.inWindow.length),
  )
  row(
    'seconds: all, of these until all had ended',
    columns.map((one) => `${seconds1(one.tookMs)}, ${seconds1(one.drainedMs)}`),
  )
  section('Verdict')
  for (const word of WORDS)
    row(
      word,
      columns.map(({ verdict }) => verdict[word].length),
    )
  for (const column of columns.filter(({ contender }) => contender === 'relay'))
    rows.push(...troublesOf(column))
  if (neverStruck.length > 0) rows.push('', `Never struck: ${neverStruck.join(', ')}`)
  rows.push('', passed ? `PASSED (seed ${seed})` : `FAILED (seed ${seed})`)
  return `${rows.join('\n')}\n`
}

/** One line a run, for many runs. */
export function lineOf({ options, columns, passed }: ChaosResult): string {
  const relay = columns.filter(({ contender }) => contender === 'relay')
  const sum = (count: (column: Column) => number) => relay.reduce((total, column) => total + count(column), 0)
  const words = WORDS.map((word) => `${sum(({ verdict }) => verdict[word].length)} ${word}`).join(', ')
  const struck = sum((column) => Object.values(column.struck).reduce((total, times) => total + times, 0))
  return (
    `${passed ? 'passed' : 'FAILED'}  seed ${options.seed}: ${words}; ${sum(({ accepted }) => accepted)} accepted, ` +
    `${sum(({ runs }) => runs)} runs, ${struck} faults struck, ${seconds1(sum(({ tookMs }) => tookMs))} s`
  )
}

function troublesOf({ title, verdict, crashes, refusals, stories, logDir }: Column): string[] {
  const lines: string[] = []
  for (const word of WORDS) {
    for (const { promotionId, why } of verdict[word].slice(0, 20))
      lines.push(`  ${word}: ${promotionId} ${why}`)
  }
  for (const trouble of [...crashes, ...refusals]) lines.push(`  ${trouble}`)
  if (lines.length === 0) return []
  for (const [id, story] of Object.entries(stories))
    lines.push('', `  ${id}`, ...story.map((line) => `    ${line}`))
  return ['', `${title}: what went wrong (logs of its workers: ${logDir})`, ...lines]
}

const seconds1 = (ms: number) => (ms / 1000).toFixed(1)
