/** The route of every target, from the settings: which repository and workflow serve it, and at what pace. */
import type { Settings } from '../shared/config.ts'
import type { Route } from './dispatch/handle.ts'
import type { Pauses } from './pauses.ts'

export function routeFrom(settings: Settings, pauses: Pauses): Route {
  const owner = { owner: settings.GITHUB_REPO_OWNER ?? '', name: settings.GITHUB_REPO_NAME ?? '' }
  return {
    owner,
    repository: `${owner.owner}/${owner.name}`,
    workflow: settings.CD_WORKFLOW_NAME,
    ref: settings.CD_WORKFLOW_REF,
    enabled: settings.ENABLE_CD_TRIGGER,
    maxAttempts: settings.DISPATCH_MAX_ATTEMPTS,
    backoff: {
      baseMs: settings.DISPATCH_BACKOFF_BASE_SECONDS * 1000,
      maxMs: settings.DISPATCH_BACKOFF_MAX_SECONDS * 1000,
    },
    slotMs: 1000 / settings.DISPATCH_RATE_PER_SECOND,
    circuitPauseMs: pauses.circuitPauseMs,
    faultPauseMs: pauses.faultPauseMs,
    uncertainMs: pauses.uncertainMs,
    recheckMs: pauses.recheckMs,
  }
}
