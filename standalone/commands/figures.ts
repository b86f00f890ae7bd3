/** `promotion-relay circuits` and `stats`: what makes promotions wait, and how it goes. */
import type { Command } from 'commander'
import type { Environment } from '../../shared/config.ts'
import type { CircuitView, StatsView } from '../../shared/views.ts'
import { complain, EXIT, print, refuse } from '../command-line.ts'
import { findOperator } from '../operator.ts'
import { printable } from '../printable.ts'
import { ageOf, type Column, durationOf, secondsOf, type Terminal, tableOf, words } from '../terminal.ts'
import { type AskFlags, asked, asking, printJson, problemsOf } from './asking.ts'
import { whereabouts } from './find-relay.ts'

export function addFigures(program: Command, environment: () => Environment): void {
  const circuits = asking(
    program.command('circuits').description('lists open circuits: what makes promotions wait'),
  )
  circuits.action((flags: AskFlags) =>
    asked(environment(), flags, async ({ ask, terminal }) => {
      const { circuits: open } = await ask('circuits')
      if (flags.json) printJson({ circuits: open })
      else if (open.length === 0) print('no circuit is open: promotions flow')
      else {
        for (const line of tableOf(open, circuitColumns(Date.now()), terminal)) print(line)
        print(
          'Mend the cause: they close by themselves. To have one looked at now: promotion-relay circuits probe SCOPE',
        )
      }
      return EXIT.done
    }),
  )

  asking(
    circuits.command('probe').description('has it looked at now whether what opened a circuit is mended'),
  )
    .argument('<scope>', 'owner/name or owner/name/workflow')
    .option('--why <text>', 'kept with your name')
    .action(async (scope: string, _flags: unknown, command: Command) =>
      probe(scope, command.optsWithGlobals(), environment()),
    )

  asking(program.command('stats').description('tells how it goes: counts, success, latency, workers')).action(
    (flags: AskFlags) =>
      asked(environment(), flags, async ({ ask, terminal }) => {
        const stats = await ask('stats')
        if (flags.json) printJson(stats)
        else for (const line of statsLines(stats, terminal)) print(line)
        return EXIT.done
      }),
  )
}

async function probe(scope: string, flags: AskFlags & { why?: string }, env: Environment): Promise<never> {
  const operator = await findOperator(whereabouts(env, flags.url))
  const operated = await operator.give('probe', { scope, by: env.USER || 'a person', why: flags.why })
  await operator.close()
  const { kind, ...rest } = operated
  if (flags.json) printJson({ status: kind, ...rest })
  if (operated.kind === 'invalid') refuse(problemsOf(operated.problems))
  if (operated.kind === 'done') {
    if (!flags.json) print(printable(operated.text))
    process.exit(EXIT.done)
  }
  if (operated.kind === 'unavailable') {
    complain(printable(operated.text), 'it is safe to run this again')
    process.exit(EXIT.unreachable)
  }
  complain(printable(operated.text), 'promotion-relay circuits lists those that are open')
  process.exit(EXIT.ended)
}

export function circuitColumns(now: number): Column<CircuitView>[] {
  return [
    { head: 'circuit', of: ({ scope }) => scope, least: 12 },
    { head: 'reason', of: ({ reason }) => words(reason), style: () => 'red' },
    { head: 'open for', of: ({ since }) => ageOf(since, now) },
    { head: 'next look', of: (one) => nextLook(one, now) },
    { head: 'detail', of: ({ detail }) => detail, least: 8 },
  ]
}

function nextLook({ halfOpen, nextProbe }: CircuitView, now: number): string {
  if (halfOpen) return 'next promotion'
  const inMs = Date.parse(nextProbe) - now
  return inMs <= 0 ? 'now' : `in ${durationOf(inMs)}`
}

export function statsLines(stats: StatsView, { paint }: Terminal): string[] {
  const { at, promotions, oldestWaiting, lastAccepted, triggers, deployments, latency, ever } = stats
  const now = Date.parse(at)
  const line = (name: string, text: string) => `${paint('dim', name.padEnd(12))} ${text}`
  const alert = (count: number, text: string) => (count > 0 ? paint('red', text) : text)
  const { accepted, dispatching, dispatched } = promotions
  const waiting = oldestWaiting === undefined ? '' : `, the longest for ${ageOf(oldestWaiting, now)}`
  return [
    line('waiting', `${accepted}${waiting}`),
    line('under way', `${dispatching} being sent, ${dispatched} running`),
    line(
      'dead letters',
      alert(
        stats.deadLetters,
        `${promotions.dead_lettered} dead-lettered, ${promotions.unresolved} unresolved`,
      ),
    ),
    line(
      'circuits',
      alert(stats.openCircuits, stats.openCircuits === 0 ? 'none open' : `${stats.openCircuits} open`),
    ),
    line('holds', `${stats.holds.person} by a person, ${stats.holds.rollback} by a rollback`),
    line('workers', stats.workers === 0 ? paint('red', 'none') : String(stats.workers)),
    line(
      'last',
      lastAccepted === undefined ? 'nothing was promoted yet' : `promoted ${ageOf(lastAccepted, now)} ago`,
    ),
    line(
      'triggers',
      windows(triggers, ({ dispatched: good, notDispatched: bad }) => [good, bad]),
    ),
    line(
      'deployments',
      windows(deployments, ({ succeeded, failed }) => [succeeded, failed]),
    ),
    line('to dispatch', timesOf(latency.toDispatch)),
    line('to live', timesOf(latency.toLive)),
    line(
      'ever',
      Object.entries(ever)
        .map(([name, count]) => `${count} ${words(name).replace(':', ' ')}`)
        .join(', ') || 'nothing',
    ),
  ]
}

function windows<T>(by: Record<'1h' | '24h', T>, countsOf: (one: T) => [good: number, bad: number]): string {
  return (['1h', '24h'] as const)
    .map((window) => {
      const [good, bad] = countsOf(by[window])
      const share =
        good + bad === 0 ? 'none' : `${good} of ${good + bad} (${((100 * good) / (good + bad)).toFixed(1)} %)`
      return `${window} ${share}`
    })
    .join(', ')
}

function timesOf({ of, p50, p99 }: StatsView['latency']['toLive']): string {
  return p50 === undefined || p99 === undefined
    ? 'none yet'
    : `p50 ${secondsOf(p50)}, p99 ${secondsOf(p99)}, of the last ${of}`
}
