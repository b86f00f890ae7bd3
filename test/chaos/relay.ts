// The relay as a contender: its producer in the harness, its workers as processes, its ledger as the witness.
import { createProducer } from '../../producer/index.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import { type Promotion, targetName } from '../../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { bullPrefix, createQueue, DEAD_LETTERS, PROMOTED, PROMOTIONS } from '../../shared/queues.ts'
import { type Break, brokenScripts } from './breaks.ts'
import { brokenProducer } from './broken-producer.ts'
import type { Contender } from './contender.ts'
import type { Tally } from './faults.ts'
import { sentThoughHeld } from './held.ts'
import { needlessDoubts } from './needless.ts'
import { createOperators } from './operators.ts'
import { createPeople } from './people.ts'
import { WEBHOOK_SECRET } from './post.ts'
import { runsSeen } from './runs-seen.ts'
import type { ServerArgument } from './server.ts'
import { storyOf } from './story.ts'
import { toldInVain } from './told-in-vain.ts'
import { type Ended, judge } from './verdict.ts'
import type { WorkerArgument } from './worker.ts'
import { WORKFLOW, type World } from './world.ts'

const EVERYTHING = 1_000_000

export function relay(breaks: Break | null): Contender {
  return {
    name: 'relay',
    claimsAtConnect: false,
    judge,
    program: new URL('./worker.ts', import.meta.url),
    spared: [],
    argument: (name, { redisUrl, githubUrl }, timing, way): WorkerArgument => ({
      name,
      pauses: timing.pauses,
      breaks,
      env: {
        REDIS_URL: redisUrl,
        ENABLE_CD_TRIGGER: 'true',
        GITHUB_TOKEN: 'chaos-token-chaos-token',
        GITHUB_REPO_OWNER: 'acme',
        GITHUB_REPO_NAME: 'models',
        GITHUB_API_URL: githubUrl,
        CD_WORKFLOW_NAME: WORKFLOW,
        DISPATCH_RATE_PER_SECOND: '200',
        DISPATCH_BACKOFF_BASE_SECONDS: String(timing.backoffBaseMs / 1000),
        DISPATCH_BACKOFF_MAX_SECONDS: String(timing.backoffMaxMs / 1000),
        ROLLBACK_ON_FAILURE: 'true',
        RESOLVE_PATIENCE_SECONDS: String(timing.patienceMs / 1000),
        TRACK_INTERVAL_SECONDS: String((way === 'webhooks' ? timing.slowTrackMs : timing.trackMs) / 1000),
      },
    }),
    server: {
      program: new URL('./server.ts', import.meta.url),
      argument: (redisUrl): ServerArgument => ({
        env: {
          REDIS_URL: redisUrl,
          PORT: '0',
          RELAY_API_TOKEN: 'chaos-api-token-chaos-api-token',
          OPS_PASSWORD: 'chaos-password-chaos-password',
          GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
        },
      }),
    },
    crew(world, { tally, timing, random, drawLife }) {
      const redis = world.direct
      const reader = createLedgerReader({ redis })
      const queue = createQueue(DEAD_LETTERS, redis)
      const work = createQueue(PROMOTIONS, redis)
      for (const one of [queue, work]) one.on('error', () => {})
      const producer = breaks
        ? brokenProducer(world.producerUrl, brokenScripts(breaks))
        : createProducer({ redisUrl: world.producerUrl })
      const ledger = createLedger({ redis })
      const operators = createOperators({
        ledger,
        reader,
        promote: producer.promote,
        tally,
        random: random.fork('operators'),
        holdMs: timing.holdMs,
      })
      const people = createPeople({
        ledger,
        reader,
        deadLetters: queue,
        simulator: world.simulator,
        tally,
        certainMs: timing.certainMs,
        random: random.fork('people'),
        drawLife,
      })
      return {
        promote: producer.promote,
        pressRetry: () => people.pressRetry(3, { unresolvedToo: true }),
        runAgain: people.runAgain,
        holdForAWhile: operators.holdForAWhile,
        rollBack: operators.rollBack,
        async look() {
          await people.settleUnresolved()
        },
        async mend() {
          await operators.end()
          await people.settleUnresolved()
          await people.pressRetry(100, { unresolvedToo: false })
          await world.mail?.post.redeliver()
        },
        async deleteQueue() {
          const keys = await redis.keys(`${bullPrefix()}:*`)
          if (keys.length > 0) await redis.del(keys)
          tally.struck('queue-deleted')
        },
        async addForeign({ target, version }) {
          await work.add(PROMOTED, { model: target, version })
          tally.struck('foreign-job')
        },
        isDone: async () => Object.values(await reader.countByState()).every((count) => count === 0),
        async evidence(answers, windows) {
          const promotions = await reader.newest(EVERYTHING)
          const timelines = await Promise.all(
            promotions.map(async ({ id }) => ({ id, entries: await reader.timeline(id) })),
          )
          const posts = postsSeen(world)
          const targets = new Map(promotions.map((one) => [one.id, targetName(one)]))
          const needless = needlessDoubts({
            timelines,
            windows,
            posts,
            struck: world.fleet.struck,
            toldInVain: await toldInVain(world.logDir),
          })
          const live = new Map(
            (await reader.targets(EVERYTHING)).map((one) => [targetName(one), one.live ?? '']),
          )
          tallyRollbacks(tally, promotions)
          return {
            answers: [...answers, ...operators.answers],
            promotions: promotions.map(endedFrom),
            runs: runsSeen(world),
            windows,
            live,
            needless,
            sentThoughHeld: sentThoughHeld({
              holds: operators.holds,
              posts,
              targetOf: (id) => targets.get(id),
              windows,
              sendDeadlineMs: timing.pauses.sendDeadlineMs,
            }),
          }
        },
        story: (id) => storyOf(world, id, () => reader.timeline(id)),
        settled: () => ({ ...people.settled }),
        async close() {
          await producer.close()
          await Promise.all([queue.close(), work.close()])
        },
      }
    },
  }
}

function tallyRollbacks(tally: Tally, promotions: readonly Promotion[]) {
  const automated = promotions.filter(({ source }) => source === 'automated_rollback')
  const skipped = promotions.filter(({ state }) => state === 'skipped')
  if (automated.length > 0) tally.struck('automated-rollback', automated.length)
  if (skipped.length > 0) tally.struck('skipped-version', skipped.length)
}

function endedFrom(one: Promotion): Ended {
  const { id, seq, version, acceptedAt, state, runId, supersededBy, parent, rollback } = one
  return {
    id,
    target: targetName(one),
    seq,
    version,
    acceptedAt,
    state,
    ...(runId && { runId }),
    rollback,
    ...(supersededBy && { supersededBy }),
    ...(parent && { parent }),
  }
}

function postsSeen({ simulator }: World) {
  return simulator.dispatches().map(({ at, body }) => {
    const { inputs } = body as { inputs?: Record<string, string> }
    const isRollback = inputs?.trigger_source?.endsWith('_rollback') ?? false
    return { at, promotionId: inputs?.promotion_id ?? '', isRollback }
  })
}
