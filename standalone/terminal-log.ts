/**
 * Log lines for the person who ran `up`: on a terminal a clock, the words and what a person needs of the rest; in
 * a pipe or a file every field.
 */
import type { DestinationStream } from 'pino'
import pretty from 'pino-pretty'
import { printable } from './printable.ts'

export function terminalLog(terminal: boolean): DestinationStream {
  return pretty({
    colorize: terminal,
    singleLine: !terminal,
    sync: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,role,worker',
    ...(terminal ? { hideObject: true, messageFormat: (line) => inWords(line) } : {}),
  })
}

type Line = Readonly<Record<string, unknown>>

/** Told in their own place, or of no use on a terminal. */
const KNOWN =
  /^(level|time|pid|role|worker|msg|promotionId|model|version|environment|enabled|repository|ref)$/
/** Fields of a promotion's line that are worth their place beside the words; others are in the timeline. */
const OF_A_PROMOTION = ['detail', 'conclusion', 'state', 'runUrl'] as const

export function inWords(line: Line): string {
  const { msg, model, version, environment, attempt, waitMs, err } = line
  const parts: string[] = []
  if (model !== undefined) {
    parts.push(`${model} ${version}${environment === 'production' ? '' : ` in ${environment}`}`)
    if (Number(attempt) > 1) parts.push(`attempt ${attempt}`)
    const good = line.level === 'info'
    const names = good ? (['runUrl'] as const) : OF_A_PROMOTION
    for (const name of names) if (line[name] !== undefined) parts.push(String(line[name]))
    if (waitMs !== undefined) parts.push(`again in ${Math.ceil(Number(waitMs) / 1000)} s`)
  } else {
    for (const [name, value] of Object.entries(line)) {
      if (KNOWN.test(name) || name === 'err') continue
      parts.push(typeof value === 'object' ? `${name} ${JSON.stringify(value)}` : `${name} ${value}`)
    }
  }
  if (err !== undefined) parts.push(String((err as Line).message ?? err))
  return printable(parts.length > 0 ? `${msg} (${parts.join(', ')})` : String(msg))
}
