/**
 * A worker put together: its consumers, the sweep, and what they share. Each part adds its own teardown;
 * `close` undoes them in reverse, within a deadline, letting what is in the air finish.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { createAccept } from '../shared/accept.ts'
import type { Settings } from '../shared/config.ts'
import { createInvalidJobs } from '../shared/invalid-jobs.ts'
import { createCircuits } from '../shared/ledger/circuits.ts'
import { createCorrelation } from '../shared/ledger/correlation.ts'
import { createLease } from '../shared/ledger/lease.ts'
import { createLedger } from '../shared/ledger/ledger.ts'
import { createPresence } from '../shared/ledger/presence.ts'
import type { Promotion } from '../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../shared/ledger/read.ts'
import type { ReadScript } from '../shared/ledger/scripts.ts'
import type { CircuitChange } from '../shared/ledger/steps.ts'
import { createWebhooksSeen, WEBHOOKS_NOTED_MS } from '../shared/ledger/webhooks-seen.ts'
import type { Logger } from '../shared/logger.ts'
import {
  addPromotedJob,
  addTrackingJob,
  createQueue,
  DEAD_LETTERS,
  PROMOTIONS,
  removePromotedJob,
  TRACKING,
} from '../shared/queues.ts'
import { every } from '../shared/recurring.ts'
import type { Redactor } from '../shared/redact.ts'
import { connectForWorker } from '../shared/redis/connect.ts'
import { seldom } from '../shared/seldom.ts'
import type { Tracing } from '../shared/tracing.ts'
import { createWake } from '../shared/wake.ts'
import { createProber } from './circuits/prober.ts'
import { consumeDeadLetters } from './dead-letters/consume.ts'
import { createDeadLetters } from './dead-letters/dead-letters.ts'
import { consumePromotions } from './dispatch/consume.ts'
import { createHandle } from './dispatch/handle.ts'
import { createIntake } from './dispatch/intake.ts'
import { runFeedback } from './feedback/run-feedback.ts'
import { chooseCredentials } from './github/choose-credentials.ts'
import { createGithub } from './github/client.ts'
import { watchAnswers } from './github/watch-answers.ts'
import type { WorkerMetrics } from './ops/worker-metrics.ts'
import { PAUSES, type Pauses } from './pauses.ts'
import { createResolver } from './resolve/resolver.ts'
import { routeFrom } from './route.ts'
import { createSweep } from './sweep.ts'
import { consumeTracking } from './track/consume.ts'
import { createFollow, type FollowDeps } from './track/follow.ts'
import { createHear } from './track/hear.ts'
import { createWakeWaiting } from './wake-waiting.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

export interface WorkerOptions {
  redisUrl: string
  settings: Settings
  redact: Redactor
  metrics: WorkerMetrics
  tracing?: Tracing | undefined
  log: Logger
  /** Shown in timelines and log lines. */
  name: string
  pauses?: Pauses
  /** Other texts of the ledger's scripts than its own; for the chaos harness, which takes guards out. */
  readScript?: ReadScript
  /** Called when waiting work has made no progress for so long that only a restart helps. */
  onStuck(): void
}

export interface RunningWorker {
  /** A connection that answers while the worker is able to work. */
  redis: Redis
  /** Waiting work and no progress: the process is not ready. */
  stuck: Watchdog['stuck']
  /** Lets running jobs finish, at most for `withinMs`; what is cut off is healed by the next worker. */
  close(withinMs?: number): Promise<void>
}

/** Promotions that ended longer ago are forgotten; never a live one, ms. */
const KEEP_ENDED_MS = 90 * 24 * 3_600_000
/** A proof that titles show the promotion's id lasts for weeks: it need not be renewed by each run, ms. */
const PROVEN_ANEW_MS = 10_000
/** Of its turn's pause, for how long a lease is kept: over before the next turn. */
const LEASED = 0.8

/** Webhooks tell of a run: a look at it is so many times as rare as the first one else. */
export const TOLD_PAUSES = 60

/** Longer than the time limit of a dispatch, ms. */
export const CLOSE_WITHIN_MS = 40_000

/** With Redis away and nothing in the air a worker ends after this, ms. */
const WITHOUT_REDIS_MS = 1_000
const CUT_OFF_LOOK_MS = 100

