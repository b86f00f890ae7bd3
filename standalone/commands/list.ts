/** `promotion-relay list` and `targets`: what was promoted, and what is live, as tables that fit the terminal. */
import type { Command } from 'commander'
import type { Environment } from '../../shared/config.ts'
import { EXIT, print } from '../command-line.ts'
import { promotionColumns, targetColumns } from '../promotion-columns.ts'
import type { Query } from '../reader.ts'
import { tableOf } from '../terminal.ts'
import { type AskFlags, asked, asking, collect, printJson, tellOfMore, wholeNumber } from './asking.ts'

interface ListFlags extends AskFlags {
  limit: number
  model?: string
  environment?: string
  state?: string
  version?: string
}

const USUAL = 20

export function addList(program: Command, environment: () => Environment): void {
  asking(program.command('list').description('lists promotions, the newest first'))
    .option('--model <name>', 'of this model')
    .option('--environment <name>', 'of this environment')
    .option('--state <state>', 'in this state, such as accepted or deployed')
    .option('--version <version>', 'of this version')
    .option('--limit <number>', 'so many at the most', wholeNumber, USUAL)
    .action((flags: ListFlags) =>
      asked(environment(), flags, async ({ ask, terminal }) => {
        const { limit, url: _url, json, ...filter } = flags
        const { items, nextCursor } = await collect(async (page) => {
          const { promotions, ...rest } = await ask('promotions', { ...filter, ...page } as Query)
          return { items: promotions, ...rest }
        }, limit)
        if (json) printJson({ promotions: items, nextCursor })
        else if (items.length === 0) print('no such promotions')
        else {
          for (const line of tableOf(items, promotionColumns(terminal, Date.now()), terminal)) print(line)
          tellOfMore(nextCursor, limit)
        }
        return EXIT.done
      }),
    )

  asking(program.command('targets').description('lists targets: what is live, and what goes on'))
    .option('--model <name>', 'of this model')
    .option('--limit <number>', 'so many at the most', wholeNumber, USUAL)
    .action((flags: ListFlags) =>
      asked(environment(), flags, async ({ ask, terminal }) => {
        const { limit, model, json } = flags
        const { items, nextCursor } = await collect(async (page) => {
          const { targets, ...rest } = await ask('targets', { model, ...page })
          return { items: targets, ...rest }
        }, limit)
        if (json) printJson({ targets: items, nextCursor })
        else if (items.length === 0) print('no such targets')
        else {
          for (const line of tableOf(items, targetColumns(Date.now()), terminal)) print(line)
          tellOfMore(nextCursor, limit)
        }
        return EXIT.done
      }),
    )
}
