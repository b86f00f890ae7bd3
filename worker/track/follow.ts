/**
 * The story of one look at a run: find it if the dispatch did not name it, ask for its state, note what changed,
 * finish when it has completed. Holds no worker slot while CD runs: it only says when to look again. Words that
 * GitHub may add are not final.
 */
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { Searching } from '../../shared/ledger/read.ts'
import { rollbackIdOf } from '../../shared/ledger/rollback-id.ts'
import type { RunEnd, Wake } from '../../shared/ledger/steps.ts'
import type { Logger } from '../../shared/logger.ts'
import { traceIdIn } from '../../shared/trace-context.ts'
import type { Tracing } from '../../shared/tracing.ts'
import type { Github, Repository, Run } from '../github/client.ts'
import { findRun } from './find-run.ts'

export interface FollowDeps {
  ledger: Pick<Ledger, 'track' | 'finish'>
  promotion(id: string): Promise<Promotion | undefined>
  /** Id of the promotion that a run belongs to, '' if it is nobody's. */
  ownerOf(runId: string): Promise<string>
  /** See `FindRunDeps`. */
  searching(): Promise<Searching[]>
  untold(): Promise<Searching[]>
  github: Pick<Github, 'getRun' | 'listRuns' | 'cancelRun' | 'repositoryState'>
  repository: Repository
  workflow: string
  /** Whether a run that is known by its id shows the promotion's id. */
  learnCorrelation(seen: { runId: string; shows: boolean }): Promise<void>
  /** From dispatch to the request to cancel the run, ms; time spent waiting for approval left out. */
  timeLimitMs: number
  /** A newer promotion that waits for the place of this one, and could go; undefined to let a run wait. */
  newer?(promotion: Promotion): Promise<Promotion | undefined>
  /** A deployment that fails has the version that was live deployed again. */
  rollBack?: boolean
  /** Time spent waiting for an approval is left out of the latency. */
  withoutApproval?: boolean
  wake(next: Wake): Promise<void>
  observe(ended: Times & { conclusion: string }): void
  tracing?: Pick<Tracing, 'deployment'> | undefined
  log: Logger
  now(): number
}

interface Times {
  sinceAcceptedMs: number
  /** Of a run that was seen running: from its dispatch until then, and from then to its end. */
  toStartMs?: number
  ranMs?: number
}

export type LookEnd = { kind: 'complete'; note: string } | { kind: 'look-again'; note: string }

