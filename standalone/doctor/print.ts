/** The doctor's findings on a terminal: one line each, the mend below what needs one, the sum at the end. */
import { styleText } from 'node:util'
import { printable } from '../printable.ts'
import type { Group } from './doctor.ts'
import { countOf, type Finding, type Status, unknown } from './finding.ts'

const COLOURS = { ok: 'green', warning: 'yellow', fault: 'red', unknown: 'dim' } as const
const SIGN_WIDTH = 9
const NAME_WIDTH = 19

export interface Page {
  print(line: string): void
  /** Where it is printed: colours are for a terminal that wants them. */
  stream: NodeJS.WriteStream
  /** Of a line; without it nothing is broken. */
  columns?: number | undefined
}

export function printFindings(groups: readonly Group[], page: Page): void {
  for (const { about, findings } of groups) {
    page.print(styleText('bold', about, { stream: page.stream }))
    for (const finding of gathered(findings)) for (const line of linesFor(finding, page)) page.print(line)
    page.print('')
  }
  page.print(summaryOf(groups.flatMap(({ findings }) => findings)))
}

/** What was not looked at for one reason is one line. */
function gathered(findings: readonly Finding[]): Finding[] {
  const lines: Finding[] = []
  for (const one of findings) {
    const last = lines.at(-1)
    const [, why] = /^not looked at: (.*)$/s.exec(one.detail) ?? []
    if (last?.status === 'unknown' && why !== undefined && last.detail.endsWith(`: ${why}`)) {
      const before = last.name === '' ? last.detail.slice(0, -why.length - 2) : `not looked at: ${last.name}`
      lines[lines.length - 1] = unknown('', `${before}, ${one.name}: ${why}`)
    } else lines.push(one)
  }
  return lines
}

function linesFor({ name, status, detail, mend }: Finding, page: Page): string[] {
  const sign = styleText(COLOURS[status], status.padEnd(SIGN_WIDTH), { stream: page.stream })
  const indent = ' '.repeat(2 + SIGN_WIDTH + NAME_WIDTH)
  const [first = '', ...more] = wrapped(printable(detail), page.columns, indent.length)
  const mends = (mend ?? '').split('\n').flatMap((text, at) => {
    const mark = at === 0 ? '→ ' : '  '
    return wrapped(printable(text), page.columns, indent.length + 2).map(
      (line, n) => `${n === 0 ? mark : '  '}${line}`,
    )
  })
  return [
    `  ${sign}${name.padEnd(NAME_WIDTH)}${first}`,
    ...[...more, ...(mend === undefined ? [] : mends)].map((line) => `${indent}${line}`),
  ]
}

/** At blanks; the indent of what is YAML stays. */
function wrapped(text: string, columns: number | undefined, used: number): string[] {
  const room = (columns ?? Number.POSITIVE_INFINITY) - used
  if (room < 20 || text.length <= room) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export function summaryOf(findings: readonly Finding[]): string {
  const count = (status: Status, one: string, many: string) => {
    const n = countOf(findings, status)
    return n === 0 ? [] : [`${n} ${n === 1 ? one : many}`]
  }
  return [
    ...count('fault', 'fault', 'faults'),
    ...count('warning', 'warning', 'warnings'),
    ...count('ok', 'ok', 'ok'),
    ...count('unknown', 'not known', 'not known'),
  ].join(', ')
}
