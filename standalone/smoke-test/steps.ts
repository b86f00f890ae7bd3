/** What of a smoke test's way is behind it: each step with its time, read from its timeline. */
import type { Promotion, TimelineEntry } from '../../shared/ledger/promotion-record.ts'
import type { SmokeTestSent } from '../../shared/smoke-test.ts'

export interface Step {
  name: string
  ok: boolean
  /** Since the step before. */
  tookMs: number
  detail: string
}

export type Seen = { promotion: Pick<Promotion, 'state' | 'runUrl'>; timeline: readonly TimelineEntry[] }

/** Put in, before a worker has seen it. */
export function firstSteps({ acceptMs, queueMs }: SmokeTestSent): Step[] {
  return [
    { name: 'accepted into the ledger', ok: true, tookMs: acceptMs, detail: '' },
    { name: 'put into the queue', ok: true, tookMs: queueMs, detail: '' },
  ]
}

/** By the ledger's own times, oldest first. @param queueMs of the time since it was accepted, told by a step before */
export function stepsIn({ timeline }: Seen, queueMs = 0): Step[] {
  const steps: Step[] = []
  let before = (timeline[0]?.at ?? 0) + queueMs
  const add = (entry: TimelineEntry, name: string, ok: boolean, detail: string) => {
    steps.push({ name, ok, tookMs: Math.max(0, entry.at - before), detail })
    before = entry.at
  }
  for (const entry of timeline) {
    const text = (name: string) => String(entry[name] ?? '')
    const takenBy = text('worker')
    switch (entry.what) {
      case 'skipped':
        if (takenBy !== '') add(entry, 'taken by a worker', true, takenBy)
        break
      case 'dispatching':
        add(
          entry,
          Number(entry.attempt) > 1 ? `taken again, attempt ${text('attempt')}` : 'taken by a worker',
          true,
          takenBy,
        )
        break
      case 'outcome':
        add(
          entry,
          'call to GitHub',
          entry.outcome === 'dispatched' || entry.outcome === 'adjusted',
          text('detail'),
        )
        break
      case 'dispatched':
      case 'found':
        if (text('runId') !== '') add(entry, 'run named', true, `run ${text('runId')}`)
        break
      case 'run':
        if (!steps.some(({ name }) => name === 'run named'))
          add(entry, 'run named', true, `run ${text('runId')}`)
        if (entry.status === 'in_progress') add(entry, 'run started', true, '')
        break
      case 'deployed':
        add(entry, 'run ended', true, 'success')
        break
      case 'failed':
      case 'cancelled':
      case 'timed_out':
        add(entry, 'run ended', false, text('conclusion').replaceAll('_', ' '))
        break
      default:
    }
  }
  return steps
}

/** Known to have started a run, and which. */
export function isNamed(seen: Seen): boolean {
  return stepsIn(seen).some(({ name }) => name === 'run named')
}
