// The same results as text for a terminal and as Markdown for docs/PERFORMANCE.md.
import type { Machine } from './machine.ts'
import { isMet, type Result, type Section, type Table, type Target } from './section.ts'
import { short } from './statistics.ts'

export interface Report {
  at: string
  machine: Machine
  quick: boolean
  rounds: number
  sections: Record<string, Result>
}

export function asText(sections: readonly Section[], report: Report): string {
  const parts = [`${machineLine(report)}\n`]
  for (const { name, title } of sections) {
    const result = report.sections[name]
    if (!result) continue
    parts.push(`\n== ${title}\n`)
    for (const table of result.tables) parts.push(`\n${table.title}\n${padded(table)}`)
    for (const target of result.targets)
      parts.push(`${isMet(target) ? 'met   ' : 'MISSED'} ${targetLine(target)}\n`)
    for (const note of result.notes ?? []) parts.push(`${note}\n`)
  }
  return parts.join('')
}

export function asMarkdown(sections: readonly Section[], report: Report): string {
  const parts = [`${machineLine(report)}\n`]
  for (const { name, title } of sections) {
    const result = report.sections[name]
    if (!result) continue
    parts.push(`\n### ${title}\n`)
    for (const { title: caption, columns, rows } of result.tables) {
      const lines = [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
      parts.push(`\n${caption}\n\n${lines.join('\n')}\n`)
    }
    if (result.targets.length > 0) parts.push('\n')
    for (const target of result.targets)
      parts.push(`- ${isMet(target) ? 'met' : '**missed**'}: ${targetLine(target)}\n`)
    for (const note of result.notes ?? []) parts.push(`\n${note}\n`)
  }
  return parts.join('')
}

function machineLine({ at, machine, quick, rounds }: Report): string {
  const { cpu, cores, memoryGiB, node, redis, load } = machine
  const where = `${cores} cores (${cpu}), ${memoryGiB} GiB, Node ${node}, Redis ${redis}, load ${load.toFixed(1)} before`
  return `${at.slice(0, 16).replace('T', ' ')} UTC, ${where}, ${rounds} rounds${quick ? '; a quick run: no figure of it means anything' : ''}`
}

function targetLine({ what, value, unit, atLeast, atMost }: Target): string {
  const wanted = atLeast === undefined ? `at most ${short(atMost ?? 0)}` : `at least ${short(atLeast)}`
  return `${what}: ${short(value)} ${unit} (${wanted})`
}

function padded({ columns, rows }: Table): string {
  const all = [columns, ...rows].map((row) => row.map(String))
  const widths = columns.map((_, n) => Math.max(...all.map((row) => row[n]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  ')
  return `${all.map(line).join('\n')}\n`
}
