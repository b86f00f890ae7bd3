/** `promotion-relay smoke-test`: a promotion that is a test goes through the relay, and each step's time is told. */
import { setTimeout as pause } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import type { Environment } from '../../shared/config.ts'
import type { SmokeTestSent } from '../../shared/smoke-test.ts'
import { address, complain, EXIT, print, refuse, seconds } from '../command-line.ts'
import { printable } from '../printable.ts'
import { type Asked, judge, judgeLate, type Standing } from '../smoke-test/judge.ts'
import { findSender, type Sender } from '../smoke-test/sender.ts'
import { firstSteps, type Seen, type Step, stepsIn } from '../smoke-test/steps.ts'
import { whereabouts } from './find-relay.ts'

interface SmokeTestFlags {
  dispatch?: boolean
  wait?: boolean
  timeout?: number
  url?: string
  json?: boolean
}

const TIMEOUT_S = { toTheCall: 30, toTheEnd: 3600 }
const LOOK_EVERY_MS = 100

export function addSmokeTest(program: Command, environment: () => Environment): void {
  program
    .command('smoke-test')
    .description('sends a promotion that is a test as far as a worker, which does not send it on')
    .option('--dispatch', 'send it to GitHub, too: the CD workflow runs, with smoke_test as trigger_source')
    .option('--wait', 'with --dispatch: follow its run to the end')
    .option('--timeout <seconds>', 'how long it may take (default: 30, with --wait: 3600)', seconds)
    .option(
      '--url <address>',
      "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
      address,
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
It is in no figure, no list of targets and no news.
Exit codes:
  0  it came through
  1  something stopped it
  2  wrong input or settings
  3  the relay can't be reached
  4  --wait was over before the end of its run`,
    )
    .action(async (flags: SmokeTestFlags) => {
      if (flags.wait && !flags.dispatch)
        refuse(['--wait is of use with --dispatch: nothing is sent without it'])
      const env = environment()
      const sender = await findSender(whereabouts(env, flags.url))
      const code = await smokeTest(sender, flags, env.USER || 'a person')
      await sender.close()
      process.exit(code)
    })
}

async function smokeTest(sender: Sender, flags: SmokeTestFlags, by: string): Promise<number> {
  const asked: Asked = { dispatch: flags.dispatch === true, wait: flags.wait === true }
  const timeoutS = flags.timeout ?? (asked.wait ? TIMEOUT_S.toTheEnd : TIMEOUT_S.toTheCall)
  const show = flags.json ? () => {} : printStep
  let sent: SmokeTestSent
  try {
    sent = await sender.send(asked.dispatch, by)
  } catch (error) {
    complain((error as Error).message)
    return EXIT.unreachable
  }
  if (!flags.json) print(`smoke test ${sent.id}${asked.dispatch ? '' : ', which is not sent to GitHub'}`)
  const first = firstSteps(sent)
  for (const step of first) show(step)
  const { seen, standing, late } = await follow(sender, sent, { asked, timeoutS, show })
  const steps = [...first, ...(seen ? stepsIn(seen, sent.queueMs) : [])]
  if (flags.json) print(JSON.stringify({ id: sent.id, ...resultOf(standing), steps }))
  else printEnd(standing, steps)
  if (standing.kind === 'through') return EXIT.done
  return late && asked.wait && steps.some(({ name }) => name === 'run named') ? EXIT.waitOver : EXIT.ended
}

async function follow(
  sender: Sender,
  sent: SmokeTestSent,
  { asked, timeoutS, show }: { asked: Asked; timeoutS: number; show(step: Step): void },
): Promise<{ seen: Seen | undefined; standing: Standing; late: boolean }> {
  const until = Date.now() + timeoutS * 1000
  let seen: Seen | undefined
  let shown = 0
  for (;;) {
    // Its server may be away for a moment; in the end it counts as late.
    seen = (await sender.get(sent.id).catch(() => undefined)) ?? seen
    const steps = seen ? stepsIn(seen, sent.queueMs) : []
    for (const step of steps.slice(shown)) show(step)
    shown = Math.max(shown, steps.length)
    const standing = seen ? judge(seen, asked) : { kind: 'under way' as const }
    if (standing.kind !== 'under way') return { seen, standing, late: false }
    if (Date.now() >= until) {
      return { seen, standing: judgeLate(seen, timeoutS, await sender.workers()), late: true }
    }
    await pause(LOOK_EVERY_MS)
  }
}

function printStep({ name, ok, tookMs, detail }: Step): void {
  const { stdout } = process
  const sign = styleText(ok ? 'green' : 'red', (ok ? 'ok' : 'fault').padEnd(7), { stream: stdout })
  print(`  ${sign}${name.padEnd(28)}${`${tookMs} ms`.padStart(9)}  ${printable(detail)}`.trimEnd())
}

function printEnd(standing: Standing, steps: readonly Step[]): void {
  const totalMs = steps.reduce((sum, { tookMs }) => sum + tookMs, 0)
  if (standing.kind === 'through') print(`${standing.words} ${totalMs} ms in all.`)
  if (standing.kind === 'stopped') {
    const sign = styleText('red', 'fault'.padEnd(7), { stream: process.stdout })
    print(`  ${sign}${printable(standing.why)}`)
    print(`         → ${printable(standing.mend)}`)
  }
}

function resultOf(standing: Standing): object {
  return standing.kind === 'stopped'
    ? { result: 'stopped', why: standing.why, mend: standing.mend }
    : { result: standing.kind }
}
