/** `promotion-relay flush`: hands over what is spooled; with --watch again and again, as a small service beside CT. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Environment } from '../../shared/config.ts'
import { address, complain, EXIT, print, refuse, seconds, settingsOrExit } from '../command-line.ts'
import { findRelay } from './find-relay.ts'

interface FlushFlags {
  url?: string
  watch?: boolean
  every: number
  json?: boolean
}

export function addFlush(program: Command, environment: () => Environment): void {
  program
    .command('flush')
    .description('delivers the promotions that wait in SPOOL_DIR')
    .option(
      '--url <address>',
      "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
      address,
    )
    .option('--watch', 'go on delivering until it is ended')
    .option('--every <seconds>', 'with --watch: pause between two looks', seconds, 30)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Exit codes:
  0  nothing is left
  1  some of it will never be taken, and was put aside
  2  wrong input or settings
  3  the relay can't be reached, or does not take it now: what is left stays`,
    )
    .action(async (flags: FlushFlags) => {
      const directory = settingsOrExit(environment(), []).SPOOL_DIR
      if (directory === undefined)
        refuse(['SPOOL_DIR is missing: the directory with what is to be delivered'])
      for (;;) {
        const code = await flush(directory, flags, environment())
        if (!flags.watch) process.exit(code)
        await pause(flags.every * 1000)
      }
    })
}

async function flush(directory: string, flags: FlushFlags, env: Environment): Promise<number> {
  const { isFlushing } = await import('../../producer/with-spool.ts')
  const producer = await findRelay(env, flags.url)
  if (!isFlushing(producer)) throw new Error('a producer with a spool was asked for')
  try {
    const done = await producer.flush()
    const { delivered, refused, bad, left, reason } = done
    if (flags.json) print(JSON.stringify(done))
    else if (delivered > 0 || !flags.watch) print(`delivered ${delivered}, left ${left}`)
    for (const one of refused) complain(`${one.file} is refused for good, and put aside: ${one.reason}`)
    for (const file of bad) complain(`${file} is torn or nobody's, and put aside`)
    if (left > 0) complain(reason)
    if (left > 0) return EXIT.unreachable
    return refused.length + bad.length > 0 ? EXIT.ended : EXIT.done
  } catch (error) {
    complain(`${directory} can't be read (${(error as { code?: string }).code ?? 'unknown fault'})`)
    return EXIT.wrong
  } finally {
    await producer.close()
  }
}
