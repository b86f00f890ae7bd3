/**
 * The whole story of a promotion's turn: claim, send, read the answer, decide, record, and say what comes next.
 * No I/O library in here. Guarantees: the intent is in the ledger before anything is sent; every attempt's end is
 * recorded there or stays visible as unknown; nothing is ever sent again on a guess. The ledger alone counts
 * attempts; a job only completes or waits.
 *
 *   claim ─► done ─────────────────────────────────────────────────► complete
 *     ├────► wait (held, in flight, backing off, circuit, rate) ───► wait
 *     ├────► dead letter (ten claims, and never an outcome) ───────► bury, complete
 *     └────► go ─► dispatch ─► outcome ─► decide ─► record
 *                     ├─► track ────────► follow the run, complete
 *                     ├─► again ────────► wait
 *                     ├─► superseded ───► wake the newer one, complete
 *                     ├─► dead letter ──► bury, wake the next one, complete
 *                     └─► resolving ────► wait (in doubt: the resolver looks for the run)
 */
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { AttemptEnd, CircuitChange, Claim, Go, Recorded, Wake } from '../../shared/ledger/steps.ts'
import type { Logger } from '../../shared/logger.ts'
import { traceIdIn } from '../../shared/trace-context.ts'
import type { Tracing } from '../../shared/tracing.ts'
import type { DispatchAnswer, DispatchCall, Repository } from '../github/client.ts'
import { createDeadline } from '../github/deadline.ts'
import { decide, type Policy } from './decide.ts'
import { adjustmentsFrom, fieldsToRemember, inputsFor, sentWith } from './inputs.ts'
import { type Outcome, outcomeOf } from './outcome.ts'

/** Time from before the claim until the request is written, ms; past it nothing is sent. */
export const SEND_DEADLINE_MS = 5_000
/** Claims of one promotion in a row without an outcome, until it is a dead letter. */
const MAX_CLAIMS = 10

export interface Route extends Policy {
  owner: Repository
  ref: string
  /** Off: promotions are recorded as skipped. */
  enabled: boolean
  slotMs: number
  uncertainMs: number
  recheckMs: number
  /** First pause of the repository's circuit after several faults in a row, ms. */
  faultPauseMs: number
}

export interface HandleDeps {
  ledger: Pick<Ledger, 'claim' | 'recordOutcome'>
  route: Route
  dispatch(call: DispatchCall): Promise<DispatchAnswer>
  /** Starts following the run. */
  follow(promotion: Promotion, job: number): Promise<void>
  /** Projects a dead letter into its queue. */
  bury(promotionId: string, deadLetter: number): Promise<void>
  /** Gives a waiting promotion its turn. */
  wake(next: Wake): Promise<void>
  /** Shows an open circuit among the dead letters, and takes closed ones away. */
  circuitsChanged(change: CircuitChange): Promise<void>
  observe(seen: { outcome: string; waitedMs?: number }): void
  tracing?: Pick<Tracing, 'dispatch'> | undefined
  log: Logger
  worker: string
  /** Time from before the claim until the request is written, ms. */
  sendDeadlineMs?: number
  random(): number
  token(): string
  now(): number
}

export type JobEnd = { kind: 'complete'; note: string } | { kind: 'wait'; waitMs: number; note: string }

export type Handle = (promotionId: string, signal?: AbortSignal) => Promise<JobEnd>

