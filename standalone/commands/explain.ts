/** `promotion-relay explain`: is it live, and if not, why? Of a promotion its story, of a model its targets. */
import type { Command } from 'commander'
import type { Environment } from '../../shared/config.ts'
import { environmentSchema, validate } from '../../shared/promotion.ts'
import type { PromotionView, TargetView } from '../../shared/views.ts'
import { whatNext } from '../../shared/what-next.ts'
import { complain, EXIT, print, refuse } from '../command-line.ts'
import { lineFor } from '../print-timeline.ts'
import { printable } from '../printable.ts'
import { historyColumns } from '../promotion-columns.ts'
import { ageOf, styleOf, type Terminal, tableOf, words } from '../terminal.ts'
import { type Asker, type AskFlags, asked, asking, printJson, problemsOf } from './asking.ts'

interface ExplainFlags extends AskFlags {
  environment?: string
}

const LAST = 5

export function addExplain(program: Command, environment: () => Environment): void {
  asking(
    program
      .command('explain')
      .description('tells of a promotion, or of a model, how it stands and what happens next'),
  )
    .argument('<promotion|model>', 'id, or 8 characters of its beginning; number of a run; model')
    .option('--environment <name>', 'of a model: this environment alone')
    .action((text: string, flags: ExplainFlags) =>
      asked(environment(), flags, (asker) => explain(asker, text.trim(), flags)),
    )
}

async function explain(asker: Asker, text: string, flags: ExplainFlags): Promise<number> {
  checkEnvironment(flags.environment)
  const promotion = flags.environment === undefined ? await promotionMeant(asker, text) : undefined
  if (promotion) {
    if (flags.json) printJson(promotion)
    else printPromotion(promotion, asker.terminal)
    return EXIT.done
  }
  const { targets, like } = await targetsOf(asker, text, flags.environment)
  if (targets.length === 0) {
    complain(`no promotion and no model is called ${printable(text)}`, hintFor(like))
    return EXIT.ended
  }
  const seen = []
  for (const target of targets) seen.push(await look(asker, target))
  if (flags.json) printJson({ model: text, targets: seen.map(documentOf) })
  else for (const [i, one] of seen.entries()) printTarget(one, asker.terminal, i > 0)
  return EXIT.done
}

function checkEnvironment(name: string | undefined): void {
  const checked = validate(environmentSchema.optional(), name)
  if (!checked.ok)
    refuse(problemsOf(checked.problems.map(({ problem }) => ({ field: 'environment', problem }))))
}

async function promotionMeant(asker: Asker, text: string): Promise<PromotionView | undefined> {
  const byId = await asker.byId(text)
  if (byId || !/^\d{1,20}$/.test(text)) return byId
  const { promotions } = await asker.ask('search', { text })
  const ofRun = promotions.find(({ run }) => run?.id === text)
  return ofRun && asker.promotion(ofRun.id)
}

async function targetsOf(asker: Asker, model: string, environment: string | undefined) {
  const found = await asker.ask('search', { text: model })
  const own = found.targets.filter((one) => one.model === model)
  const targets = own.filter((one) => environment === undefined || one.environment === environment)
  const like =
    own.length > 0
      ? own.map((one) => `${one.model} in ${one.environment}`)
      : found.targets.map((one) => one.model)
  return { targets, like: [...new Set(like)] }
}

function hintFor(like: readonly string[]): string {
  return like.length === 0
    ? 'promotion-relay targets lists what there is; a promotion that ended 90 days ago is forgotten'
    : `there is: ${like.slice(0, 5).map(printable).join(', ')}`
}

type Seen = Awaited<ReturnType<typeof look>>

async function look({ ask, promotion }: Asker, target: TargetView) {
  const { model, environment, inFlight, pending } = target
  const [flying, waiting, { promotions }] = await Promise.all([
    inFlight === null ? undefined : promotion(inFlight),
    pending === null ? undefined : promotion(pending),
    ask('promotions', { model, environment, limit: LAST }),
  ])
  const next = whatNext({ target, inFlight: flying, pending: waiting, newest: promotions[0] })
  return { target, flying, waiting, promotions, next }
}

function documentOf({ target, flying, waiting, promotions, next }: Seen) {
  const bare = (one: PromotionView | undefined) => {
    if (one === undefined) return null
    const { timeline: _, ...rest } = one
    return rest
  }
  return { ...target, next, inFlightPromotion: bare(flying), pendingPromotion: bare(waiting), promotions }
}

export function printPromotion(promotion: PromotionView, { paint }: Terminal): void {
  const { id, model, version, environment, state, reason, run, timeline = [] } = promotion
  const where = environment === 'production' ? '' : ` in ${environment}`
  print(`${printable(`${model} ${version}${where}`)}: ${paint(styleOf(state), words(state))}`)
  print(printable(`  ${reason}`))
  print(paint('dim', `  ${id}${run?.url === undefined ? '' : `  ${printable(run.url)}`}`))
  print('')
  const entries = timeline.map((entry) => ({ ...entry, at: Date.parse(entry.at) }))
  const startedAt = entries[0]?.at ?? 0
  for (const entry of entries) print(lineFor(entry, startedAt))
}

function printTarget(
  { target, flying, waiting, promotions, next }: Seen,
  terminal: Terminal,
  isNext: boolean,
): void {
  const { paint } = terminal
  const { model, environment, live, liveSince, previous, hold, drift } = target
  const now = Date.now()
  const line = (name: string, text: string | undefined) => {
    if (text !== undefined) print(`  ${paint('dim', name.padEnd(9))} ${text}`)
  }
  if (isNext) print('')
  print(paint('bold', printable(`${model} in ${environment}`)))
  const before = previous === null ? '' : `; before: ${printable(previous)}`
  line(
    'live',
    live === null
      ? 'nothing yet'
      : `${paint('green', printable(live))} for ${ageOf(liveSince, now)}${before}`,
  )
  line(
    'drift',
    drift &&
      paint('red', printable(`a person started run ${drift.runId} again, in place of ${drift.instead}`)),
  )
  line('in flight', flying && storyOf(flying, terminal))
  line('pending', waiting && storyOf(waiting, terminal))
  line('hold', hold === null ? undefined : paint('yellow', holdWords(hold, now)))
  line('next', printable(next))
  print('')
  const rows = promotions.slice(0, LAST)
  for (const row of tableOf(rows, historyColumns(terminal, now), indented(terminal))) print(`  ${row}`)
}

function indented(terminal: Terminal): Terminal {
  return {
    ...terminal,
    width: () => (terminal.width() === undefined ? undefined : (terminal.width() ?? 0) - 2),
  }
}

function storyOf({ version, reason, run }: PromotionView, { paint }: Terminal): string {
  const link = run?.url === undefined ? '' : `  ${printable(run.url)}`
  return `${paint('cyan', printable(version))}: ${printable(reason)}${link}`
}

function holdWords(hold: NonNullable<TargetView['hold']>, now: number): string {
  const what = hold.kind === 'person' ? 'all of it' : `version ${(hold.versions ?? []).join(', ')}`
  const why = hold.why === undefined ? '' : `: ${hold.why}`
  return printable(`${what}, by ${hold.by}${why}, for ${ageOf(hold.since, now)}`)
}
