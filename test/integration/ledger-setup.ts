// The ledger alone on a real Redis, with the words in which its tests speak: take a promotion in, let it go, say how
// its attempt ended.
import type { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { createCircuits } from '../../shared/ledger/circuits.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { createScriptRunner } from '../../shared/ledger/scripts.ts'
import type {
  Accepted,
  AttemptEnd,
  ClaimRequest,
  Look,
  LookedAt,
  Next,
  RunEnd,
} from '../../shared/ledger/steps.ts'
import { silentLogger } from '../../shared/logger.ts'
import { type PromotionRequest, validatePromotion } from '../../shared/promotion.ts'
import { connectForWorker, KEY_PREFIX } from '../../shared/redis/connect.ts'
import { keysMustBeDescribed } from '../support/keys-described.ts'
import { testRedis } from '../support/test-redis.ts'

export const REPOSITORY = 'acme/models'
export const WORKFLOW = 'cd_pipeline.yml'
export const CD = `${REPOSITORY}/${WORKFLOW}`

export async function setup() {
  const { url } = await testRedis()
  onTestFinished(() => keysMustBeDescribed(url))
  const redis = connectForWorker(url, silentLogger)
  onTestFinished(() => redis.disconnect())
  return ledgerOn(redis)
}

export function ledgerOn(redis: Redis) {
  const ledger = createLedger({ redis })
  const reader = createLedgerReader({ redis })
  const circuits = createCircuits({ redis })
  let ids = 0
  let runs = 9000

  /** Accepts as a producer does, with an id of its own. */
  async function accept(
    version: string,
    more: Partial<PromotionRequest> & { id?: string; key?: string } = {},
  ): Promise<Accepted> {
    const { id = `p-${++ids}`, key, ...rest } = more
    const valid = validatePromotion({ model: 'fraud-detector', version, ...rest })
    if (!valid.ok) throw new Error(JSON.stringify(valid.problems))
    return ledger.accept(id, valid.value, key)
  }

  function claim(id: string, more: Partial<ClaimRequest> = {}) {
    return ledger.claim({
      id,
      token: `token of ${id}`,
      worker: 'w1',
      enabled: true,
      repository: REPOSITORY,
      workflow: WORKFLOW,
      slotMs: 0,
      uncertainMs: 40_000,
      recheckMs: 60_000,
      maxClaims: 10,
      ...more,
    })
  }

  function end(id: string, next: Next, more: Partial<AttemptEnd> = {}) {
    return ledger.recordOutcome({
      id,
      attempt: 1,
      token: `token of ${id}`,
      outcome: next.kind,
      detail: `ended with ${next.kind}`,
      status: 0,
      next,
      scopes: [REPOSITORY, CD],
      fault: false,
      faultPauseMs: 15_000,
      recheckMs: 60_000,
      ...more,
    })
  }

  /** Accepted, claimed and about to be sent. */
  async function going(version: string, more: Parameters<typeof accept>[1] = {}): Promise<string> {
    const { id } = await accept(version, more)
    const claimed = await claim(id)
    if (claimed.kind !== 'go') throw new Error(`it may not go: ${JSON.stringify(claimed)}`)
    return id
  }

  /** Taken by GitHub; `run` is the id of its run. */
  async function dispatched(version: string, more: Parameters<typeof accept>[1] = {}) {
    const id = await going(version, more)
    const run = String(++runs)
    await end(id, { kind: 'track', runId: run, runUrl: `https://ci/${run}` })
    return { id, run }
  }

  function finish(id: string, runId: string, state: RunEnd['state'] = 'deployed') {
    const conclusion = state === 'deployed' ? 'success' : state
    return ledger.finish({ id, runId, runUrl: `https://ci/${runId}`, runAttempt: 1, state, conclusion })
  }

  async function deployed(version: string, more: Parameters<typeof accept>[1] = {}): Promise<string> {
    const { id, run } = await dispatched(version, more)
    await finish(id, run)
    return id
  }

  async function deadLettered(version: string, more: Parameters<typeof accept>[1] = {}): Promise<string> {
    const id = await going(version, more)
    await end(id, REJECTED)
    return id
  }

  async function unresolved(version: string, more: Parameters<typeof accept>[1] = {}): Promise<string> {
    const id = await going(version, more)
    await end(id, UNKNOWN)
    await look(id, { kind: 'unexplained', detail: 'a run that nobody can explain' })
    return id
  }

  /** What a look at the workflow's runs says of a promotion in doubt; its patience is over. */
  async function look(id: string, seen: Look, more: Partial<LookedAt> = {}) {
    const looks = Number(await redis.hget(`${KEY_PREFIX}:promotion:${id}`, 'looks'))
    const patience = { looks, certainAfterMs: 0, looksNeeded: 1, delayMs: 0, maxAttempts: 8 }
    return ledger.resolve({ id, attempt: 1, look: seen, ...patience, ...more })
  }

  /** The prober has found that only a dispatch can tell; since the circuit last failed, time has gone by. */
  async function halfOpen(scope = REPOSITORY) {
    await redis.hincrby(`${KEY_PREFIX}:circuit:${scope}`, 'failedAt', -1_000)
    const circuit = await circuits.take(scope, { now: true })
    if (!circuit) throw new Error(`${scope} is not open`)
    await circuits.settle(circuit, { kind: 'half_open' })
  }

  async function promotion(id: string): Promise<Promotion> {
    const found = await reader.promotion(id)
    if (!found) throw new Error(`no promotion ${id}`)
    return found
  }

  return {
    redis,
    ledger,
    reader,
    /** A script with any argument, as no caller of ours would give it. */
    script: createScriptRunner(redis, KEY_PREFIX),
    key: (...parts: string[]) => [KEY_PREFIX, ...parts].join(':'),
    target: async (name = 'production/fraud-detector') =>
      (await redis.hgetall(`${KEY_PREFIX}:target:${name}`)) as Record<string, string>,
    promotion,
    state: async (id: string) => (await promotion(id)).state,
    /** What the timeline tells, without its times. */
    told: async (id: string) => (await reader.timeline(id)).map(({ what }) => what),
    accept,
    claim,
    end,
    going,
    dispatched,
    look,
    circuits,
    halfOpen,
    finish,
    deployed,
    deadLettered,
    unresolved,
  }
}

export const AGAIN = { kind: 'again', delayMs: 0, spend: true } as const
export const REJECTED = { kind: 'dead_letter', exhausted: false } as const
export const EXHAUSTED = { kind: 'dead_letter', exhausted: true } as const
export const UNKNOWN = { kind: 'unknown' } as const

export function behindCircuit(waitMs: number, scope = REPOSITORY, untilReset = false): Next {
  const circuit = { scope, reason: 'credentials', waitMs, untilReset }
  return { kind: 'again', delayMs: 0, spend: false, circuit }
}
