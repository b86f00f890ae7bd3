// `npm run bench`: how fast it is beside a plain BullMQ worker that makes the same call, and what it costs as it grows.
// Ends with 0 also where a target is missed: a busy machine is no fault of the code.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { thisMachine } from './machine.ts'
import { asMarkdown, asText, type Report } from './report.ts'
import type { Section } from './section.ts'
import { accept } from './sections/accept.ts'
import { cluster } from './sections/cluster.ts'
import { cost } from './sections/cost.ts'
import { dispatch } from './sections/dispatch.ts'
import { drain } from './sections/drain.ts'
import { idle } from './sections/idle.ts'
import { intake } from './sections/intake.ts'
import { latency } from './sections/latency.ts'
import { memory } from './sections/memory.ts'
import { scale } from './sections/scale.ts'
import { start } from './sections/start.ts'
import { workers } from './sections/workers.ts'

const SECTIONS: readonly Section[] = [
  accept,
  intake,
  dispatch,
  workers,
  latency,
  cost,
  memory,
  scale,
  drain,
  idle,
  start,
  cluster,
]

const HELP = `How fast promotion-relay is on this machine, beside the plain thing: a BullMQ producer and worker that make
the same call. Starts a Redis and a simulator of its own; takes about twenty minutes.

  --only NAMES    some of ${SECTIONS.map(({ name }) => name).join(', ')}
  --rounds N      5: how often what is compared takes turns
  --quick         the smallest sizes: shows that the bench works, and no figure
  --json          one object on stdout
  --write FILE    puts the tables into a Markdown file, between its lines <!-- bench --> and <!-- /bench -->
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const { quick } = values
  const rounds = Number(values.rounds ?? (quick ? 1 : 5))
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1')
  const chosen = choose(values.only)
  const report: Report = { at: new Date().toISOString(), machine: thisMachine(), quick, rounds, sections: {} }
  for (const { name, title, run } of chosen) {
    process.stderr.write(`bench: ${title}\n`)
    report.sections[name] = await run({ quick, rounds })
  }
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : asText(chosen, report))
  if (values.write) putBetween(values.write, asMarkdown(chosen, report))
}

function choose(only: string | undefined): readonly Section[] {
  if (only === undefined) return SECTIONS
  const names = only.split(',')
  const unknown = names.filter((name) => !SECTIONS.some((section) => section.name === name))
  if (unknown.length > 0) throw new Error(`no section ${unknown.join(', ')}`)
  return SECTIONS.filter(({ name }) => names.includes(name))
}

function putBetween(file: string, markdown: string): void {
  const text = readFileSync(file, 'utf8')
  const between = /(<!-- bench -->\n)[\s\S]*(<!-- \/bench -->)/
  if (!between.test(text)) throw new Error(`${file} has no lines <!-- bench --> and <!-- /bench -->`)
  writeFileSync(
    file,
    text.replace(between, (_, begin, end) => `${begin}${markdown}${end}`),
  )
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 2
}
