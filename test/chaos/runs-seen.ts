// The simulator's own log of runs: when each was created, and how each attempt of it has ended.
import type { Simulator } from '../github-simulator/simulator.ts'
import { payloadOf } from './letters.ts'
import type { RunSeen } from './verdict.ts'

export function runsSeen({ simulator }: { simulator: Simulator }): RunSeen[] {
  // Told of each, whoever was there to hear it; the run itself shows its newest attempt only.
  const told = simulator.deliveries.filter(({ action }) => action === 'completed')
  const ends = Map.groupBy(told, ({ runId }) => runId)
  return simulator.runs.map(({ id, inputs, createdAt, conclusion }) => ({
    id: String(id),
    promotionId: inputs.promotion_id ?? '',
    isRollback: inputs.trigger_source?.endsWith('_rollback') ?? false,
    createdAt,
    conclusion,
    ends: (ends.get(id) ?? []).map(({ runAttempt, body }) => {
      const { conclusion: how, updated_at } = payloadOf(body).workflow_run
      return { attempt: runAttempt, conclusion: how ?? '', at: Date.parse(updated_at) }
    }),
  }))
}
