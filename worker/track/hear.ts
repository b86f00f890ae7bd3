/**
 * The story of one webhook: whose run is it, and what does it change? It is a hint, never the truth: a run's end, a
 * later attempt, and a run that nobody knew of are read at GitHub before they count. So one that is late, repeated, out
 * of order or made up undoes nothing. Whatever is missed here is found by the poll and by the resolver.
 */
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { Searching } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import type { RunEvent } from '../../shared/run-event.ts'
import type { Github, Repository, Run } from '../github/client.ts'
import { knownConclusion, type LookEnd } from './follow.ts'

export interface HearDeps {
  ledger: Pick<Ledger, 'adopt' | 'track' | 'rerun'>
  promotion(id: string): Promise<Promotion | undefined>
  /** Id of the promotion that a run belongs to, '' if it is nobody's. */
  ownerOf(runId: string): Promise<string>
  /** See `FindRunDeps`. */
  searching(): Promise<Searching[]>
  untold(): Promise<Searching[]>
  github: Pick<Github, 'getRun' | 'cancelRun'>
  repository: Repository
  workflow: string
  look(promotionId: string, known?: Run): Promise<LookEnd>
  /** Webhooks of the workflow arrive. */
  arrived(): Promise<void>
  follow(promotion: Promotion, job: number): Promise<void>
  log: Logger
}

/** `again`: it can't be told yet what it means. */
export type Heard = { kind: 'done'; note: string } | { kind: 'again'; note: string }