/** @returns one look; `known` is the run where somebody has just asked GitHub for it. */
export function createFollow(deps: FollowDeps): (promotionId: string, known?: Run) => Promise<LookEnd> {
  const { ledger, github, log } = deps
  const ownScope = scopeOf(deps.repository, deps.workflow)

  return async (id, known) => {
    const promotion = await deps.promotion(id)
    if (promotion?.state !== 'dispatched') {
      return { kind: 'complete', note: `nothing to follow: ${promotion?.state ?? 'unknown'}` }
    }
    const isIts = known !== undefined && (promotion.runId ?? known.id) === known.id
    const seen = isIts ? known : await look(promotion)
    if (seen === 'deleted') return finish(promotion, deletedRun(promotion))
    if (typeof seen === 'string') return { kind: 'look-again', note: seen }
    // Its title proves whether runs of this workflow can be found by the promotion's id.
    if (isOwn(promotion))
      await deps.learnCorrelation({ runId: seen.id, shows: seen.displayTitle.includes(id) })
    const state = stateFor(seen)
    // The end says it all, but for whose run it is and how long it has waited for an approval.
    if (!state || promotion.runId === undefined || promotion.runStatus === 'waiting') {
      await ledger.track({
        id,
        runId: seen.id,
        runUrl: seen.htmlUrl,
        status: seen.status,
        runAttempt: seen.runAttempt,
        updatedAt: seen.updatedAt,
      })
    }
    if (!state) {
      if (seen.status === 'waiting') await giveWay(promotion, seen)
      else await enforceTimeLimit(promotion, seen)
      return { kind: 'look-again', note: `run ${seen.id}: ${seen.status}` }
    }
    return finish(promotion, {
      id,
      runId: seen.id,
      runUrl: seen.htmlUrl,
      runAttempt: seen.runAttempt,
      conclusion: knownConclusion(seen),
      state: state === 'cancelled' && pastLimit(promotion) ? 'timed_out' : state,
      updatedAt: seen.updatedAt,
    })
  }

  async function finish(promotion: Promotion, end: RunEnd): Promise<LookEnd> {
    const rollsBack = deps.rollBack && hasLeftItBroken(end)
    const finished = await ledger.finish({ ...end, ...(rollsBack && { rollbackId: rollbackIdOf(end.id) }) })
    if (finished.finished) {
      const left = deps.withoutApproval ? (finished.waitedMs ?? 0) : 0
      if (!promotion.test) observe(end, { ...finished, sinceAcceptedMs: finished.sinceAcceptedMs - left })
      tell(promotion, end, finished)
      trace(promotion, end, finished)
    }
    if (finished.wake) await deps.wake(finished.wake)
    if (!finished.finished && finished.state === 'dispatched')
      return { kind: 'look-again', note: `run ${end.runId}: not the end of its newest attempt` }
    return { kind: 'complete', note: `run ${end.runId}: ${end.conclusion}` }
  }

  async function look(promotion: Promotion): Promise<Run | 'deleted' | string> {
    const repository = repositoryOf(promotion)
    if (!promotion.runId) {
      return isOwn(promotion)
        ? findRun(deps, promotion)
        : `its run is one of ${promotion.scope}, which this relay no longer dispatches to`
    }
    const answer = await github.getRun(repository, promotion.runId)
    if (answer.kind === 'run') return answer.run
    if (answer.kind === 'unavailable') return answer.message
    // Just started, a run may not be there yet. Later, in a repository that we can read, it was deleted: GitHub
    // deletes only runs that have completed.
    const age = deps.now() - (promotion.dispatchedAt ?? deps.now())
    if (age > DELETED_AFTER_MS && (await github.repositoryState(repository)).ok) return 'deleted'
    return `run ${promotion.runId} is not there (yet)`
  }

  /** A time limit never frees a target: the run is cancelled, and its end awaited. */
  async function enforceTimeLimit(promotion: Promotion, run: Run) {
    if (!pastLimit(promotion)) return
    const asked = await github.cancelRun(repositoryOf(promotion), run.id)
    log.warn(
      { promotionId: promotion.id, runId: run.id, asked },
      'The run is past its time limit: cancelling it',
    )
  }

  /** What nobody has approved yet would only keep a newer version from its turn. */
  async function giveWay(promotion: Promotion, run: Run) {
    const newer = await deps.newer?.(promotion)
    if (!newer) return
    const asked = await github.cancelRun(repositoryOf(promotion), run.id)
    log.warn(
      { promotionId: promotion.id, runId: run.id, asked, newer: newer.id, newerVersion: newer.version },
      'The run waits for an approval, and a newer version for its place: cancelling it',
    )
  }

  // The settings may name another repository by now: its runs go on where they were started.
  function isOwn({ scope }: Promotion): boolean {
    return scope === undefined || scope === ownScope
  }

  function repositoryOf(promotion: Promotion): Repository {
    if (isOwn(promotion)) return deps.repository
    const [owner = '', name = ''] = (promotion.scope ?? '').split('/')
    return { owner, name }
  }

  function pastLimit(promotion: Promotion): boolean {
    const { dispatchedAt = deps.now(), waitedMs } = promotion
    return deps.now() - dispatchedAt - waitedMs > deps.timeLimitMs
  }

  function observe({ conclusion }: RunEnd, { sinceAcceptedMs, toStartMs, ranMs }: Times) {
    const ran = toStartMs === undefined || ranMs === undefined ? {} : { toStartMs, ranMs }
    deps.observe({ conclusion, sinceAcceptedMs, ...ran })
  }

  function trace(
    promotion: Promotion,
    end: RunEnd,
    { sinceAcceptedMs, toStartMs, waitedMs = 0 }: Times & { waitedMs?: number },
  ) {
    const endedAt = promotion.acceptedAt + sinceAcceptedMs
    const dispatchedAt = promotion.dispatchedAt ?? endedAt
    const startedAt = toStartMs === undefined ? undefined : dispatchedAt + toStartMs
    deps.tracing?.deployment({ promotion, end, dispatchedAt, startedAt, endedAt, waitedMs })
  }

  function tell(
    promotion: Promotion,
    end: RunEnd,
    { sinceAcceptedMs, wake, rollback }: Awaited<ReturnType<Ledger['finish']>>,
  ) {
    const { id: promotionId, model, version, environment } = promotion
    const { state, conclusion, runId, runUrl } = end
    const line = {
      promotionId,
      model,
      version,
      environment,
      state,
      conclusion,
      runId,
      runUrl,
      sinceAcceptedMs,
      ...(rollback && { rollback: rollback.id, putBack: rollback.version }),
      traceId: traceIdIn(promotion),
    }
    if (state === 'deployed') log.info(line, 'The version is live')
    else if (state === 'cancelled' && wake) log.warn(line, 'The run was cancelled, and a newer version goes')
    else if (state === 'cancelled')
      log.error(line, 'The run was cancelled, and no newer version takes its place')
    else if (rollback) log.error(line, 'The deployment did not succeed: what was live is deployed again')
    else log.error(line, 'The deployment did not succeed')
  }
}

function scopeOf({ owner, name }: Repository, workflow: string): string {
  return `${owner}/${name}/${workflow}`
}

/** A run that is not there for this long after its dispatch was deleted, ms. */
const DELETED_AFTER_MS = 10 * 60_000

function deletedRun({ id, runId = '', runUrl = '', runAttempt }: Promotion): RunEnd {
  return { id, runId, runUrl, runAttempt: Math.max(1, runAttempt), state: 'failed', conclusion: 'deleted' }
}

/** Of these nothing was carried out, or nobody knows how it ended: what was live is not deployed again for them. */
const NOT_CARRIED_OUT: readonly string[] = ['startup_failure', 'action_required', 'stale', 'deleted']

function hasLeftItBroken({ state, conclusion }: RunEnd): boolean {
  return (state === 'failed' || state === 'timed_out') && !NOT_CARRIED_OUT.includes(conclusion)
}

/** GitHub's words; others are counted as one, so that labels stay few. */
const CONCLUSIONS: readonly string[] = [
  'success',
  'failure',
  'neutral',
  'cancelled',
  'skipped',
  'timed_out',
  'action_required',
  'stale',
  'startup_failure',
]

export function knownConclusion({ conclusion }: Run): string {
  return CONCLUSIONS.includes(conclusion) ? conclusion : 'other'
}

/** undefined while the run has not ended; a conclusion we don't know is a failure once GitHub says completed. */
function stateFor(run: Run): RunEnd['state'] | undefined {
  if (run.status !== 'completed' || run.conclusion === '') return undefined
  switch (run.conclusion) {
    case 'success':
      return 'deployed'
    case 'cancelled':
    case 'skipped':
      return 'cancelled'
    case 'timed_out':
      return 'timed_out'
    default:
      return 'failed'
  }
}
