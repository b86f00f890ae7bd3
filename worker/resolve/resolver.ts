/**
 * The resolver: settles promotions in doubt, those whose attempt told nothing and those that a restart of Redis
 * makes doubtful. One at a time for a workflow, whichever worker it is: it lists the runs once and matches all.
 * Adopts a run that is there; says absent only after patience and several complete listings; hands to a person what
 * can't be told. Never sends anything.
 */
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { Doubtful } from '../../shared/ledger/read.ts'
import type { Resolved, Wake } from '../../shared/ledger/steps.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Backoff, backoffMs } from '../dispatch/backoff.ts'
import type { Github, Repository } from '../github/client.ts'
import { CLOCK_MARGIN_MS, lookFor } from './match.ts'

export interface ResolverDeps {
  ledger: Pick<Ledger, 'resolve'>
  /** owner/name/workflow */
  scope: string
  repository: Repository
  workflow: string
  /** Promotions in doubt, oldest first. */
  inDoubt(scope: string): Promise<Doubtful[]>
  proven(scope: string): Promise<boolean>
  owners(runIds: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** True for one worker at a time; ends by itself. */
  lease(scope: string): Promise<boolean>
  github: Pick<Github, 'listRuns'>
  follow(promotion: Promotion, job: number): Promise<void>
  bury(promotionId: string, deadLetter: number): Promise<void>
  wake(next: Wake): Promise<void>
  log: Logger
  /** From an intent until its run could be created at the latest (send deadline, limit of the POST), ms. */
  sendMs: number
  patienceMs: number
  maxAttempts: number
  backoff: Backoff
  random(): number
}

/** Complete listings without the run, after patience, until it counts as absent. */
export const LOOKS_NEEDED = 3

export function createResolver(deps: ResolverDeps): () => Promise<void> {
  const { ledger, log, scope, repository, workflow } = deps

  return async () => {
    const doubtful = await deps.inDoubt(scope)
    if (doubtful.length === 0 || !(await deps.lease(scope))) return
    const since = Math.min(...doubtful.map((one) => one.since))
    const list = await deps.github.listRuns(repository, workflow, since - CLOCK_MARGIN_MS * 2)
    if (list.kind === 'unavailable') {
      log.warn(
        { scope, inDoubt: doubtful.length, reason: list.message },
        'Runs can not be listed: promotions stay in doubt',
      )
      return
    }
    const { runs, complete } = list
    const listing = {
      runs,
      proven: await deps.proven(scope),
      owners: await deps.owners(runs.map((run) => run.id)),
    }
    for (const one of doubtful) {
      const until = (one.why === 'epoch' ? one.doubtSince : one.since) + deps.sendMs
      const proven = listing.proven && !one.unnamed
      const look = lookFor({ id: one.promotion.id, from: one.since, until }, { ...listing, proven })
      // A listing that was cut off shows what is there, and nothing of what is not.
      if (look.kind === 'not_listed' && !complete) continue
      await settle(one, look)
    }
  }

  async function settle({ promotion, looks, spent }: Doubtful, look: ReturnType<typeof lookFor>) {
    const { id, attempts } = promotion
    const resolved = await ledger.resolve({
      id,
      attempt: attempts,
      look,
      looks,
      certainAfterMs: deps.sendMs + deps.patienceMs,
      looksNeeded: LOOKS_NEEDED,
      delayMs: backoffMs(deps.backoff, spent + 1, deps.random),
      maxAttempts: deps.maxAttempts,
    })
    tell(promotion, resolved)
    if (resolved.kind === 'track') await deps.follow(promotion, resolved.job)
    if (resolved.kind === 'again') await deps.wake({ id, job: resolved.job })
    if ('deadLetter' in resolved) await deps.bury(id, resolved.deadLetter)
    if ('wake' in resolved && resolved.wake) await deps.wake(resolved.wake)
  }

  function tell(
    { id: promotionId, model, version, environment, attempts: attempt }: Promotion,
    { kind }: Resolved,
  ) {
    if (kind === 'patience' || kind === 'stale') return
    const line = { promotionId, model, version, environment, attempt, resolved: kind }
    if (kind === 'unresolved' || kind === 'dead_letter') {
      log.error(line, 'CD pipeline was not triggered. Manual deployment may be required.')
    } else log.info(line, 'A promotion in doubt is resolved')
  }
}
