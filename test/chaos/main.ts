// `npm run chaos`: see options.ts. Ends with 0 if nothing was lost, doubled, stale or stuck, with 1 otherwise; when it
// is interrupted, or takes far too long, its processes end with it.
import { runChaos } from './chaos.ts'
import { chaosOptions, HELP } from './options.ts'
import { tableOf } from './report.ts'

/** Beyond its seconds of faults: the ways to the end, generously. */
const LONGEST_BESIDES_MS = 15 * 60_000

async function main(): Promise<number> {
  const options = chaosOptions(process.argv.slice(2))
  if (!options) {
    process.stdout.write(HELP)
    return 0
  }
  const limitMs = options.seconds * 2_000 + LONGEST_BESIDES_MS
  setTimeout(() => {
    process.stderr.write(`chaos: not over after ${limitMs / 1000} s, given up\n`)
    process.exit(1)
  }, limitMs).unref()
  const result = await runChaos(options)
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : tableOf(result))
  return result.passed ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 2
}