export function createHandle(deps: HandleDeps): Handle {
  const { ledger, route, log, worker, sendDeadlineMs = SEND_DEADLINE_MS } = deps
  const scope = `${route.repository}/${route.workflow}`

  return async (id, signal) => {
    const sendBefore = createDeadline(sendDeadlineMs)
    const claim: Claim = await ledger.claim({ id, token: deps.token(), worker, ...claimTerms() })
    switch (claim.kind) {
      case 'done':
        if (claim.test) log.info({ promotionId: id }, 'A smoke test came as far as the claim: it is not sent')
        else if (claim.state === 'skipped')
          log.warn({ promotionId: id, reason: 'ENABLE_CD_TRIGGER is off' }, NOT_TRIGGERED)
        return { kind: 'complete', note: `nothing to do: ${claim.state}` }
      case 'wait':
        log.debug(
          { promotionId: id, code: claim.code, detail: claim.detail, waitMs: claim.waitMs },
          'Promotion waits',
        )
        return { kind: 'wait', waitMs: claim.waitMs, note: `waits: ${claim.code} ${claim.detail}`.trim() }
      case 'dead_letter':
        log.error({ promotionId: id, worker, reason: 'no attempt ever had an outcome' }, NOT_TRIGGERED)
        return finish(id, claim, 'no attempt ever had an outcome')
      case 'go':
        return send(claim, sendBefore, signal)
      default:
        return claim satisfies never
    }
  }

  async function send(
    { promotion, attempt, spent, refused, token, replicated }: Go,
    sendBefore: DispatchCall['sendBefore'],
    signal?: AbortSignal,
  ) {
    const { id, model, version, environment } = promotion
    const traceId = traceIdIn(promotion)
    const about = { promotionId: id, model, version, environment, attempt, worker, traceId }
    log.info({ ...about, repository: route.repository, workflow: route.workflow, ref: route.ref }, INITIATING)
    const adjustments = adjustmentsFrom(refused)
    const inputs = inputsFor(promotion)
    const startedAt = deps.now()
    const call = {
      repository: route.owner,
      workflow: route.workflow,
      ref: route.ref,
      inputs,
      adjustments,
      sendBefore,
      signal,
    }
    const answer = replicated ? await deps.dispatch(call) : NOT_REPLICATED
    const outcome = outcomeOf(answer, sentWith(inputs, adjustments, deps.now()))
    const next = decide(outcome, { spent }, route, deps.random)
    const status = answer.kind === 'answered' ? answer.status : 0
    const end: AttemptEnd = {
      id,
      attempt,
      token,
      outcome: outcome.kind,
      detail: outcome.detail,
      status,
      next,
      scopes: [route.repository, scope],
      fault: outcome.kind === 'unknown' || (outcome.kind === 'transient' && !outcome.ours),
      faultPauseMs: route.faultPauseMs,
      recheckMs: route.recheckMs,
      ...(outcome.kind === 'adjusted' ? { adjust: { scope, fields: fieldsToRemember(outcome.drop) } } : {}),
    }
    const recorded = await ledger.recordOutcome(end)
    const endedAt = deps.now()
    const requestId = requestIdOf(answer)
    if (!promotion.test) observe(outcome, recorded)
    tell(about, outcome, recorded, { status, tookMs: endedAt - startedAt, requestId })
    deps.tracing?.dispatch({
      promotion,
      end,
      followedBy: recorded.kind,
      route,
      worker,
      requestId,
      startedAt,
      endedAt,
    })
    if (recorded.kind === 'track') await deps.follow(promotion, recorded.job)
    if (recorded.opened || recorded.closed) await deps.circuitsChanged(recorded)
    return finish(id, recorded, outcome.detail)
  }

  async function finish(id: string, recorded: Recorded, detail: string): Promise<JobEnd> {
    if ('deadLetter' in recorded) await deps.bury(id, recorded.deadLetter)
    if ('wake' in recorded && recorded.wake) await deps.wake(recorded.wake)
    const note = `${recorded.kind}: ${detail}`
    return 'waitMs' in recorded ? { kind: 'wait', waitMs: recorded.waitMs, note } : { kind: 'complete', note }
  }

  function observe(outcome: Outcome, recorded: Recorded) {
    const waitedMs = waitedOf(recorded)
    deps.observe({ outcome: outcome.kind, ...(waitedMs === undefined ? {} : { waitedMs }) })
  }

  /** One wide line an attempt, with everything that ops ask for. */
  function tell(about: object, outcome: Outcome, recorded: Recorded, call: object) {
    const { kind: result, ...detail } = outcome
    const line = {
      ...about,
      ...call,
      outcome: result,
      ...detail,
      next: recorded.kind,
      ...waitOf(recorded),
      waitedMs: waitedOf(recorded),
    }
    if (recorded.kind === 'track') log.info(line, TRIGGERED)
    else if (recorded.kind === 'superseded')
      log.info(line, 'Nothing was started, and a newer version takes its place')
    else if (recorded.kind === 'discarded')
      log.info(line, 'Nothing was started, and a person has discarded it')
    else if (recorded.kind === 'stale') log.error(line, 'The attempt ended after the ledger had moved on')
    else if (recorded.kind === 'again') log.warn(line, 'CD pipeline was not triggered yet: it is tried again')
    else if (recorded.kind === 'resolving')
      log.warn(line, 'Nobody knows whether the CD pipeline was triggered: its run is looked for')
    else log.error(line, NOT_TRIGGERED)
  }

  function claimTerms() {
    const { enabled, repository, workflow, slotMs, uncertainMs, recheckMs } = route
    return { enabled, repository, workflow, slotMs, uncertainMs, recheckMs, maxClaims: MAX_CLAIMS }
  }
}

/** The words that ops grep for. */
const INITIATING = 'Initiating CT -> CD pipeline linkage'
const TRIGGERED = 'Successfully triggered CD pipeline'
const NOT_TRIGGERED = 'CD pipeline was not triggered. Manual deployment may be required.'

/** An intent that a failover could forget is none: nothing is sent on it. */
const NOT_REPLICATED: DispatchAnswer = {
  kind: 'not_sent',
  code: 'NOT_REPLICATED',
  message: 'not enough replicas of Redis acknowledged the intent',
}

function waitedOf(recorded: Recorded): number | undefined {
  return recorded.kind === 'track' ? recorded.waitedMs : undefined
}

function waitOf(recorded: Recorded): { waitMs?: number } {
  return 'waitMs' in recorded ? { waitMs: recorded.waitMs } : {}
}

function requestIdOf(answer: DispatchAnswer): string | undefined {
  return answer.kind === 'answered' ? answer.headers['x-github-request-id'] : undefined
}
