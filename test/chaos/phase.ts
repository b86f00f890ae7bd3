// One run from the first promotion to the verdict: load and strikes by the plan, then everything is healed, and what
// was accepted must reach its end within a bounded time.
import { setTimeout as pause } from 'node:timers/promises'
import type { Contender, Crew } from './contender.ts'
import { callsOf, courseOf, isSentSince, timesListedLate } from './course.ts'
import { createDispatchFaults } from './dispatch-faults.ts'
import { createTally, type FaultKind, type Strike } from './faults.ts'
import { createLoad } from './load.ts'
import { createRandom } from './random.ts'
import { createRedisStrikes } from './redis-strikes.ts'
import { type Delivery, planDeliveries, planStrikes, planWays, type Way } from './schedule.ts'
import { createStriker } from './striker.ts'
import { type Timing, timingAt } from './timing.ts'
import { type Verdict, WORDS } from './verdict.ts'
import { openWorld, type World } from './world.ts'

export interface PhaseOptions {
  seed: number
  promotions: number
  targets: number
  workers: number
  seconds: number
  pace: number
  runName: boolean
}

export interface PhaseResult {
  verdict: Verdict
  struck: Partial<Record<FaultKind, number>>
  /** What happened when: strikes and runs, s since the beginning. */
  course: string[]
  accepted: number
  runs: number
  /** Of GitHub's API, by the workers. */
  calls: number
  settled: Record<string, number>
  crashes: readonly string[]
  refusals: readonly string[]
  tookMs: number
  drainedMs: number
  /** Of the promotions at fault: what the ledger and the simulator have on them. */
  stories: Record<string, string[]>
  logDir: string
}

/** Longest time to the end of everything once it is healed, in patiences. */
const DRAIN_PATIENCES = 12
const LOOK_MS = 100

