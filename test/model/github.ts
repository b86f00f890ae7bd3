// GitHub, as far as a dispatch shows it: runs that a POST creates at once, later, or not at all, an answer that tells
// the truth or nothing, and webhooks that tell what was true once. It is the judge: what it has created, no client can
// talk away.
import type { RunEvent } from '../../shared/run-event.ts'
import type { DispatchAnswer, DispatchCall, Run, RunAnswer, RunsAnswer } from '../../worker/github/client.ts'
import { promotionIdsIn, REPOSITORY, WORKFLOW } from './route.ts'

/** What becomes of a request. `taken`: its run is created, at once or later, whatever is answered. */
export type Send =
  | 'taken'
  | 'taken, but 503'
  | 'taken, but silent'
  | 'taken, but unreadable'
  | 'taken later, silent'
  | 'taken later, 503'
  | 'lost, 503'
  | 'lost, silent'
  | 'refused connection'
  | 'invalid'
  | 'undeclared input'
  | 'bad credentials'
  | 'no permission'
  | 'no workflow'
  | 'throttled'

export interface SimulatedRun {
  id: string
  /** Whose it is; '' where a person started it. */
  promotion: string
  title: string
  /** Of the world's clock, ms. */
  createdAt: number
  listedAt: number
  status: string
  conclusion: string
  /** From 1; a person who starts it again raises it. */
  attempt: number
  /** Of the world's clock, ms. */
  updatedAt: number
}

export interface GithubTraits {
  /** The workflow's run-name shows the promotion's id. */
  named: boolean
  /** Answers a dispatch with the run's id; an older server, with 204. */
  givesIds: boolean
}

/** A run that is to be created. */
interface Coming {
  promotion: string
  shown: boolean
  at: number
  listedAt: number
}

/** From the beginning of an attempt until its run is created at the latest, and until it is listed at the latest. */
export const CREATED_WITHIN_MS = 35_000
export const LISTED_WITHIN_MS = CREATED_WITHIN_MS + 120_000