export function createHear(deps: HearDeps): (event: RunEvent) => Promise<Heard> {
  const { ledger, log } = deps

  return async (event) => {
    const isOwn = isOfOwnWorkflow(event)
    if (isOwn) await deps.arrived()
    const owner = await deps.ownerOf(event.runId)
    const known = owner === '' ? undefined : await deps.promotion(owner)
    if (known) return ofOwnRun(known, event)
    if (!isOwn) return done('a run of another workflow')
    for (const id of event.promotionIds) {
      const named = await deps.promotion(id)
      if (named) return ofNamedRun(named, event)
    }
    // Its dispatch may not have been answered yet, or been answered without the run's id.
    const untold = [...(await deps.untold()), ...(await deps.searching())]
    if (untold.length > 0) return again(`it may be the run of ${untold[0]?.id}`)
    // Asked last: its dispatch may have been answered between the two questions.
    const told = (await deps.ownerOf(event.runId)) !== ''
    return told ? again('it was told just now whose run it is') : done('a run that nobody here has started')
  }

  async function ofOwnRun(promotion: Promotion, event: RunEvent): Promise<Heard> {
    const { id, state, runId = event.runId } = promotion
    if (runId !== event.runId) return done(`not the run of ${id} that is followed`)
    // Known to be its own, and forgotten by a Redis that was set back.
    if (state === 'accepted' || state === 'dispatching') return adopt(promotion, event)
    if (state !== 'dispatched') {
      const isNew = event.over && event.runAttempt > promotion.runAttempt
      return isNew ? rerun(promotion, event) : done(`${id} is ${state}`)
    }
    // A later attempt outdates the end of the one that is followed: it is read, too.
    const isAgain = event.runAttempt > Math.max(1, promotion.runAttempt)
    if (event.over || isAgain) return endOf(await deps.look(id), event)
    if (event.status === '') return done('it tells no status')
    const { runAttempt, status, updatedAt } = event
    await ledger.track({
      id,
      runId,
      runUrl: promotion.runUrl ?? '',
      status,
      runAttempt,
      updatedAt,
      told: true,
    })
    return done(`run ${runId}: ${status}`)
  }

  async function ofNamedRun(promotion: Promotion, event: RunEvent): Promise<Heard> {
    const { id, state, runId, doubt } = promotion
    // Told just now.
    if (runId === event.runId) return ofOwnRun(promotion, event)
    if (state === 'dispatching' && !doubt) return again(`the dispatch of ${id} may still be answered`)
    if (state === 'accepted' || state === 'dispatching') return adopt(promotion, event)
    if (state === 'superseded') return stopLate(promotion, event)
    if (state !== 'dispatched' || runId) return done(`${id} is ${state}, and not by this run`)
    const run = await read(event, id)
    return 'kind' in run ? run : endOf(await deps.look(id, run), event)
  }

  /** GitHub shows its run, and its attempt has told nothing: never sent again, from here on. */
  async function adopt(promotion: Promotion, event: RunEvent): Promise<Heard> {
    const { id, scope } = promotion
    const run = await read(event, id, scope)
    if ('kind' in run) return run
    const adopted = await ledger.adopt({ id, runId: run.id, runUrl: run.htmlUrl })
    if (adopted.kind === 'early') return again(`the dispatch of ${id} may still be answered`)
    // By another webhook of the run, just now: this one may tell its end.
    if (adopted.kind === 'stale' && adopted.state === 'dispatched') return again(`${id} is dispatched`)
    if (adopted.kind === 'stale') return done(`${id} is ${adopted.state}`)
    log.info({ promotionId: id, runId: run.id }, 'A webhook has shown the run of a promotion')
    await deps.follow(promotion, adopted.job)
    return endOf(await deps.look(id, run), event)
  }

  /** A machine froze for minutes as it sent, say, and its promotion has given way since: an old version on its way. */
  async function stopLate(
    { id, model, version, environment, scope, supersededBy }: Promotion,
    event: RunEvent,
  ) {
    const run = await read(event, id, scope)
    if ('kind' in run) return run
    const line = { promotionId: id, model, version, environment, runId: run.id, supersededBy }
    if (run.status === 'completed') {
      log.error(
        { ...line, conclusion: run.conclusion },
        'The late run of a version that had given way has ended',
      )
      return done(`run ${run.id}: ${run.conclusion}`)
    }
    const asked = await deps.github.cancelRun(placeOf(scope), run.id)
    log.error({ ...line, asked }, 'A version that had given way was started late: its run is cancelled')
    return asked ? done(`run ${run.id} is cancelled`) : again(`run ${run.id} could not be cancelled`)
  }

  /** Somebody has started the run again after its end: what is live may be another version now. */
  async function rerun({ id, model, version, environment, scope }: Promotion, event: RunEvent) {
    const run = await read(event, id, scope)
    if ('kind' in run) return run
    const { id: runId, runAttempt, status, conclusion, updatedAt } = run
    if (status !== 'completed' || conclusion === '') return again(`run ${runId}: ${status}`)
    const success = conclusion === 'success'
    const end = { id, runId, runAttempt, success, conclusion: knownConclusion(run), updatedAt }
    const noted = await ledger.rerun(end)
    if (noted.kind === 'stale') return done('known already')
    const line = {
      promotionId: id,
      model,
      version,
      environment,
      runId,
      runAttempt,
      conclusion,
      instead: noted.live,
    }
    if (noted.live === undefined) log.warn(line, 'A run was started again by a person, and has ended')
    else log.error(line, 'A run that a person started again has put its version live: drift')
    return done(`run ${runId}, attempt ${runAttempt}: ${conclusion}`)
  }

  /** @returns the run, or what follows where it can't be taken for the promotion's. */
  async function read(event: RunEvent, id: string, scope?: string): Promise<Run | Heard> {
    const answer = await deps.github.getRun(placeOf(scope), event.runId)
    if (answer.kind === 'unavailable') return again(answer.message)
    if (answer.kind === 'gone') return again(`run ${event.runId} is not there (yet)`)
    const isIts = answer.run.displayTitle.includes(id) || (await deps.ownerOf(event.runId)) === id
    return isIts ? answer.run : done(`run ${event.runId} does not show ${id}`)
  }

  function placeOf(scope: string | undefined): Repository {
    const [owner = '', name = ''] = (scope ?? '').split('/')
    return scope === undefined ? deps.repository : { owner, name }
  }

  function isOfOwnWorkflow({ repository, workflows }: RunEvent): boolean {
    const { owner, name } = deps.repository
    if (repository.toLowerCase() !== `${owner}/${name}`.toLowerCase()) return false
    return workflows.length === 0 || workflows.includes(deps.workflow)
  }
}

/** GitHub may have told of an end that it does not show yet. */
function endOf(end: LookEnd, { over } = { over: true }): Heard {
  return over && end.kind === 'look-again' ? again(end.note) : done(end.note)
}

const done = (note: string): Heard => ({ kind: 'done', note })
const again = (note: string): Heard => ({ kind: 'again', note })
