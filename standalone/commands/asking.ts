/** What the commands that only look have in common: where they look, how they end, and how they show it. */
import { type Command, InvalidArgumentError } from 'commander'
import type { Answers } from '../../shared/ask.ts'
import type { Environment } from '../../shared/config.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import type { PromotionView } from '../../shared/views.ts'
import { address, complain, EXIT, print, refuse } from '../command-line.ts'
import { printable } from '../printable.ts'
import { findReader, type Got, type Query, type Reader } from '../reader.ts'
import { type Terminal, terminalOf } from '../terminal.ts'
import { whereabouts } from './find-relay.ts'

export interface AskFlags {
  url?: string
  json?: boolean
}

export function asking(command: Command): Command {
  return command
    .option(
      '--url <address>',
      "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
      address,
    )
    .option('--json', 'print it as JSON')
}

export const wholeNumber = (text: string) => {
  const value = Number(text)
  if (!(Number.isInteger(value) && value >= 1 && value <= 10_000))
    throw new InvalidArgumentError('A whole number from 1 to 10000 is needed.')
  return value
}

/** What was asked at once, or the end of the process with what to do. */
export interface Asker {
  ask<Name extends keyof Answers>(name: Name, query?: Query): Promise<Answers[Name]>
  promotion(id: string): Promise<PromotionView | undefined>
  /** By its id, or 8 and more characters of the beginning. */
  byId(text: string): Promise<PromotionView | undefined>
  terminal: Terminal
}

/** Asks, shows and ends the process with its exit code. */
export async function asked(
  env: Environment,
  flags: AskFlags,
  work: (asker: Asker) => Promise<number | undefined>,
): Promise<never> {
  const reader = await findReader(whereabouts(env, flags.url))
  const code = await work({ ...askerOf(reader), terminal: terminalOf(process.stdout) })
  await reader.close()
  // What was printed may still be on its way through a pipe.
  await new Promise<void>((written) => process.stdout.write('', () => written()))
  process.exit(code ?? EXIT.done)
}

export function askerOf(reader: Reader): Omit<Asker, 'terminal'> {
  const ask: Asker['ask'] = async (name, query) => gotten(await reader.ask(name, query))
  const promotion: Asker['promotion'] = async (id) => gotten(await reader.promotion(id.toLowerCase()))
  return {
    ask,
    promotion,
    async byId(text) {
      if (/^[0-9a-f-]{36}$/i.test(text)) return promotion(text)
      const found = await idsLike(ask, text)
      if (found.length > 1)
        refuse([
          `${printable(text)} is the beginning of several: ${found.join(', ')}`,
          'say more of the one that is meant',
        ])
      return found[0] === undefined ? undefined : promotion(found[0])
    },
  }
}

async function idsLike(ask: Asker['ask'], text: string): Promise<string[]> {
  if (!/^[0-9a-f-]{8,35}$/i.test(text)) return []
  const { promotions } = await ask('search', { text })
  return promotions.map(({ id }) => id).filter((id) => id.startsWith(text.toLowerCase()))
}

export function gotten<T>(got: Got<T>): T {
  switch (got.kind) {
    case 'answer':
      return got.value
    case 'invalid':
      refuse(problemsOf(got.problems))
      break
    case 'forbidden':
      refuse([got.text, 'RELAY_API_TOKEN must be a token of the relay with the scope read'])
      break
    case 'unavailable':
      complain(
        printable(got.text),
        'is the relay up, and is this the right address? It is safe to run this again',
      )
      process.exit(EXIT.unreachable)
      break
    default:
      got satisfies never
  }
  throw new Error('the process should have ended')
}

export function problemsOf(problems: readonly FieldProblem[]): string[] {
  return problems.map(({ field, problem }) =>
    ['id', 'scope', 'text', ''].includes(field) ? `${field} ${problem}`.trim() : `--${field} ${problem}`,
  )
}

const LONGEST_PAGE = 100

/** Page after page, until so many are there or no more are. */
export async function collect<T>(
  page: (query: Query) => Promise<{ items: readonly T[]; nextCursor?: string | undefined }>,
  most: number,
): Promise<{ items: T[]; nextCursor?: string }> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const got = await page({ limit: Math.min(LONGEST_PAGE, most - items.length), cursor })
    items.push(...got.items)
    cursor = got.nextCursor
  } while (cursor !== undefined && items.length < most)
  return { items, ...(cursor === undefined ? {} : { nextCursor: cursor }) }
}

export function printJson(document: unknown): void {
  print(JSON.stringify(document))
}

export function tellOfMore(nextCursor: string | undefined, most: number): void {
  if (nextCursor !== undefined) print(`there are more: --limit ${Math.min(10_000, most * 5)} shows them`)
}