export function createGithubDouble(traits: GithubTraits, clock: { now(): number; offset(): number }) {
  const runs: SimulatedRun[] = []
  const inTheAir: Coming[] = []
  /** The workflow declares the input `promotion_id`, until somebody takes it out. */
  let declared = true
  /** All that were ever sent, in order: each may arrive at any time, twice, or never. */
  const webhooks: RunEvent[] = []

  const wholeSeconds = (ms: number) => Math.floor(ms / 1000) * 1000

  function become(run: SimulatedRun, change: Partial<SimulatedRun>) {
    Object.assign(run, change, { updatedAt: clock.now() })
    webhooks.push({
      delivery: `delivery-${webhooks.length + 1}`,
      repository: REPOSITORY,
      workflows: [WORKFLOW],
      runId: run.id,
      runAttempt: run.attempt,
      status: run.status,
      over: run.status === 'completed',
      updatedAt: wholeSeconds(run.updatedAt),
      promotionIds: promotionIdsIn(run.title),
    })
  }

  function create({ promotion, shown, at, listedAt }: Coming): SimulatedRun {
    const run: SimulatedRun = {
      id: String(1001 + runs.length),
      promotion,
      title: shown ? `Deploy ${promotion}` : 'CD',
      createdAt: at,
      listedAt,
      status: 'queued',
      conclusion: '',
      attempt: 1,
      updatedAt: at,
    }
    runs.push(run)
    become(run, { status: 'queued' })
    return run
  }

  function answered(status: number, message = '', more: Record<string, string> = {}): DispatchAnswer {
    return { kind: 'answered', status, body: message ? { message } : '', headers: more }
  }
  const silent: DispatchAnswer = { kind: 'no_answer', code: 'UND_ERR', message: 'no answer came' }

  function asSeen(run: SimulatedRun): Run {
    const { id, title: displayTitle, status, conclusion, attempt: runAttempt } = run
    const createdAt = wholeSeconds(run.createdAt - clock.offset())
    return {
      id,
      htmlUrl: `https://ci/${id}`,
      displayTitle,
      status,
      conclusion,
      runAttempt,
      createdAt,
      // Of the world's clock: who tells the ledger reckons it back (`World.stored`).
      updatedAt: wholeSeconds(run.updatedAt),
    }
  }

  return {
    runs: runs as readonly SimulatedRun[],
    runOf: (promotion: string) => runs.find((run) => run.promotion === promotion),
    mayStillCreate: (promotion: string) => inTheAir.some((one) => one.promotion === promotion),
    foreignRun: () => create({ promotion: '', shown: false, at: clock.now(), listedAt: clock.now() }),

    webhooks: webhooks as readonly RunEvent[],
    newestWebhook: (run: SimulatedRun) => webhooks.findLast(({ runId }) => runId === run.id),

    moveOn(run: SimulatedRun, status: 'waiting' | 'in_progress') {
      if (run.status !== 'completed') become(run, { status })
    },

    end(run: SimulatedRun, conclusion: string) {
      if (run.status !== 'completed') become(run, { status: 'completed', conclusion })
    },

    /** By a person; only what has completed can be started again. */
    startAgain(run: SimulatedRun) {
      if (run.status === 'completed')
        become(run, { status: 'queued', conclusion: '', attempt: run.attempt + 1 })
    },

    /** A request arrives. @param startedAt when its client began @param listedAfterMs from the run's creation */
    send(
      how: Send,
      call: Pick<DispatchCall, 'inputs' | 'adjustments'>,
      startedAt: number,
      listedAfterMs: number,
    ): DispatchAnswer {
      const promotion = call.inputs.promotion_id ?? ''
      if (how === 'refused connection') return { kind: 'not_sent', code: 'ECONNREFUSED', message: 'refused' }
      if (how === 'undeclared input') declared = false
      const tells = !call.adjustments.droppedInputs.includes('promotion_id')
      if (tells && !declared) return answered(422, 'Unexpected inputs provided: ["promotion_id"]')
      const shown = traits.named && tells
      const coming = (at: number): Coming => {
        const listedAt = Math.min(at + listedAfterMs, startedAt + LISTED_WITHIN_MS)
        return { promotion, shown, at, listedAt }
      }
      if (how.startsWith('taken later')) {
        inTheAir.push(coming(startedAt + CREATED_WITHIN_MS - 1_000))
        return how === 'taken later, 503' ? answered(503, 'try again') : silent
      }
      switch (how) {
        case 'lost, 503':
          return answered(503, 'try again')
        case 'lost, silent':
          return silent
        case 'invalid':
          return answered(422, 'Required input is missing')
        case 'bad credentials':
          return answered(401, 'Bad credentials')
        case 'no permission':
          return answered(403, 'Resource not accessible')
        case 'no workflow':
          return {
            ...answered(404, 'Not Found'),
            kind: 'answered',
            repositoryReadable: true,
          } as DispatchAnswer
        case 'throttled':
          return answered(429, 'slow down', { 'retry-after': '30' })
      }
      const run = create(coming(clock.now()))
      if (how === 'taken, but 503') return answered(503, 'try again')
      if (how === 'taken, but silent') return silent
      if (how === 'taken, but unreadable') return answered(200, 'unreadable')
      if (!traits.givesIds) return answered(204)
      const body = { workflow_run_id: Number(run.id), html_url: `https://ci/${run.id}` }
      return { kind: 'answered', status: 200, body, headers: {} }
    },

    /** Time has gone by: what was to be created by now is there. */
    catchUp() {
      for (const one of inTheAir.splice(0)) {
        if (one.at <= clock.now()) create(one)
        else inTheAir.push(one)
      }
      runs.sort((x, y) => x.createdAt - y.createdAt)
    },

    getRun(id: string): RunAnswer {
      const run = runs.find((one) => one.id === id)
      return run ? { kind: 'run', run: asSeen(run) } : { kind: 'gone' }
    },

    listRuns(sinceMs: number, complete: boolean): RunsAnswer {
      const listed = runs.filter(
        (run) => run.listedAt <= clock.now() && asSeen(run).createdAt >= sinceMs - 1_000,
      )
      const newestFirst = listed.map(asSeen).toReversed()
      return { kind: 'runs', runs: complete ? newestFirst : newestFirst.slice(0, 1), complete }
    },
  }
}

export type GithubDouble = ReturnType<typeof createGithubDouble>
