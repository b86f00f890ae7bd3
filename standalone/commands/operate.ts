/** What ops do to targets and promotions: hold, release, roll back, resolve. Who does it, and why, is kept. */
import { type Command, Option } from 'commander'
import type { Environment } from '../../shared/config.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import { address, complain, EXIT, print, refuse, seconds } from '../command-line.ts'
import { findOperator, type OperatedFar, type Order } from '../operator.ts'
import { findRelay, whereabouts } from './find-relay.ts'
import { waitFor } from './wait-for.ts'

type Done = Extract<OperatedFar, { kind: 'done' }>

interface OrderFlags {
  why?: string
  url?: string
  json?: boolean
}

interface TargetFlags extends OrderFlags {
  environment?: string
}

interface RollbackFlags extends TargetFlags {
  to?: string
  wait?: boolean
  timeout: number
}

interface ResolveFlags extends OrderFlags {
  run?: string
  absent?: boolean
}

export function addOperate(program: Command, environment: () => Environment): void {
  const by = () => environment().USER || 'a person'

  const orderCommand = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--why <text>', 'kept in the timeline, with your name')
      .addOption(
        new Option(
          '--url <address>',
          "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
        ).argParser(address),
      )
      .option('--json', 'print the result as JSON')

  const targetCommand = (name: string, description: string) =>
    orderCommand(name, description)
      .argument('<model>', 'registered model')
      .option('--environment <name>', 'of which environment (default: production)')

  async function operate(order: Order, request: Record<string, unknown>, flags: OrderFlags): Promise<Done> {
    const operator = await findOperator(whereabouts(environment(), flags.url))
    const operated = await operator.give(order, { ...request, by: by(), why: flags.why })
    await operator.close()
    const { kind, ...rest } = operated
    if (flags.json) print(JSON.stringify({ status: kind, ...rest }))
    if (operated.kind === 'done') {
      const { status, id, text } = operated
      if (!flags.json) print(order === 'rollback' ? `${status} ${id}: ${text}` : text)
      return operated
    }
    if (operated.kind === 'invalid') refuse(problemsOf(operated.problems))
    if (operated.kind === 'unavailable') {
      complain(operated.text, 'it is safe to run this again')
      process.exit(EXIT.unreachable)
    }
    const hint = 'hint' in operated && operated.hint ? `. ${operated.hint.replace(/`(\w+)`/g, '--$1')}` : ''
    complain(`${operated.text}${hint}`)
    process.exit(EXIT.ended)
  }

  targetCommand('hold', 'stops a target: what comes is accepted and waits until it is released').action(
    async (model: string, flags: TargetFlags) => {
      await operate('hold', { model, environment: flags.environment }, flags)
      process.exit(EXIT.done)
    },
  )

  targetCommand('release', 'ends the hold on a target').action(async (model: string, flags: TargetFlags) => {
    await operate('release', { model, environment: flags.environment }, flags)
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
      const { environment: where, to } = flags
      const { id = '' } = await operate('rollback', { model, environment: where, to }, flags)
      if (!flags.wait) process.exit(EXIT.done)
      const producer = await findRelay(environment(), flags.url)
      const code = await waitFor(producer, id, flags)
      await producer.close()
      process.exit(code)
    })

  orderCommand('resolve', 'says what became of an unresolved promotion')
    .argument('<promotion>', 'id')
    .option('--run <id>', 'the workflow run that it started')
    .option('--absent', 'it started none: it may be sent again')
    .action(async (id: string, flags: ResolveFlags) => {
      const { run, absent } = flags
      if ((run === undefined) === (absent === undefined)) refuse(['say either --run ID or --absent'])
      if (run !== undefined && !/^\d{1,20}$/.test(run)) refuse(['--run must be the number of a workflow run'])
      await operate('resolve', { id, run, absent }, flags)
      process.exit(EXIT.done)
    })
}

function problemsOf(problems: readonly FieldProblem[]): string[] {
  return problems.map(({ field, problem }) =>
    ['model', 'id', 'scope', ''].includes(field) ? `${field} ${problem}`.trim() : `--${field} ${problem}`,
  )
}
