/**
 * Is the promotion's id visible in the titles of a workflow's runs? Only a run that is known by its id can prove
 * it, and each such run proves it anew: a `run-name` may be taken out of the workflow again.
 */
import { KEY_PREFIX } from '../redis/connect.ts'
import type { LedgerOptions } from './ledger.ts'
import { createScriptRunner } from './scripts.ts'

const PROVEN_MS = 30 * 24 * 3_600_000

export type Correlation = ReturnType<typeof createCorrelation>

export function createCorrelation({ redis, prefix = KEY_PREFIX, read }: LedgerOptions) {
  const run = createScriptRunner(redis, prefix, read)
  return {
    /** @param scope owner/name/workflow */
    async proven(scope: string): Promise<boolean> {
      return (await redis.exists(`${prefix}:proven:${scope}`)) === 1
    },
    async learn(scope: string, { runId, shows }: { runId: string; shows: boolean }): Promise<void> {
      await run('learn', { scope, runId, shows, keepMs: PROVEN_MS })
    },
  }
}
