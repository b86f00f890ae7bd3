/** What ops do to targets and promotions: hold, release, roll back, resolve. */
import { type Command, Option } from 'commander'
import type { Environment } from '../../shared/config.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import {
  address,
  complain,
  EXIT,
  openLog,
  print,
  refuse,
  required,
  seconds,
  settingsOrExit,
} from '../command-line.ts'
import { findOperator, type Operated, type Operator } from '../operator.ts'
import { findRelay, whereabouts } from './find-relay.ts'
import { waitFor } from './wait-for.ts'

interface TargetFlags {
  environment?: string
  why?: string
  url?: string
  json?: boolean
}

interface RollbackFlags extends TargetFlags {
  to?: string
  wait?: boolean
  timeout: number
}

interface ResolveFlags {
  run?: string
  absent?: boolean
  why?: string
}

export function addOperate(program: Command, environment: () => Environment): void {
  const by = () => environment().USER || 'a person'

  /** Of one target; says who does it, and why. */
  const targetCommand = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .argument('<model>', 'registered model')
      .option('--environment <name>', 'of which environment (default: production)')
      .option('--why <text>', 'kept in the timeline, with your name')
      .addOption(
        new Option(
          '--url <address>',
          "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
        ).argParser(address),
      )
      .option('--json', 'print the result as JSON')

  async function operate(
    flags: TargetFlags,
    what: (operator: Operator) => Promise<Operated>,
  ): Promise<Operated> {
    const operator = await findOperator(whereabouts(environment(), flags.url))
    const done = await what(operator)
    await operator.close()
    if (flags.json) print(JSON.stringify(done))
    if (done.status === 'invalid') refuse(problemsOf(done.problems))
    if (done.status === 'unavailable') complain(done.reason, 'it is safe to run this again')
    if (done.status === 'refused') complain(done.reason)
    if (done.status === 'unavailable') process.exit(EXIT.unreachable)
    if (done.status === 'refused') process.exit(EXIT.ended)
    return done
  }

  targetCommand('hold', 'stops a target: what comes is accepted and waits until it is released').action(
    async (model: string, flags: TargetFlags) => {
      const { environment: where, why } = flags
      await operate(flags, (operator) => operator.hold({ model, environment: where, by: by(), why }))
      if (!flags.json) print(`${model} is held: what comes waits until promotion-relay release ${model}`)
      process.exit(EXIT.done)
    },
  )

  targetCommand('release', 'ends the hold on a target').action(async (model: string, flags: TargetFlags) => {
    const { environment: where, why } = flags
    const done = await operate(flags, (operator) =>
      operator.release({ model, environment: where, by: by(), why }),
    )
    if (!flags.json)
      print(
        done.status === 'not_held' ? `${model} was not held` : `${model} is released: promotions flow again`,
      )
    process.exit(EXIT.done)
  })

  targetCommand(
    'rollback',
    'has the version deployed again that was live before, and holds back the one it replaces',
  )
    .option('--to <version>', 'the version that is to be live')
    .option('--wait', 'show each step until its end')
    .option('--timeout <seconds>', 'with --wait: give up watching after this time', seconds, 3600)
    .action(async (model: string, flags: RollbackFlags) => {
      const { environment: where, why, to } = flags
      const done = await operate(flags, (operator) =>
        operator.rollback({ model, environment: where, by: by(), why, to }),
      )
      if (done.status !== 'accepted' && done.status !== 'duplicate') process.exit(EXIT.ended)
      if (!flags.json)
        print(
          done.status === 'accepted'
            ? `accepted ${done.id}: ${model} back to version ${done.version}`
            : `${model} is on its way back to version ${done.version} already: ${done.id}`,
        )
      if (!flags.wait) process.exit(EXIT.done)
      const producer = await findRelay(environment(), flags.url)
      const code = await waitFor(producer, done.id, flags)
      await producer.close()
      process.exit(code)
    })

  program
    .command('resolve')
    .description('says what became of an unresolved promotion')
    .argument('<promotion>', 'id')
    .option('--run <id>', 'the workflow run that it started')
    .option('--absent', 'it started none: it may be sent again')
    .option('--why <text>', 'kept in the timeline, with your name')
    .action(async (id: string, { run, absent, why }: ResolveFlags) => {
      if ((run === undefined) === (absent === undefined)) refuse(['say either --run ID or --absent'])
      if (run !== undefined && !/^\d{1,20}$/.test(run)) refuse(['--run must be the number of a workflow run'])
      const settings = settingsOrExit(environment(), ['redis'])
      const redisUrl = required(settings.REDIS_URL).read()
      const { log } = openLog('cli', { ...settings, LOG_LEVEL: 'warn' })
      const { settle } = await import('../settle.ts')
      const result = await settle({
        redisUrl,
        id,
        by: by(),
        why,
        log,
        word: run === undefined ? { absent: true } : { runId: run },
      })
      if (!result.ok) complain(result.text)
      else print(result.text)
      process.exitCode = result.ok ? EXIT.done : EXIT.ended
    })
}

function problemsOf(problems: readonly FieldProblem[]): string[] {
  return problems.map(({ field, problem }) => `${field === 'model' ? '' : '--'}${field} ${problem}`)
}
