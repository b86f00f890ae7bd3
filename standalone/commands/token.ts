/** `promotion-relay token new`: makes a token of the API, which the relay keeps as its digest alone. */
import { type Command, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import { newToken, type Scope, scopesSchema, tokenNameSchema } from '../../shared/api-tokens.ts'
import { EXIT, print } from '../command-line.ts'

interface NewTokenFlags {
  name: string
  scope: Scope[]
  json?: boolean
}

export function addToken(program: Command): void {
  program
    .command('token')
    .description('tokens of the API')
    .command('new')
    .description('makes a token: shows it this once, and its line for RELAY_API_TOKENS_FILE')
    .requiredOption('--name <name>', 'shown in timelines and log lines', by(tokenNameSchema))
    .requiredOption(
      '--scope <scopes>',
      'of promote, read, operate, with a comma between them',
      by(scopesSchema),
    )
    .option('--json', 'print both as JSON')
    .action(({ name, scope, json }: NewTokenFlags) => {
      const { token, line } = newToken(name, scope)
      if (json) print(JSON.stringify({ token, line }))
      else {
        print('The token, shown this once:')
        print(`  ${token}`)
        print('Its line for the file that RELAY_API_TOKENS_FILE names:')
        print(`  ${line}`)
      }
      process.exit(EXIT.done)
    })
}

function by<S extends z.ZodType>(schema: S): (text: string) => z.output<S> {
  return (text) => {
    const parsed = schema.safeParse(text)
    if (!parsed.success) throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`)
    return parsed.data
  }
}
