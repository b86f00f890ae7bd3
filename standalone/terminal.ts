/** What is written for people: colours and a width on a terminal, neither elsewhere. */
import { styleText } from 'node:util'
import type { State } from '../shared/ledger/promotion-record.ts'
import { printable } from './printable.ts'

type Style = Parameters<typeof styleText>[0]
export type Paint = (style: Style, text: string) => string

const PLAIN: Style = 'reset'

export interface Terminal {
  /** Colours only where they are seen, and NO_COLOR does not speak against it. */
  paint: Paint
  /** Columns that a line may have; undefined: as many as it needs. */
  width(): number | undefined
}

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  return {
    paint: (style, text) => (style === PLAIN ? text : styleText(style, text, { stream })),
    width: () => (stream.isTTY ? Math.max(40, stream.columns || 80) : undefined),
  }
}

const STYLES: Record<State, Style> = {
  accepted: 'yellow',
  dispatching: 'cyan',
  dispatched: 'cyan',
  unresolved: ['red', 'bold'],
  dead_lettered: 'red',
  deployed: 'green',
  failed: 'red',
  timed_out: 'red',
  cancelled: 'dim',
  superseded: 'dim',
  skipped: 'dim',
}

export function styleOf(state: string): Style {
  return STYLES[state as State] ?? PLAIN
}

/** `dead lettered` */
export function words(name: string): string {
  return name.replaceAll('_', ' ')
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
] as const

/** `12 s`, `4 min`, `3 h`, `2 d`: whole units, of the largest that fits. */
export function durationOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [unit, size] = UNITS.find(([, of]) => seconds >= of) ?? ['s', 1]
  return `${Math.floor(seconds / size)} ${unit}`
}

/** Since a time as it is shown. */
export function ageOf(iso: string | undefined, nowMs: number): string {
  return iso === undefined ? '' : durationOf(nowMs - Date.parse(iso))
}

/** `0.8 s`, `12 s`, `4 min`. */
export function secondsOf(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : durationOf(seconds * 1000)
}

const TWO_WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u

function widthOf(text: string): number {
  let width = 0
  for (const one of text) width += /\p{M}|\p{Cf}/u.test(one) ? 0 : TWO_WIDE.test(one) ? 2 : 1
  return width
}

/** To this many columns, the rest of it as `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  for (const one of text) {
    if (widthOf(kept + one) > width - 1) break
    kept += one
  }
  return `${kept}…`
}

export interface Column<T> {
  head: string
  of(row: T): string
  style?(row: T): Style
  /** May be cut to so many columns; else it is shown whole. */
  least?: number
}

/** Lines of a table that fits; columns that are empty in all rows are left out. */
export function tableOf<T>(rows: readonly T[], columns: readonly Column<T>[], terminal: Terminal): string[] {
  const cells = rows.map((row) => columns.map((column) => printable(column.of(row))))
  const used = columns
    .map((column, i) => ({ column, i, texts: cells.map((row) => row[i] ?? '') }))
    .filter(({ texts }) => texts.some((text) => text !== ''))
    .map((one) => ({ ...one, width: Math.max(...[one.column.head, ...one.texts].map(widthOf)) }))
  const width = terminal.width()
  if (width !== undefined) fit(used, width)
  const line = (text: (one: (typeof used)[number]) => string, style: (one: (typeof used)[number]) => Style) =>
    used
      .map((one, at) => {
        const shown = cut(text(one), one.width)
        const gap = at === used.length - 1 ? '' : ' '.repeat(one.width - widthOf(shown) + 2)
        return `${shown === '' ? '' : terminal.paint(style(one), shown)}${gap}`
      })
      .join('')
      .trimEnd()
  return [
    line(
      ({ column }) => column.head,
      () => 'dim',
    ),
    ...rows.map((row, r) =>
      line(
        ({ texts }) => texts[r] ?? '',
        ({ column }) => column.style?.(row) ?? PLAIN,
      ),
    ),
  ]
}

/** Takes from the widest that may be cut; where nothing may be any more, from those below their least. */
function fit(used: { column: { least?: number }; width: number }[], width: number): void {
  const over = () => used.reduce((sum, one) => sum + one.width + 2, -2) - width
  for (const share of [1, 0]) {
    while (over() > 0) {
      const [widest] = used
        .filter(
          ({ column: { least }, width: wide }) => least !== undefined && wide > Math.max(3, least * share),
        )
        .sort((a, b) => b.width - a.width)
      if (!widest) break
      widest.width--
    }
  }
}
