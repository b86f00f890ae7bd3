/** What would happen next at a target, in one sentence: the question of whoever asks why a model is not live yet. */
import type { PromotionView, TargetView } from './views.ts'

export interface TargetSeen {
  target: TargetView
  inFlight?: PromotionView | undefined
  pending?: PromotionView | undefined
  /** The one that was promoted to it last. */
  newest?: PromotionView | undefined
}

export function whatNext({ target, inFlight, pending, newest }: TargetSeen): string {
  const { hold } = target
  if (pending && hold?.kind === 'person' && hold.passes !== pending.id)
    return `version ${pending.version} goes once the target is released`
  if (pending && inFlight)
    return inFlight.state === 'unresolved'
      ? `version ${pending.version} goes once somebody has said what became of version ${inFlight.version}`
      : `version ${pending.version} goes once version ${inFlight.version} has ended`
  if (pending) return `version ${pending.version} goes next: ${pending.reason}`
  if (inFlight?.state === 'unresolved')
    return `nothing, until somebody has said what became of version ${inFlight.version}`
  if (inFlight) return `version ${inFlight.version} is live once its run has succeeded`
  if (newest?.state === 'dead_lettered')
    return `nothing, until somebody redrives version ${newest.version}, or a newer one is promoted`
  if (hold?.kind === 'person') return 'nothing: what is promoted waits until the target is released'
  if (hold)
    return `the next promotion goes at once, but for ${listOf(hold.versions)}, which was rolled back from`
  return 'the next promotion goes at once'
}

function listOf(versions: readonly string[] | undefined): string {
  return `version ${(versions ?? []).join(', ')}`
}
