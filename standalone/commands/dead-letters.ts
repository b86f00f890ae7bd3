/** `promotion-relay dead-letters`: what waits for a person, and what they make of it; with `--dry-run` what would come of it. */
import { createInterface } from 'node:readline/promises'
import { type Command, Option } from 'commander'
import type { Environment } from '../../shared/config.ts'
import type { LetterView, PromotionView } from '../../shared/views.ts'
import { complain, EXIT, print, refuse } from '../command-line.ts'
import { findOperator, type OperatedFar } from '../operator.ts'
import { printable } from '../printable.ts'
import { letterColumns } from '../promotion-columns.ts'
import { ageOf, type Column, type Terminal, tableOf } from '../terminal.ts'
import {
  type Asker,
  type AskFlags,
  asked,
  asking,
  collect,
  printJson,
  problemsOf,
  tellOfMore,
  wholeNumber,
} from './asking.ts'
import { printPromotion } from './explain.ts'
import { whereabouts } from './find-relay.ts'

interface Filter {
  model?: string
  environment?: string
  state?: string
  reason?: string
}

interface ListFlags extends AskFlags, Filter {
  limit: number
}

interface ChangeFlags extends AskFlags, Filter {
  all?: boolean
  dryRun?: boolean
  yes?: boolean
  why?: string
}

type Change = 'redrive' | 'discard'

const DONE = { redrive: 'redriven', discard: 'discarded' } as const
const MOST = 10_000

export function addDeadLetters(program: Command, environment: () => Environment): void {
  const command = program
    .command('dead-letters')
    .description('what waits for a person: list, show, redrive, discard')

  filtering(asking(command.command('list', { isDefault: true }).description('lists them, the newest first')))
    .option('--limit <number>', 'so many at the most', wholeNumber, 50)
    .action((flags: ListFlags) => asked(environment(), flags, (asker) => list(asker, flags)))

  asking(command.command('show').description('shows one: what happened, and what to do'))
    .argument('<id>', 'of the promotion, or 8 characters of its beginning; of an invalid job')
    .action((id: string, flags: AskFlags) => asked(environment(), flags, (asker) => show(asker, id, flags)))

  for (const [change, description] of [
    ['redrive', 'puts them back into the queue: never twice, and never over a newer version'],
    ['discard', 'decides that they are not sent any more'],
  ] as const) {
    filtering(asking(command.command(change).description(description)))
      .argument('[ids...]', 'of promotions, or 8 characters of their beginnings')
      .option('--all', 'all that the filters let through')
      .option('--dry-run', 'only say what the ledger would make of each')
      .option('--yes', 'with --all: do not ask')
      .option('--why <text>', 'kept in the timeline, with your name')
      .action((ids: string[], flags: ChangeFlags) =>
        asked(environment(), flags, (asker) => carryOut(asker, change, ids, flags, environment())),
      )
  }
}

function filtering(command: Command): Command {
  return command
    .option('--model <name>', 'of this model')
    .option('--environment <name>', 'of this environment')
    .addOption(new Option('--state <state>', 'in this state').choices(['dead_lettered', 'unresolved']))
    .option('--reason <text>', 'with this in their reason')
}

function lettersOf({ ask }: Pick<Asker, 'ask'>, { model, environment, state, reason }: Filter, most: number) {
  let invalidJobs: NonNullable<Awaited<ReturnType<typeof first>>['invalidJobs']> = []
  const first = (page: object) => ask('deadLetters', { model, environment, state, reason, ...page })
  return collect(async (page) => {
    const { deadLetters, invalidJobs: invalid = [], nextCursor } = await first(page)
    invalidJobs = [...invalidJobs, ...invalid]
    return { items: deadLetters, nextCursor }
  }, most).then((collected) => ({ ...collected, invalidJobs }))
}

