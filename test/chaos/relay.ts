// The relay as a contender: its producer in the harness, its workers as processes, its ledger as the witness.
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createProducer } from '../../producer/index.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import { type Promotion, targetName } from '../../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { bullPrefix, createQueue, DEAD_LETTERS, PROMOTED, PROMOTIONS } from '../../shared/queues.ts'
import { type Break, brokenScripts } from './breaks.ts'
import { brokenProducer } from './broken-producer.ts'
import type { Contender } from './contender.ts'
import { type Course, needlessDoubts } from './needless.ts'
import { createPeople } from './people.ts'
import { WEBHOOK_SECRET } from './post.ts'
import { runsSeen } from './runs-seen.ts'
import type { ServerArgument } from './server.ts'
import { type Ended, judge } from './verdict.ts'
import type { WorkerArgument } from './worker.ts'
import { WORKFLOW, type World } from './world.ts'

const EVERYTHING = 1_000_000
/** What `handle` logs then. */
const IN_VAIN = 'The attempt ended after the ledger had moved on'

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
      const people = createPeople({
        ledger: createLedger({ redis }),
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
        async look() {
          await people.settleUnresolved()
        },
        async mend() {
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
          const needless = needlessDoubts({
            timelines,
            windows,
            posts: postsSeen(world),
            struck: world.fleet.struck,
            toldInVain: await toldInVain(world.logDir),
          })
          const targets = await reader.targets(EVERYTHING)
          const live = new Map(targets.map((one) => [targetName(one), one.live ?? '']))
          return {
            answers,
            promotions: promotions.map(endedFrom),
            runs: runsSeen(world),
            windows,
            live,
            needless,
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

function endedFrom(one: Promotion): Ended {
  const { id, seq, version, acceptedAt, state, runId, supersededBy } = one
  return {
    id,
    target: targetName(one),
    seq,
    version,
    acceptedAt,
    state,
    ...(runId && { runId }),
    ...(supersededBy && { supersededBy }),
  }
}

function postsSeen({ simulator }: World) {
  return simulator.dispatches().map(({ at, body }) => {
    const { inputs } = body as { inputs?: { promotion_id?: string } }
    return { at, promotionId: inputs?.promotion_id ?? '' }
  })
}

/** Outcomes that came too late for the ledger, as the workers logged it. */
async function toldInVain(logDir: string) {
  const told: Course['toldInVain'][number][] = []
  for (const file of await readdir(logDir)) {
    for (const line of (await readFile(path.join(logDir, file), 'utf8')).split('\n')) {
      if (!line.includes(IN_VAIN)) continue
      const { promotionId, attempt, worker, time, tookMs } = JSON.parse(line) as {
        promotionId: string
        attempt: number
        worker: string
        time: string
        tookMs: number
      }
      told.push({ promotionId, attempt, worker, at: Date.parse(time), tookMs })
    }
  }
  return told
}

/** The ledger's timeline and the simulator's log of one promotion, in the order of time. */
export async function storyOf(
  { simulator }: World,
  id: string,
  timeline: () => Promise<{ at: number; [detail: string]: unknown }[]>,
): Promise<string[]> {
  const told = (await timeline()).map(({ at, ...entry }) => ({
    at,
    line: `ledger     ${JSON.stringify(entry)}`,
  }))
  const posts = simulator.dispatches().filter(({ body }) => JSON.stringify(body ?? '').includes(id))
  const seen = posts.map(({ at, status, fault, runId, headers }) => ({
    at,
    line: `simulator  POST from ${headers.host} → ${status} ${fault ?? ''} ${runId ? `run ${runId}` : ''}`,
  }))
  const runs = simulator.runs.filter(({ inputs }) => inputs.promotion_id === id)
  const made = runs.map((run) => ({ at: run.createdAt, line: `simulator  run ${run.id} is created` }))
  return [...told, ...seen, ...made]
    .sort((a, b) => a.at - b.at)
    .map(({ at, line }) => `${new Date(at).toISOString().slice(11, 23)}  ${line}`)
}
