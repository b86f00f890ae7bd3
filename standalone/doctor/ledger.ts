/** What the ledger tells of the relay: who works, what waits, whether runs can be found and webhooks arrive. */
import type { Redis } from 'ioredis'
import { createCorrelation } from '../../shared/ledger/correlation.ts'
import { createLedgerReader, type OpenCircuit } from '../../shared/ledger/read.ts'
import { createWebhooksSeen } from '../../shared/ledger/webhooks-seen.ts'
import { type Finding, fault, ok, spanOf, unknown, warning } from './finding.ts'

export interface LedgerFacts {
  workers: number
  /** How long the longest waiting promotion has waited, ms; undefined where none waits. */
  oldestWaitingMs: number | undefined
  deadLetters: number
  unresolved: number
  circuits: OpenCircuit[]
  /** Promotions in the ledger that is marked as simulated; undefined where it is not. */
  simulated: number | undefined
  proven: boolean
  hooked: boolean
  /** Within a day: dispatches that GitHub took, and runs that ended. */
  dispatched: number
  ended: number
}

const DAY_MINUTES = 24 * 60

/** @param scope owner/name/workflow */
export async function askLedger(redis: Redis, prefix: string, scope: string): Promise<LedgerFacts> {
  const reader = createLedgerReader({ redis, prefix })
  const [workers, since, nowMs, counts, circuits, mark, promotions, proven, hooked, triggers, [ended]] =
    await Promise.all([
      reader.workers(),
      reader.oldestWaitingSince(),
      reader.nowMs(),
      reader.countByState(),
      reader.openCircuits(),
      redis.exists(`${prefix}:simulated`),
      redis.zcard(`${prefix}:promotions`),
      createCorrelation({ redis, prefix }).proven(scope),
      createWebhooksSeen({ redis, prefix }).arrive(scope),
      reader.triggers(DAY_MINUTES),
      reader.endsWithin('deployments', [DAY_MINUTES]),
    ])
  return {
    workers,
    oldestWaitingMs: since === undefined ? undefined : nowMs - since,
    deadLetters: counts.dead_lettered,
    unresolved: counts.unresolved,
    circuits,
    simulated: mark === 1 ? promotions : undefined,
    proven,
    hooked,
    dispatched: triggers.good,
    ended: (ended?.good ?? 0) + (ended?.bad ?? 0),
  }
}

export function judgeWorkers({ workers }: LedgerFacts): Finding {
  if (workers > 0) return ok('workers', `${workers} at work within the last minute`)
  const mend = 'start one: promotion-relay work, or npm start'
  return warning('workers', 'none is at work: promotions are accepted and wait', mend)
}

/** Longer than a deployment before it usually takes, ms. */
const LONG_WAIT_MS = 30 * 60_000

export function judgeLedger({ circuits, deadLetters, unresolved, oldestWaitingMs }: LedgerFacts): Finding {
  const oldest =
    oldestWaitingMs === undefined ? 'nothing waits' : `the oldest has waited for ${spanOf(oldestWaitingMs)}`
  const words = [
    oldest,
    deadLetters === 1 ? '1 dead letter' : `${deadLetters} dead letters`,
    ...(unresolved > 0 ? [`${unresolved} unresolved`] : []),
    circuits.length === 0
      ? 'no circuit is open'
      : `open: ${circuits.map(({ scope, detail }) => `${scope} (${detail})`).join('; ')}`,
  ].join(', ')
  if (circuits.length > 0)
    return warning(
      'ledger',
      words,
      'mend what it names: promotions flow again by themselves; promotion-relay circuits probe looks at once',
    )
  if (unresolved > 0)
    return warning(
      'ledger',
      words,
      'look at the runs, then promotion-relay resolve ID --run RUN, or --absent',
    )
  if (deadLetters > 0)
    return warning(
      'ledger',
      words,
      'promotion-relay dead-letters says why; mend the cause, then redrive or discard them',
    )
  if ((oldestWaitingMs ?? 0) > LONG_WAIT_MS)
    return warning('ledger', words, 'promotion-relay list --state accepted tells what each waits for')
  return ok('ledger', words)
}

/** @param dispatches whether the settings name a GitHub to dispatch to */
export function judgeMark({ simulated }: LedgerFacts, dispatches: boolean): Finding[] {
  if (simulated === undefined) return []
  if (!dispatches) return [ok('simulated', 'the ledger holds simulated promotions, as the settings want it')]
  if (simulated === 0) return []
  const detail = `the ledger holds ${simulated} simulated promotions: GitHub must not get them, and no worker starts on it`
  return [fault('simulated', detail, 'set REDIS_URL to another Redis, or to another database of it')]
}

/** @param shows whether the workflow's `run-name` shows the promotion's id; undefined where it could not be read */
export function judgeCorrelation({ proven }: LedgerFacts, shows: boolean | undefined): Finding {
  if (proven && shows === false) {
    return warning(
      'correlation',
      'proven by an earlier run, but run-name shows the promotion id no longer',
      'put inputs.promotion_id back into the run-name of the workflow',
    )
  }
  if (proven) return ok('correlation', 'proven: runs are found by the promotion id in their titles')
  if (shows) return ok('correlation', 'not proven yet: the first run that is followed proves it')
  if (shows === undefined) return unknown('correlation', 'not proven yet, and run-name could not be read')
  return warning(
    'correlation',
    'not proven: where an answer of GitHub is lost, a person may have to say which run it was',
    'let the run-name of the workflow show inputs.promotion_id',
  )
}

/** @param isSet whether GITHUB_WEBHOOK_SECRET is; @param pollSeconds between two looks at a run */
export function judgeWebhooks({ hooked, ended }: LedgerFacts, isSet: boolean, pollSeconds: number): Finding {
  if (hooked) return ok('webhooks', "GitHub's arrive")
  if (!isSet) return ok('webhooks', `off (GITHUB_WEBHOOK_SECRET): runs are looked at every ${pollSeconds} s`)
  if (ended === 0)
    return ok('webhooks', 'the secret is set; no run has ended within a day that one could have told of')
  return warning(
    'webhooks',
    `the secret is set, but of ${ended} runs that ended within a day the last was found by looking`,
    "look at the webhook's recent deliveries in the repository's settings: it must send workflow_run to /v1/webhooks/github, with this secret",
  )
}
