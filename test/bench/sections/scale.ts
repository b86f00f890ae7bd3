// Does it get slower as more is kept? The same operations with ten, ten thousand and a million promotions kept, on a
// Redis each, of which the largest holds 120,000 targets and 10,000 dead letters.
import type { Ground } from '../scale/ground.ts'
import { prepare } from '../scale/ground.ts'
import { longestCommand, measure, type Times } from '../scale/measure.ts'
import { FORGETTING, type Operation, READS, UPKEEP, WRITES } from '../scale/operations.ts'
import type { Options, Result, Section } from '../section.ts'
import { median, percentile, short } from '../statistics.ts'

const SIZES = [10, 10_000, 1_000_000]
const QUICK_SIZES = [10, 1_000]
/** As many times the smallest as still counts as flat. */
const FLAT = 1.5
/** Longer than this nobody is to wait behind one command, ms. */
const LONGEST_COMMAND_MS = 10

export const scale: Section = {
  name: 'scale',
  title: 'The same with ten promotions kept and with a million',
  run,
}

async function run({ quick, rounds }: Options): Promise<Result> {
  const grounds: Ground[] = []
  try {
    for (const promotions of quick ? QUICK_SIZES : SIZES) grounds.push(await prepare(promotions))
    const often = quick ? { rounds: 1, warm: 1 } : { rounds, warm: 10 }
    // Nothing is added before all has been read.
    const read = await measure(grounds, [...READS, ...UPKEEP].map(alone), often)
    const longest = await longestOf(grounds, [...READS, ...UPKEEP])
    const written = await measure(grounds, [WRITES], { ...often, rounds: often.rounds * (quick ? 1 : 10) })
    const forgotten = await measure(grounds, FORGETTING.map(alone), often)
    longest.push(...(await longestOf(grounds, FORGETTING)))
    return resultOf(grounds, new Map([...written, ...read, ...forgotten]), longest)
  } finally {
    for (const ground of grounds) await ground.close()
  }
}

function alone(operation: Operation): Operation[] {
  return [operation]
}

type Longest = { name: string; ms: number; what: string }

async function longestOf(grounds: readonly Ground[], operations: readonly Operation[]): Promise<Longest[]> {
  const largest = grounds.at(-1)
  if (!largest) return []
  const longest: Longest[] = []
  for (const operation of operations)
    longest.push({ name: operation.name, ...(await longestCommand(largest, operation)) })
  return longest
}

function resultOf(grounds: readonly Ground[], times: Times, found: readonly Longest[]): Result {
  const longest = found.toSorted((a, b) => b.ms - a.ms)
  const figures: Record<string, number> = {}
  const targets: Result['targets'][number][] = []
  const rows = [...times].map(([operation, bySize]) => {
    const of = grounds.map((ground) => bySize.get(ground) ?? [])
    grounds.forEach(({ filled }, i) => {
      if (!of[i]?.length) return
      figures[`${operation.figure}At${filled.promotions}P50Ms`] = median(of[i])
      figures[`${operation.figure}At${filled.promotions}P99Ms`] = percentile(of[i], 99)
    })
    const first = of.find((some) => some.length > 0) ?? []
    const ratio = median(of.at(-1) ?? []) / median(first)
    figures[`${operation.figure}Ratio`] = ratio
    if (operation.isTarget)
      targets.push({
        what: `${operation.name}, most against least kept`,
        value: ratio,
        unit: 'times',
        atMost: FLAT,
      })
    const cells = of.map((some) =>
      some.length === 0 ? '-' : `${short(median(some))} / ${short(percentile(some, 99))}`,
    )
    return [operation.name, ...cells, `${short(ratio)}${of[0]?.length ? '' : ' (of a full page)'}`]
  })
  const [slowest] = longest
  figures.longestCommandMs = slowest?.ms ?? 0
  targets.push({
    what: 'the longest command of reads, sweep and trim, where most is kept',
    value: slowest?.ms ?? 0,
    unit: 'ms',
    atMost: LONGEST_COMMAND_MS,
  })
  for (const { filled } of grounds) figures[`fillOf${filled.promotions}Seconds`] = filled.tookMs / 1000
  return {
    figures,
    tables: [
      {
        title: `ms, median / 99 %, one at a time; ${grounds.map(({ filled }) => amountWords(filled)).join('; ')}`,
        columns: ['', ...grounds.map(({ filled }) => filled.promotions.toLocaleString('en')), 'ratio'],
        rows,
      },
      {
        title: 'The longest commands where most is kept: for so long Redis serves nobody else',
        columns: ['in', 'ms', 'command'],
        rows: longest.slice(0, 5).map(({ name, ms, what }) => [name, short(ms), what]),
      },
    ],
    targets,
  }
}

function amountWords({ promotions, targets, deadLetters }: Ground['filled']): string {
  const count = (n: number, word: string) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`
  return `${count(promotions, 'promotion')} of ${count(targets, 'target')} with ${count(deadLetters, 'dead letter')}`
}
