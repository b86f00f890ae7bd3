/**
 * A promotion's state and each step of its timeline in one plain sentence: the same words in the API, on the
 * command line and on pages.
 */
import type { Promotion, TimelineEntry, Wait } from './ledger/promotion-record.ts'

export function explain(promotion: Promotion): string {
  const { state, reason, wait, runStatus, conclusion, supersededBy, runId } = promotion
  switch (state) {
    case 'accepted':
      if (wait) return waitWords(wait.code, wait.detail)
      return reason === '' ? 'recorded, waiting for its turn' : `to be tried again: ${reason}`
    case 'dispatching':
      return wait ? waitWords(wait.code, wait.detail) : 'being sent to GitHub'
    case 'dispatched':
      return runId === undefined
        ? 'GitHub took it; its run is being looked for'
        : `its run is ${words(runStatus)}`
    case 'unresolved':
      return `a run may have been started, nobody knows: ${reason}`
    case 'dead_lettered':
      return `nothing was started: ${reason}`
    case 'deployed':
      return 'live'
    case 'failed':
    case 'cancelled':
    case 'timed_out':
      return promotion.rolledBackBy === undefined
        ? `its run ended: ${words(conclusion)}`
        : `its run ended: ${words(conclusion)}; what was live before is deployed again (${promotion.rolledBackBy})`
    case 'superseded':
      return `a newer version was accepted before it was sent (${supersededBy ?? 'unknown'})`
    case 'skipped':
      return reason
    default:
      return state satisfies never
  }
}

function waitWords(code: Wait['code'], detail: string): string {
  switch (code) {
    case 'held':
      return `waiting: its target is held (${detail})`
    case 'in_flight':
      return `waiting: version ${detail} of the same target is on its way`
    case 'back_off':
      return `waiting to be tried again: ${detail}`
    case 'circuit':
      return `waiting until it is mended: ${detail}`
    case 'rate':
      return 'waiting for its place in the rate budget'
    case 'earlier_attempt':
      return 'waiting: an earlier attempt may still be under way'
    case 'resolving':
      return 'nobody knows yet whether it was started: its run is looked for'
    case 'resolving_other':
      return 'waiting: the outcome of another promotion of the same workflow is unknown'
    default:
      return code satisfies never
  }
}

/** One timeline entry as a sentence. */
export function sentenceOf(entry: TimelineEntry): string {
  const text = (name: string) => String(entry[name] ?? '')
  switch (entry.what) {
    case 'accepted': {
      const asked = text('by') === '' ? 'accepted' : `accepted (${byWhom(entry)})`
      return text('live') === ''
        ? `${asked}, the first of its target`
        : `${asked}; version ${text('live')} is live`
    }
    case 'rolled_back':
      return `version ${text('version')} is deployed again (${text('id')})`
    case 'held':
      return `its target is held (${byWhom(entry)})`
    case 'released':
      return `its target is released (${byWhom(entry)})`
    case 'waiting':
      return waitWords(entry.code as Wait['code'], text('detail'))
    case 'dispatching':
      return `attempt ${text('attempt')}: intent recorded`
    case 'outcome':
      return `attempt ${text('attempt')}: ${words(text('outcome'))}, ${text('detail')}`
    case 'dispatched':
      return text('runId') === ''
        ? 'dispatched; its run is being looked for'
        : `dispatched as run ${text('runId')}`
    case 'run':
      return `run ${text('runId')} is ${words(text('status'))}`
    case 'deployed':
      return 'deployed: this version is live'
    case 'failed':
    case 'cancelled':
    case 'timed_out':
      return `its run ended: ${words(text('conclusion'))}`
    case 'superseded':
      return `superseded by ${text('by')}`
    case 'skipped':
      return `skipped: ${text('reason')}`
    case 'dead_lettered':
      return `dead-lettered: ${text('reason')}`
    case 'unresolved':
      return `unresolved: ${text('reason')}`
    case 'in_doubt':
      return entry.why === 'epoch'
        ? 'Redis was restarted: before it is sent, its run is looked for'
        : `attempt ${text('attempt')}: outcome unknown, its run is looked for`
    case 'found':
      return `found: run ${text('runId')}`
    case 'absent':
      return 'there is no run of it: nothing was started'
    case 'rerun':
      return `a person started run ${text('runId')} again: attempt ${text('attempt')} ended, ${words(text('conclusion'))}`
    case 'redriven':
      return `redriven (${text('by')})`
    case 'resolved':
      return `resolved (${byWhom(entry)}): ${text('runId') === '' ? 'there is no run' : `run ${text('runId')}`}`
    default:
      return words(entry.what)
  }
}

function byWhom({ by, why }: TimelineEntry): string {
  return [by, why].filter(Boolean).join(': ')
}

function words(name: string | undefined): string {
  return (name ?? 'unknown').replaceAll('_', ' ')
}
