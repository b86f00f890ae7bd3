/**
 * The circuits in the ledger: per repository and per workflow, shared by all workers. Opened by outcomes; here
 * they are handed to one prober at a time and settled by what it learns.
 */
import { KEY_PREFIX } from '../redis/connect.ts'
import { CIRCUIT_MAX_MS, type LedgerOptions } from './ledger.ts'
import { createScriptRunner } from './scripts.ts'

export interface DueCircuit {
  scope: string
  reason: string
  detail: string
  /** Number of its opening. */
  number: number
}

export type Verdict =
  /** Mended: everything flows. */
  | { kind: 'close' }
  /** Only a dispatch can tell: one goes as the probe. */
  | { kind: 'half_open' }
  | { kind: 'still_open'; detail: string }

/** `half_open`: the next promotion goes as the probe. */
export type Asked = { kind: 'asked'; number: number } | { kind: 'half_open' } | { kind: 'closed' }

export type Circuits = ReturnType<typeof createCircuits>

/** For how long a prober keeps a circuit to itself, ms. */
const LEASE_MS = 30_000

export function createCircuits({ redis, prefix = KEY_PREFIX, read }: LedgerOptions) {
  const run = createScriptRunner(redis, prefix, read)
  return {
    /** Takes a circuit for a probe: undefined if its pause is not over, somebody else has it, or it is closed. */
    async take(scope: string, options: { now?: boolean } = {}): Promise<DueCircuit | undefined> {
      const taken = (await run('probe-circuit', {
        scope,
        leaseMs: LEASE_MS,
        ...options,
      })) as Partial<DueCircuit>
      const { reason, detail, number } = taken
      return reason === undefined ? undefined : { scope, reason, detail: detail ?? '', number: number ?? 0 }
    },

    /** A person wants it probed now: a worker does so within seconds. */
    async ask(scope: string) {
      return (await run('ask-probe', { scope })) as Asked
    },

    async settle({ scope, number }: DueCircuit, verdict: Verdict) {
      const detail = verdict.kind === 'still_open' ? verdict.detail : ''
      const settled = await run('settle-circuit', {
        scope,
        number,
        verdict: verdict.kind,
        detail,
        firstMs: LEASE_MS,
        maxMs: CIRCUIT_MAX_MS,
      })
      return settled as { kind: 'closed' | 'half_open' | 'open' | 'stale' }
    },
  }
}
