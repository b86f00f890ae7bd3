/**
 * The decision table: an outcome and the promotion's history in, the next step out. Pure; nothing is read or
 * written here. Only what is wrong with the promotion itself spends it: a fault of the repository or of the
 * workflow opens a circuit and makes it wait, without an attempt being counted.
 */
import type { Next } from '../../shared/ledger/steps.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import type { Outcome } from './outcome.ts'

export interface History {
  /** Attempts that counted before this one. */
  spent: number
}

export interface Policy {
  maxAttempts: number
  backoff: Backoff
  /** First pause of a circuit, ms; it doubles with each further failure. */
  circuitPauseMs: number
  /** owner/name */
  repository: string
  workflow: string
}

export function decide(outcome: Outcome, { spent }: History, policy: Policy, random: () => number): Next {
  const { repository, workflow, circuitPauseMs } = policy
  const behindCircuit = (scope: string, reason: string, waitMs?: number): Next => ({
    kind: 'again',
    delayMs: 0,
    spend: false,
    circuit: { scope, reason, waitMs: waitMs ?? circuitPauseMs, untilReset: waitMs !== undefined },
  })

  switch (outcome.kind) {
    case 'dispatched': {
      const { runId, runUrl } = outcome
      return { kind: 'track', ...(runId ? { runId } : {}), ...(runUrl ? { runUrl } : {}) }
    }
    case 'adjusted':
      return { kind: 'again', delayMs: 0, spend: false }
    case 'rejected':
      return { kind: 'dead_letter', exhausted: false }
    case 'workflow_fault':
      return behindCircuit(`${repository}/${workflow}`, outcome.reason)
    case 'repository_fault':
      return behindCircuit(repository, outcome.reason)
    case 'throttled':
      return behindCircuit(repository, 'throttled', outcome.waitMs)
    case 'transient': {
      // A slow or lonely process of ours is no fault of the promotion.
      if (outcome.ours)
        return { kind: 'again', delayMs: backoffMs(policy.backoff, spent + 1, random), spend: false }
      if (spent + 1 >= policy.maxAttempts) return { kind: 'dead_letter', exhausted: true }
      return { kind: 'again', delayMs: backoffMs(policy.backoff, spent + 1, random), spend: true }
    }
    case 'unknown':
      return { kind: 'unknown' }
    default:
      return outcome satisfies never
  }
}
