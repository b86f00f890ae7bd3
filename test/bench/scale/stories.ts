// What the ledger's scripts tell before it is copied: a target with a promotion of each end, and a dead letter.
import type { Redis } from 'ioredis'
import { createInvalidJobs } from '../../../shared/invalid-jobs.ts'
import { createLedger, type Ledger } from '../../../shared/ledger/ledger.ts'
import { createLedgerReader } from '../../../shared/ledger/read.ts'
import type { RunEnd } from '../../../shared/ledger/steps.ts'
import { validatePromotion } from '../../../shared/promotion.ts'
import { createQueue, DEAD_LETTERS } from '../../../shared/queues.ts'
import { createDeadLetters } from '../../../worker/dead-letters/dead-letters.ts'
import { headOf, readStory, type Story } from './clone.ts'

export const REPOSITORY = 'acme/models'
export const WORKFLOW = `${REPOSITORY}/cd_pipeline.yml`

/** The promotions of a story, in the order in which they were accepted. */
export interface Told {
  story: Story
  ids: readonly string[]
}

/** Of each target in turn; with the letters they make ten of ten. */
const HISTORY = [
  'deployed',
  'failed',
  'superseded',
  'deployed',
  'cancelled',
  'superseded',
  'timed_out',
  'skipped',
  'deployed',
] as const
export const IN_HISTORY = HISTORY.length

const CONCLUSIONS = {
  deployed: 'success',
  failed: 'failure',
  cancelled: 'cancelled',
  timed_out: 'timed_out',
} as const

export async function tellHistory(redis: Redis): Promise<Told> {
  const marker = '987654321'
  return told(redis, marker, HISTORY.length, async (ids) => {
    const ledger = createLedger({ redis })
    for (const [n, end] of HISTORY.entries()) {
      const id = ids[n] ?? ''
      await takeIn(ledger, id, {
        model: `model-${marker}`,
        version: `${n + 1}`,
        key: `training-${n}-${marker}`,
      })
      if (end === 'superseded') continue
      const claimed = await claim(ledger, id, { enabled: end !== 'skipped' })
      if (end === 'skipped') continue
      if (claimed !== 'go') throw new Error(`${id} may not go: ${claimed}`)
      const run = { runId: `${n}${marker}`, runUrl: `https://ci.test/acme/models/actions/runs/${n}${marker}` }
      await tellTaken(ledger, id, run)
      await finish(ledger, { id, ...run, state: end, conclusion: CONCLUSIONS[end] })
    }
  })
}

export async function tellLetter(redis: Redis): Promise<Told> {
  const marker = '912345678'
  return told(redis, marker, 1, async ([id = '']) => {
    const ledger = createLedger({ redis })
    await takeIn(ledger, id, { model: `dead-${marker}`, version: '1', key: `dead-${marker}` })
    await claim(ledger, id)
    await ledger.recordOutcome({
      ...ending(id),
      outcome: 'rejected',
      detail: 'GitHub answered 422: inputs are too large',
      status: 422,
      next: { kind: 'dead_letter', exhausted: false },
    })
    const queue = createQueue(DEAD_LETTERS, redis)
    const invalidJobs = createInvalidJobs({ redis, queue })
    await createDeadLetters({ queue, reader: createLedgerReader({ redis }), invalidJobs }).bury(id, 1)
    // Where a worker's first look puts it: under Failed.
    const [job = ''] = await redis.lrange(queue.toKey('wait'), 0, -1)
    await redis.lrem(queue.toKey('wait'), 0, job)
    await redis.zadd(queue.toKey('failed'), Date.now(), job)
    await redis.hset(
      queue.toKey(job),
      'failedReason',
      'inputs are too large',
      'finishedOn',
      Date.now(),
      'atm',
      1,
    )
    await queue.close()
  })
}

async function told(
  redis: Redis,
  marker: string,
  count: number,
  tell: (ids: readonly string[]) => Promise<void>,
): Promise<Told> {
  const from = Date.now()
  const idTimes = Array.from({ length: count }, (_, n) => from + n)
  // A UUIDv7 of its time, and its place in the story.
  const ids = idTimes.map((at, n) => `${headOf(at)}-7000-8000-${String(n).padStart(3, '0')}${marker}`)
  await tell(ids)
  // As where nobody wants to be told: the worker puts it away.
  await redis.del('{relay:0}:news')
  return { ids, story: await readStory(redis, { marker, idTimes, from, to: Date.now() }) }
}

export interface Given {
  model: string
  version: string
  key: string
}

async function takeIn(ledger: Ledger, id: string, { key, ...about }: Given): Promise<void> {
  const valid = validatePromotion({
    ...about,
    accuracy: 0.9234,
    metrics: { auc: 0.981, f1: 0.902, loss: 0.0713 },
  })
  if (!valid.ok) throw new Error(JSON.stringify(valid.problems))
  const { status } = await ledger.accept(id, valid.value, key)
  if (status !== 'accepted') throw new Error(`${about.model} ${about.version}: ${status}`)
}

export async function claim(ledger: Ledger, id: string, { enabled = true } = {}): Promise<string> {
  const limits = { slotMs: 0, uncertainMs: 40_000, recheckMs: 60_000, maxClaims: 10 }
  const [repository, workflow] = [REPOSITORY, 'cd_pipeline.yml']
  const { kind } = await ledger.claim({
    id,
    token: id,
    worker: 'bench',
    enabled,
    repository,
    workflow,
    ...limits,
  })
  return kind
}

function ending(id: string) {
  const scopes = [REPOSITORY, WORKFLOW]
  return { id, attempt: 1, token: id, scopes, fault: false, faultPauseMs: 15_000, recheckMs: 60_000 }
}

export async function tellTaken(
  ledger: Ledger,
  id: string,
  run: { runId: string; runUrl: string },
): Promise<void> {
  const taken = { outcome: 'dispatched', detail: 'GitHub answered 200', status: 200 }
  const { kind } = await ledger.recordOutcome({ ...ending(id), ...taken, next: { kind: 'track', ...run } })
  if (kind !== 'track') throw new Error(`${id} is not tracked: ${kind}`)
}

export async function finish(ledger: Ledger, end: Omit<RunEnd, 'runAttempt'>): Promise<void> {
  const { finished } = await ledger.finish({ ...end, runAttempt: 1 })
  if (!finished) throw new Error(`${end.id} is not finished`)
}
