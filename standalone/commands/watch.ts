/**
 * `promotion-relay watch`: what goes on, redrawn in place on a terminal; elsewhere a block for each change. It goes on
 * while the relay is away, and says so.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Answers } from '../../shared/ask.ts'
import type { Environment } from '../../shared/config.ts'
import type { PromotionView, StatsView } from '../../shared/views.ts'
import { EXIT, print, seconds } from '../command-line.ts'
import { printable } from '../printable.ts'
import { doing, letterColumns, promotionColumns } from '../promotion-columns.ts'
import { findReader, type Query, type Reader } from '../reader.ts'
import { cut, type Terminal, tableOf, terminalOf } from '../terminal.ts'
import { type AskFlags, asking, gotten, printJson } from './asking.ts'
import { circuitColumns, statsLines } from './figures.ts'
import { whereabouts } from './find-relay.ts'

interface WatchFlags extends AskFlags {
  interval: number
}

/** A frame of what goes on. */
type Seen = Awaited<ReturnType<typeof look>>

const UNDER_WAY = ['dispatched', 'dispatching', 'accepted'] as const
const MOST_ROWS = 50

/** @param onStop has this done when the process is asked to end */
export function addWatch(
  program: Command,
  environment: () => Environment,
  onStop: (stop: () => Promise<void>) => void,
): void {
  asking(program.command('watch').description('shows what goes on, until it is ended'))
    .option('--interval <seconds>', 'pause between two looks', seconds, 2)
    .action(async ({ interval, json = false, url }: WatchFlags) => {
      const reader = await findReader(whereabouts(environment(), url))
      const stopping = new AbortController()
      onStop(async () => stopping.abort())
      const show = json ? showJson() : process.stdout.isTTY ? showInPlace(stopping.signal) : showChanges()
      // Whoever read it has gone.
      process.stdout.on('error', () => process.exit(EXIT.done))
      while (!stopping.signal.aborted) {
        show(await look(reader))
        await pause(interval * 1000, undefined, { signal: stopping.signal }).catch(() => {})
      }
      await reader.close()
    })
}

type Show = (seen: Seen) => void

async function look(reader: Reader) {
  let away: string | undefined
  /** undefined where it can't be reached: then it is tried again. What will never be answered ends it. */
  async function ask<Name extends keyof Answers>(name: Name, query?: Query) {
    if (away !== undefined) return undefined
    const got = await reader.ask(name, query)
    if (got.kind !== 'unavailable') return gotten(got)
    away = got.text
    return undefined
  }
  const stats = await ask('stats')
  const circuits = await ask('circuits')
  const letters = await ask('deadLetters', { limit: 10 })
  const targets = await ask('targets', { limit: 100 })
  const underWay: Listed[] = []
  for (const state of UNDER_WAY)
    underWay.push(...((await ask('promotions', { state, limit: MOST_ROWS }))?.promotions ?? []))
  if (away !== undefined || !stats || !circuits || !letters || !targets) return { away: away ?? 'no answer' }
  const held = targets.targets.filter(({ hold, drift }) => hold !== null || drift !== undefined)
  return { stats, circuits: circuits.circuits, letters, held, underWay }
}

type Listed = Omit<PromotionView, 'timeline'>
type Frame = Exclude<Seen, { away: string }>

function isAway(seen: Seen): seen is { away: string } {
  return 'away' in seen
}

const WITHOUT_COLOURS: Terminal = { paint: (_, text) => text, width: () => undefined }

function linesOf(frame: Frame, terminal: Terminal): string[] {
  const { stats, circuits, letters, held, underWay } = frame
  const now = Date.parse(stats.at)
  const { paint } = terminal
  const section = (name: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', paint('bold', name), ...lines]
  const rowsOf = <T>(rows: readonly T[], table: () => string[]) => (rows.length === 0 ? [] : table())
  return [
    ...statsLines(stats, terminal).slice(0, -1),
    ...section(
      'Circuits',
      rowsOf(circuits, () => tableOf(circuits, circuitColumns(now), terminal)),
    ),
    ...section(
      'Dead letters',
      rowsOf(letters.deadLetters, () =>
        tableOf(letters.deadLetters, letterColumns(letters.deadLetters, terminal, now), terminal),
      ),
    ),
    ...section(
      'Held',
      held.map((one) => printable(`${one.model} in ${one.environment}: ${doing(one)}`)),
    ),
    ...section(
      'Under way',
      underWay.length === 0
        ? [paint('dim', 'nothing')]
        : tableOf(underWay, promotionColumns(terminal, now), terminal),
    ),
  ]
}

/** Another screen, no cursor, and lines that are cut off at the edge. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'

/** On the terminal's other screen, which is left as it was found. */
function showInPlace(stopping: AbortSignal): Show {
  const { stdout } = process
  const terminal = terminalOf(stdout)
  let frame: Frame | undefined
  let away: { text: string; since: string } | undefined
  stdout.write(ENTER)
  const leave = () => void stdout.write(LEAVE)
  process.once('exit', leave)
  const draw = () => {
    if (stopping.aborted) return
    const { paint } = terminal
    const width = terminal.width() ?? 80
    const title = `promotion-relay  ${clock()}  Ctrl-C ends`
    const told =
      away && `${away.text}, since ${away.since}: trying again${frame ? '; below is what was seen last' : ''}`
    const lines = [
      paint('dim', cut(title, width)),
      ...(told === undefined ? [] : [paint(['red', 'bold'], cut(printable(told), width))]),
      '',
      ...(frame ? linesOf(frame, terminal) : []),
    ]
    stdout.write(`\u001b[H${screenOf(lines, stdout.rows || 24)}`)
  }
  stdout.on('resize', draw)
  return (seen) => {
    if (isAway(seen)) away ??= { text: seen.away, since: clock() }
    else [frame, away] = [seen, undefined]
    draw()
  }
}

/** Every row anew; whatever the terminal has no room for is counted. Cleared first: what is full has no room behind it. */
function screenOf(lines: readonly string[], rows: number): string {
  const left = lines.length - rows
  const shown = left > 0 ? [...lines.slice(0, rows - 1), `… and ${left + 1} more lines`] : lines
  const screen = Array.from({ length: rows }, (_, i) => `\u001b[2K${shown[i] ?? ''}`)
  return screen.join('\r\n')
}

/** A block for each change; ages alone are none. */
function showChanges(): Show {
  let shown = ''
  return (seen) => {
    const now = changing(seen)
    if (now === shown) return
    shown = now
    print(`--- ${new Date().toISOString()}`)
    if (isAway(seen)) print(printable(`${seen.away}: trying again`))
    else for (const line of linesOf(seen, WITHOUT_COLOURS)) print(line)
    print('')
  }
}

function showJson(): Show {
  let shown = ''
  return (seen) => {
    const now = changing(seen)
    if (now === shown) return
    shown = now
    printJson(isAway(seen) ? { status: 'unavailable', text: seen.away } : { status: 'answer', ...seen })
  }
}

/** What is not the mere passing of time. */
function changing(seen: Seen): string {
  if (isAway(seen)) return 'away'
  // Counts of the last hour fall by themselves; when they grow, those of ever do too.
  const { at: _, triggers: _t, deployments: _d, latency: _l, ...figures }: StatsView = seen.stats
  const circuits = seen.circuits.map(({ nextProbe: __, ...rest }) => rest)
  return JSON.stringify({ ...seen, stats: figures, circuits })
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8)
}