export async function runPhase(options: PhaseOptions, contender: Contender): Promise<PhaseResult> {
  const startedAt = Date.now()
  const timing = timingAt(options.pace)
  const random = createRandom(`${options.seed}/${options.runName ? 'named' : 'unnamed'}`)
  const tally = createTally()
  const durationMs = options.seconds * 1000
  const deliveries = planDeliveries(random.fork('load'), { ...options, durationMs })
  let begin = Number.POSITIVE_INFINITY
  /** Nothing newer of its target comes before a stopped worker goes on. */
  function isQuiet(promotionId: string): boolean {
    const target = load.answers.findLast(({ id }) => id === promotionId)?.target
    const nowMs = Date.now() - begin
    const isNear = (one: Delivery) =>
      one.target === target && one.atMs > nowMs && one.atMs < nowMs + timing.stopMs
    return contender.claimsAtConnect || (target !== undefined && !deliveries.some(isNear))
  }
  let world: World | undefined
  let way: Way = 'both'
  const dispatchFaults = createDispatchFaults({
    tally,
    random: random.fork('dispatch'),
    timing,
    // Without run-name one unknown at a time holds up the others: fewer faults, so that something is sent.
    among: options.runName ? 50 : 100,
    setLife: (life) => world?.simulator.setLife(life),
  })
  const striker = createStriker({
    tally,
    random: random.fork('striker'),
    timing,
    dispatchFaults,
    claimsAtConnect: contender.claimsAtConnect,
    isQuiet: (id) => isQuiet(id),
  })
  world = await openWorld({
    workers: options.workers,
    runName: options.runName,
    timing,
    striker,
    program: contender.program,
    argument: (name, addresses) => contender.argument(name, addresses, timing, way),
    server: contender.server,
    post: { tally, random: random.fork('post'), timing },
  })
  const crew = contender.crew(world, { tally, timing, random, drawLife: dispatchFaults.drawLife })
  const load = createLoad({ promote: crew.promote, tally })
  try {
    const { redis, simulator } = world
    const redisStrikes = createRedisStrikes({
      redis,
      tally,
      hurts: (since) => simulator.runs.some((run) => isSentSince(run, since)),
    })
    await plan()
    striker.end()
    dispatchFaults.end()
    world.mail?.post.end()
    await redisStrikes.settled()
    const healedAt = Date.now()
    await drained(world, crew, timing, () => load.waiting() === 0 && striker.stopped() === 0)
    tally.struck('listed-late', timesListedLate(world, timing.listDelayMs))
    const drainedMs = Date.now() - healedAt
    await load.end()
    const evidence = await crew.evidence(load.answers, redisStrikes.windows)
    const verdict = contender.judge(evidence)
    const atFault = WORDS.flatMap((word) => verdict[word])
    const stories: Record<string, string[]> = {}
    for (const { promotionId } of atFault.slice(0, 10)) stories[promotionId] = await crew.story(promotionId)
    return {
      verdict,
      struck: tally.counts(),
      course: courseOf(world, tally, begin),
      accepted: new Set(load.answers.map(({ id }) => id)).size,
      runs: evidence.runs.length,
      calls: callsOf(world),
      settled: crew.settled(),
      crashes: [...world.fleet.crashes, ...(world.mail?.server.crashes ?? [])],
      refusals: [...load.refusals, ...(world.mail?.post.troubles ?? [])],
      tookMs: Date.now() - startedAt,
      drainedMs,
      stories,
      logDir: world.logDir,
    }

    /** Load and strikes, each at its time. */
    async function plan() {
      const events = [
        ...planStrikes(random.fork('strikes'), durationMs, options.pace).map(({ atMs, strike: kind }) => ({
          atMs,
          happen: () => strike(kind),
        })),
        ...planWays(durationMs).map(({ atMs, way: next }) => ({ atMs, happen: () => follow(next) })),
        ...deliveries.map((delivery) => ({
          atMs: delivery.atMs,
          happen: () => (delivery.kind === 'foreign' ? void crew.addForeign(delivery) : load.begin(delivery)),
        })),
      ].sort((a, b) => a.atMs - b.atMs)
      begin = Date.now()
      const troubles: unknown[] = []
      const underWay: Promise<unknown>[] = []
      const ticking = setInterval(
        () => underWay.push(crew.look().catch((error) => troubles.push(error))),
        1_000,
      )
      try {
        for (const { atMs, happen } of events) {
          const waitMs = begin + atMs - Date.now()
          if (waitMs > 0) await pause(waitMs)
          happen()
        }
        await pause(Math.max(0, begin + durationMs - Date.now()))
      } finally {
        clearInterval(ticking)
        await Promise.all(underWay)
      }
    }

    /** A worker reads at its start how often it is to ask. */
    function follow(next: Way) {
      way = next
      world?.mail?.post.shut(way === 'poll')
    }

    function strike(kind: Strike) {
      switch (kind) {
        case 'bad-token':
          return dispatchFaults.badTokenForAWhile()
        case 'redis-killed':
          return void redisStrikes.kill()
        case 'redis-rolled-back':
          return void redisStrikes.rollBack()
        case 'queue-deleted':
          return contender.spared.includes(kind) ? undefined : void crew.deleteQueue()
        case 'retry-pressed':
          return void crew.pressRetry()
        case 'run-again':
          return void crew.runAgain()
        case 'target-held':
          return void crew.holdForAWhile()
        case 'target-rolled-back':
          return void crew.rollBack()
        case 'reads-away':
          return dispatchFaults.readsAwayForAWhile(kind)
        case 'webhooks-away':
          return world?.mail?.post.away(kind)
        case 'webhooks-and-reads-away':
          dispatchFaults.readsAwayForAWhile(kind)
          return world?.mail?.post.away(kind)
        case 'server-killed': {
          const slot = world?.mail?.server.slots[0]
          if (!slot) return
          slot.kill()
          return tally.struck(kind)
        }
        case 'kill-random':
        case 'term': {
          const slot = world?.fleet.slots[random.below(options.workers)]
          if (!slot || slot.isStopped) return
          if (kind === 'term') slot.terminate()
          else slot.kill()
          return tally.struck(kind)
        }
        default:
          return striker.arm(kind)
      }
    }
  } finally {
    striker.close()
    await load.end()
    await crew.close()
    await world.close()
  }
}

/** Until nothing is left to do, or the time is over: then the verdict says what is stuck. */
async function drained(world: World, crew: Crew, timing: Timing, isDelivered: () => boolean) {
  const endAt = Date.now() + timing.patienceMs * DRAIN_PATIENCES + 30_000
  let quietSince: number | undefined
  let mendAt = 0
  while (Date.now() < endAt) {
    if (Date.now() >= mendAt) {
      await crew.mend()
      mendAt = Date.now() + 1_000
    }
    const quiet = isDelivered() && world.simulator.lateRuns === 0 && (await crew.isDone())
    quietSince = quiet ? (quietSince ?? Date.now()) : undefined
    // Nothing in the air either: an answer, a stopped worker's last word.
    if (quietSince !== undefined && Date.now() - quietSince > timing.pauses.dispatchTimeoutMs) return
    await pause(LOOK_MS)
  }
}