async function list(asker: Asker, flags: ListFlags): Promise<number> {
  const { terminal } = asker
  const { items, invalidJobs, nextCursor } = await lettersOf(asker, flags, flags.limit)
  if (flags.json) {
    printJson({ deadLetters: items, invalidJobs, nextCursor })
    return EXIT.done
  }
  const now = Date.now()
  if (items.length === 0) print('no dead letters')
  else for (const line of tableOf(items, letterColumns(items, terminal, now), terminal)) print(line)
  tellOfMore(nextCursor, flags.limit)
  if (invalidJobs.length > 0) {
    print('')
    print('Jobs of which no promotion could be made; correct whoever adds them:')
    for (const line of tableOf(invalidJobs, invalidColumns(now), terminal)) print(line)
  }
  return EXIT.done
}

type Invalid = Awaited<ReturnType<typeof lettersOf>>['invalidJobs'][number]

function invalidColumns(now: number): Column<Invalid>[] {
  return [
    { head: 'job', of: ({ id }) => id, least: 18 },
    { head: 'age', of: ({ at }) => ageOf(at, now) },
    { head: 'reason', of: ({ reason }) => reason, least: 8 },
  ]
}

async function show(asker: Asker, id: string, { json }: AskFlags): Promise<number> {
  const promotion = id.startsWith('dl-invalid-') ? undefined : await asker.byId(id)
  if (promotion) {
    const next = nextSteps(promotion)
    if (json) printJson({ ...promotion, next })
    else {
      printPromotion(promotion, asker.terminal)
      print('')
      for (const line of next) print(line)
    }
    return EXIT.done
  }
  const { invalidJobs } = await lettersOf(asker, {}, 1)
  const job = invalidJobs.find((one) => one.id === id)
  if (!job) {
    complain(
      `there is no dead letter ${printable(id)}`,
      'promotion-relay dead-letters list shows those that there are',
    )
    return EXIT.ended
  }
  const next = ['Correct whoever adds these jobs; Retry at /queues checks the data again.']
  if (json) printJson({ ...job, next })
  else
    for (const line of [
      `${job.id}, since ${ageOf(job.at, Date.now())}`,
      `  ${printable(job.reason)}`,
      '',
      ...next,
    ])
      print(line)
  return EXIT.done
}

function nextSteps({ id, state }: PromotionView): string[] {
  if (state === 'dead_lettered')
    return [
      'Mend the cause, then:',
      `  promotion-relay dead-letters redrive ${id}`,
      'or, if it is not to go any more:',
      `  promotion-relay dead-letters discard ${id}`,
    ]
  if (state === 'unresolved')
    return [
      "A run may have been started. Look at the workflow's runs, then one of:",
      `  promotion-relay resolve ${id} --run RUN`,
      `  promotion-relay resolve ${id} --absent`,
      'To have its run looked for again, without sending anything:',
      `  promotion-relay dead-letters redrive ${id}`,
    ]
  return ['It is no dead letter (any more): there is nothing to do.']
}

type Chosen = Pick<LetterView, 'id' | 'model' | 'version' | 'environment'>

interface Result extends Chosen {
  result: OperatedFar
}

async function carryOut(
  asker: Asker,
  change: Change,
  ids: string[],
  flags: ChangeFlags,
  env: Environment,
): Promise<number> {
  const { dryRun = false, yes = false, json = false } = flags
  const chosen = await choose(asker, change, ids, flags)
  if (chosen.length === 0) {
    if (json) printJson({ dryRun, results: [] })
    else print('no dead letters')
    return EXIT.done
  }
  const operator = await findOperator(whereabouts(env, flags.url))
  const order = async (isDryRun: boolean) => {
    const results: Result[] = []
    // The oldest first, as they were accepted.
    for (const { id, model, version, environment } of chosen.toReversed()) {
      const by = env.USER || 'a person'
      const result = await operator.give(change, {
        id,
        by,
        why: flags.why,
        ...(isDryRun ? { dryRun: true } : {}),
      })
      if (result.kind === 'invalid') refuse(problemsOf(result.problems))
      const about = { model, version, environment }
      results.push({ id, ...about, result })
      if (result.kind === 'unavailable') break
      if (!json && isDryRun === dryRun) print(lineOf({ id, ...about, result }, asker.terminal))
    }
    return results
  }
  if (flags.all && !dryRun && !yes) await ask(change, await order(true), asker.terminal)
  const results = await order(dryRun)
  await operator.close()
  if (json) printJson({ dryRun, results: results.map(documentOf) })
  return codeOf(results, chosen.length, change)
}