export async function runWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { redisUrl, settings, redact, metrics, tracing, log, name, pauses = PAUSES } = options
  const { readScript, onStuck } = options
  const teardown: (() => Promise<unknown>)[] = []
  const connections: Redis[] = []
  const connect = () => {
    const redis = connectForWorker(redisUrl, log)
    connections.push(redis)
    teardown.push(async () => redis.disconnect())
    return redis
  }

  const redis = connect()
  const ledger = createLedger({
    redis,
    replicas: settings.REDIS_WAIT_REPLICAS,
    ...(readScript && { read: readScript }),
  })
  const reader = createLedgerReader({ redis })
  const queueNamed = (queueName: string) => {
    const queue = createQueue(queueName, redis)
    queue.on('error', (err) => log.debug({ err, queue: queueName }, 'A queue reports a fault'))
    teardown.push(() => queue.close())
    return queue
  }
  const queues = {
    promotions: queueNamed(PROMOTIONS),
    tracking: queueNamed(TRACKING),
    deadLetters: queueNamed(DEAD_LETTERS),
  }

  const wake = createWake({ reader, queue: queues.promotions })
  const trackIntervalMs = settings.TRACK_INTERVAL_SECONDS * 1000
  const follow = (promotion: Promotion, job: number) =>
    addTrackingJob(queues.tracking, promotion, job, trackIntervalMs)
  const invalidJobs = createInvalidJobs({ redis, queue: queues.deadLetters })
  const deadLetters = createDeadLetters({ queue: queues.deadLetters, reader, invalidJobs })
  const { bury, buryCircuit, buryInvalid, refreshCircuit, removeCircuit } = deadLetters
  const wakeWaiting = createWakeWaiting({ ledger, reader, wake })
  const accept = createAccept({
    ledger,
    log,
    tracing,
    enqueue: (one, job) => addPromotedJob(queues.promotions, one, job),
    withdraw: (id, job) => removePromotedJob(queues.promotions, id, job),
  })

  const { credentials, ofApp } = chooseCredentials(settings, { redact, log, pauseMs: pauses.tokenPauseMs })
  const answers = watchAnswers({ metrics, log, ofApp, now: Date.now })
  const github = createGithub({
    credentials,
    baseUrl: settings.GITHUB_API_URL,
    apiVersion: settings.GITHUB_API_VERSION,
    redact,
    observe: answers.observe,
    dispatchTimeoutMs: pauses.dispatchTimeoutMs,
  })
  let inTheAir = 0
  const route = routeFrom(settings, pauses)
  const scope = `${route.repository}/${route.workflow}`
  const correlation = createCorrelation({ redis })
  const lease = createLease({ redis })
  const prober = createProber({
    circuits: createCircuits({ redis }),
    openCircuits: reader.openCircuits,
    github,
    repository: route.owner,
    workflow: route.workflow,
    wakeWaiting,
    removeEntry: removeCircuit,
    log,
  })

  async function circuitsChanged({ opened, closed = [] }: CircuitChange): Promise<void> {
    if (opened) {
      const circuit = (await reader.openCircuits()).find((one) => one.scope === opened.scope)
      if (circuit) await buryCircuit(circuit)
    }
    for (const opening of closed) await removeCircuit(opening)
    if (closed.length > 0) await wakeWaiting('all')
  }

  const handle = createHandle({
    ledger,
    route,
    dispatch: async (call) => {
      inTheAir++
      return github.dispatch(call).finally(() => inTheAir--)
    },
    follow,
    bury,
    wake,
    circuitsChanged,
    observe: metrics.attempt,
    tracing,
    log,
    worker: name,
    sendDeadlineMs: pauses.sendDeadlineMs,
    random: Math.random,
    token: randomUUID,
    now: Date.now,
  })
  const webhooks = createWebhooksSeen({ redis })
  const arrived = seldom(WEBHOOKS_NOTED_MS, webhooks.arrived)
  const ofRuns = {
    ledger,
    promotion: reader.promotion,
    ownerOf: reader.ownerOf,
    searching: () => reader.searching(scope),
    untold: () => reader.untold(scope),
    github,
    repository: route.owner,
    workflow: route.workflow,
    log,
  }
  let newestShown = ''
  const noteShown = seldom(PROVEN_ANEW_MS, () =>
    correlation.learn(scope, { runId: newestShown, shows: true }),
  )
  const learnShown = (runId: string) => {
    newestShown = runId
    return noteShown(scope)
  }
  const followDeps: FollowDeps = {
    ...ofRuns,
    learnCorrelation: ({ runId, shows }) =>
      shows ? learnShown(runId) : correlation.learn(scope, { runId, shows }),
    timeLimitMs: settings.DEPLOY_TIMEOUT_MINUTES * 60_000,
    ...(settings.CANCEL_WAITING_RUNS && { newer: reader.nextOf }),
    rollBack: settings.ROLLBACK_ON_FAILURE,
    withoutApproval: settings.LATENCY_WITHOUT_APPROVAL,
    wake,
    observe: metrics.deployment,
    tracing,
    now: Date.now,
  }
  const look = createFollow(followDeps)
  const poll = createFollow({
    ...followDeps,
    // No webhook has told of this end, or not yet.
    observe(ended) {
      metrics.deployment(ended)
      webhooks.missed(scope).catch((err) => log.debug({ err }, 'Webhooks could not be noted as missed'))
    },
  })
  const isTold = async (id: string) => {
    const promotion = await reader.promotion(id)
    return (
      promotion?.runStatus === 'in_progress' && promotion.scope === scope && (await webhooks.arrive(scope))
    )
  }
  const hear = createHear({ ...ofRuns, look, follow, arrived: () => arrived(scope) })
  const sweep = createSweep({
    ledger,
    reader,
    queues,
    wake,
    follow,
    bury,
    buryCircuit,
    refreshCircuit,
    log,
    settleMs: pauses.settleMs,
  })
  const resolve = createResolver({
    ledger,
    scope,
    repository: route.owner,
    workflow: route.workflow,
    inDoubt: reader.inDoubt,
    proven: correlation.proven,
    owners: reader.owners,
    lease: (name) => lease(`resolve:${name}`, pauses.resolveMs * LEASED),
    github,
    follow,
    bury,
    wake,
    log,
    sendMs: pauses.sendDeadlineMs + pauses.dispatchTimeoutMs,
    patienceMs: settings.RESOLVE_PATIENCE_SECONDS * 1000,
    maxAttempts: route.maxAttempts,
    backoff: route.backoff,
    random: Math.random,
  })

  const presence = createPresence({ redis })
  const self = `${name} ${randomUUID()}`
  teardown.push(() => presence.gone(self))
  const stalls = { lockDuration: pauses.lockMs, stalledInterval: pauses.stalledCheckMs }
  // Their calls are short: what a dead worker left is given away sooner.
  const shortStalls = { ...stalls, lockDuration: pauses.lockMs / 2 }
  const feedback = runFeedback({
    ...{ redis, connect, settings, reader, redact, metrics, log, stalls: shortStalls },
    scope: route.enabled ? scope : undefined,
    pauses: pauses.feedback,
    lease: (ms) => lease('feedback', ms),
  })
  const consumers = [
    consumePromotions({
      connection: connect(),
      concurrency: settings.WORKER_CONCURRENCY,
      stalls,
      handle,
      intake: createIntake({ accept, buryInvalid, log }),
      log,
    }),
    consumeTracking({
      connection: connect(),
      concurrency: 8,
      stalls: shortStalls,
      follow: poll,
      hear,
      isTold,
      intervalMs: trackIntervalMs,
      toldPauseMs: Math.min(trackIntervalMs * TOLD_PAUSES, followDeps.timeLimitMs / 4),
      hearAgainMs: pauses.hearAgainMs,
      log,
    }),
    consumeDeadLetters({
      connection: connect(),
      stalls: shortStalls,
      ledger,
      accept,
      invalidJobs,
      wake,
      probe: prober.probeNow,
      log,
    }),
    ...feedback.consumers,
  ]
  teardown.push(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close()))
  })
  teardown.push(feedback.stop)
  const watchdog = createWatchdog({ queue: queues.promotions, log, ...pauses.watchdog, onStuck })
  consumers[0]?.on('active', watchdog.progress)
  const brokeOff = (what: string) => (err: unknown) => log.warn({ err }, `${what} broke off; it comes again`)
  const sweepAlone = async () => {
    if (!(await lease('sweep', pauses.sweepMs * LEASED))) return
    await sweep()
    await ledger.trim(KEEP_ENDED_MS)
  }
  teardown.push(every(pauses.sweepMs, sweepAlone, brokeOff('The sweep')))
  teardown.push(every(pauses.resolveMs, resolve, brokeOff('The resolver')))
  teardown.push(every(pauses.probeMs, prober.probeDue, brokeOff('The prober')))
  const lookAtToken = () => answers.look(async () => route.enabled && github.repositoryState(route.owner))
  teardown.push(every(pauses.tokenLookMs, lookAtToken, brokeOff('The look at the token')))
  teardown.push(every(pauses.watchdog.lookMs, watchdog.look, brokeOff('The watchdog')))
  const sayHere = async () => !watchdog.stuck() && presence.here(self)
  teardown.push(every(pauses.presenceMs, sayHere, brokeOff('The sign of life')))

  /** Nothing may go on trying to reach Redis once the worker counts as closed. */
  function cutConnections() {
    for (const consumer of consumers) {
      consumer.close(true).catch(() => {})
      consumer.disconnect().catch(() => {})
    }
    for (const connection of connections) connection.disconnect()
  }

  return {
    redis,
    stuck: watchdog.stuck,
    async close(withinMs = CLOSE_WITHIN_MS) {
      const asOf = Date.now()
      let cutOff: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        const cut = (why: string) => {
          log.warn({ afterMs: Date.now() - asOf }, why)
          cutConnections()
          resolve()
        }
        cutOff = setInterval(() => {
          if (Date.now() - asOf >= withinMs)
            cut('Jobs were still running at the end of the shutdown deadline')
          // An answer in the air is worth waiting for, a Redis that is away is not.
          else if (redis.status !== 'ready' && inTheAir === 0 && Date.now() - asOf >= WITHOUT_REDIS_MS)
            cut('Redis is away and no answer is awaited')
        }, CUT_OFF_LOOK_MS)
      })
      const undo = async () => {
        for (const step of teardown.reverse())
          await step().catch((err) => log.warn({ err }, 'A teardown failed'))
      }
      await Promise.race([undo(), late])
      clearInterval(cutOff)
    },
  }
}
