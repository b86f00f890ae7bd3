// `npm run bench`: how fast it is beside a plain BullMQ worker that makes the same call, and what it costs as it grows.
// Ends with 0 also where a target is missed, since a busy machine is no fault of the code; with 1 where a section breaks off.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { thisMachine } from './machine.ts'
import { asMarkdown, asText, type Report } from './report.ts'
import type { Result, Section } from './section.ts'
import { SECTIONS } from './sections.ts'

const HELP = `How fast promotion-relay is on this machine, beside the plain thing: a BullMQ producer and worker that make
the same call. Starts a Redis and a simulator of its own; takes about half an hour.

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
    report.sections[name] = await run({ quick, rounds }).catch(brokenOff)
  }
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : asText(chosen, report))
  if (values.write) putBetween(values.write, asMarkdown(chosen, report))
}

/** The others go on: a whole run takes half an hour. */
function brokenOff(error: unknown): Result {
  process.exitCode = 1
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  return { figures: {}, tables: [], targets: [], notes: [`Broke off: ${String(error)}`] }
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