async function choose(asker: Asker, change: Change, ids: string[], flags: ChangeFlags): Promise<Chosen[]> {
  const { all, model, environment, state, reason, yes, dryRun } = flags
  const filtered = [model, environment, state, reason].some((one) => one !== undefined)
  if (ids.length > 0) {
    if (all || filtered)
      refuse(['name the dead letters by their ids, or all of them with --all and filters, but not both'])
    const found = []
    for (const id of ids) {
      const promotion = await asker.byId(id)
      if (!promotion)
        refuse([
          `there is no promotion ${printable(id)}: nothing was changed`,
          'promotion-relay dead-letters list shows their ids',
        ])
      found.push(promotion)
    }
    return found.toReversed()
  }
  if (!all)
    refuse([`say which: promotion-relay dead-letters ${change} ID, or --all with filters such as --model`])
  if (!yes && !dryRun && !(process.stdin.isTTY && process.stdout.isTTY && !flags.json))
    refuse([`--all may change many: look first with --dry-run, then say --yes`])
  const { items, nextCursor } = await lettersOf(asker, flags, MOST)
  if (nextCursor !== undefined)
    complain(`there are more: these are the newest ${MOST}; run it again for the others`)
  return items
}

/** Shows what would come of it in numbers, and ends the process unless the answer is yes. */
async function ask(change: Change, preview: readonly Result[], { paint }: Terminal): Promise<void> {
  const away = preview.find(({ result }) => result.kind === 'unavailable')
  if (away) process.exit(codeOf(preview, preview.length, change))
  const counts = new Map<string, number>()
  for (const { result } of preview) {
    const text = 'text' in result ? result.text : result.kind
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  print(
    `${preview.length === 1 ? '1 dead letter' : `${preview.length} dead letters`}, and what would come of them:`,
  )
  for (const [text, count] of counts) print(printable(`  ${String(count).padStart(5)}  ${text}`))
  const question = createInterface({ input: process.stdin, output: process.stdout })
  question.on('SIGINT', () => process.exit(EXIT.ended))
  const answer = await question.question(`${paint('bold', `To ${change} them, type yes:`)} `)
  question.close()
  if (answer.trim().toLowerCase() === 'yes') return
  print('nothing was changed')
  process.exit(EXIT.ended)
}

function lineOf({ id, model, version, environment, result }: Result, { paint }: Terminal): string {
  const where = environment === undefined || environment === 'production' ? '' : ` in ${environment}`
  const text = 'text' in result ? result.text : result.kind
  const hint = 'hint' in result && result.hint ? `. ${result.hint}` : ''
  const said = printable(`${text}${hint}`)
  return `${id}  ${printable(`${model} ${version}${where}`)}: ${result.kind === 'done' ? said : paint('red', said)}`
}

function documentOf({ result, ...about }: Result) {
  const { kind, ...rest } = result
  return { ...about, result: { ...('status' in rest ? {} : { status: kind }), kind, ...rest } }
}

function codeOf(results: readonly Result[], asked: number, change: Change): number {
  const last = results.at(-1)?.result
  if (last?.kind === 'unavailable') {
    const done = results.length - 1
    complain(
      printable(last.text),
      `${done} of ${asked} were ${DONE[change]} or refused before; it is safe to run this again`,
    )
    return EXIT.unreachable
  }
  return results.every(({ result }) => result.kind === 'done') ? EXIT.done : EXIT.ended
}
