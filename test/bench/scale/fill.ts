// Fills a Redis with so many kept promotions, each as the product's own scripts leave one; see clone.ts.
import { isDeepStrictEqual } from 'node:util'
import type { Redis } from 'ioredis'
import { explain, sentenceOf } from '../../../shared/explain.ts'
import { createLedgerReader } from '../../../shared/ledger/read.ts'
import { asInCopy, type Copies, copyStory } from './clone.ts'
import { IN_HISTORY, type Told, tellHistory, tellLetter } from './stories.ts'

export interface Amount {
  promotions: number
  targets: number
  deadLetters: number
}

export interface Filled extends Amount {
  /** Models that have a history, and those of dead letters. */
  modelOf(n: number): string
  letterModelOf(n: number): string
  /** The newest of each. */
  ended: string
  dead: string
  tookMs: number
}

/** A tenth of a history is a dead letter where there are ten; of more, one promotion in a hundred. */
export function amountOf(promotions: number): Amount {
  const deadLetters = promotions <= 10 ? 1 : promotions / 100
  return { promotions, deadLetters, targets: (promotions - deadLetters) / IN_HISTORY + deadLetters }
}

/** Over so long they were promoted, the last a moment ago: none is so old that it is forgotten, ms. */
const OVER_MS = 80 * 24 * 3_600_000

export async function fill(redis: Redis, promotions: number): Promise<Filled> {
  const began = performance.now()
  const amount = amountOf(promotions)
  const history = await tellHistory(redis)
  const letter = await tellLetter(redis)
  // The originals are of the number.
  const histories = copiesOf(amount.targets - amount.deadLetters - 1)
  const letters = copiesOf(amount.deadLetters - 1)
  await persist(redis, false)
  await copyStory(redis, history.story, histories)
  await copyStory(redis, letter.story, letters)
  if (promotions > 10) await countEnds(redis)
  await persist(redis, true)
  await mustReadAlike(redis, history, histories)
  await mustReadAlike(redis, letter, letters)
  await mustBe(redis, amount)
  const number = (n: number) => String(n).padStart(9, '0')
  const named =
    (name: string, { story }: Told, { count }: Copies) =>
    (n: number) =>
      `${name}-${count === 0 ? story.marker : number(1 + (n % count))}`
  return {
    ...amount,
    modelOf: named('model', history, histories),
    letterModelOf: named('dead', letter, letters),
    ended: history.ids.at(-1) ?? '',
    dead: letter.ids.at(-1) ?? '',
    tookMs: performance.now() - began,
  }
}

function copiesOf(count: number): Copies {
  const stepMs = Math.max(1_000, Math.floor(OVER_MS / Math.max(1, count)))
  return { first: 1, count, earlierMs: 1_000, stepMs: Math.min(stepMs, 3_600_000) }
}

/** Without its file while it is filled; then with the file that the product has, which is written anew first. */
async function persist(redis: Redis, isOn: boolean): Promise<void> {
  await redis.config('SET', 'appendonly', isOn ? 'yes' : 'no')
  for (let isWriting = isOn; isWriting; ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    isWriting = /aof_rewrite_(in_progress|scheduled):1/.test(await redis.info('persistence'))
  }
}

/** So many promote without a pause that every minute of the last day has its ends. */
async function countEnds(redis: Redis): Promise<void> {
  const minuteNow = Math.floor(Date.now() / 60_000)
  const pipeline = redis.pipeline()
  for (const what of ['triggers', 'deployments']) {
    for (let minute = minuteNow - 24 * 60; minute < minuteNow; minute++)
      pipeline.hset(`{relay:0}:${what}:${Math.floor(minute / 60)}`, `${minute}:good`, 6, `${minute}:bad`, 1)
  }
  await pipeline.exec()
  const [day] = await createLedgerReader({ redis }).endsWithin('triggers', [24 * 60])
  if (day === undefined || day.bad < 24 * 60 - 1) throw new Error('the ends of the last day are not read')
}

/** The copy of a promotion is read as its original, but for its ids and times: or else the copying is out of date. */
async function mustReadAlike(redis: Redis, { story, ids }: Told, copies: Copies): Promise<void> {
  for (const n of copies.count === 0 ? [] : [copies.first, copies.first + copies.count - 1]) {
    for (const id of ids) {
      const original = JSON.stringify(await readAll(redis, id))
      const copy = await readAll(redis, asInCopy(id, story, n, copies))
      const expected = JSON.parse(asInCopy(original, story, n, copies))
      if (isDeepStrictEqual(copy, expected)) continue
      throw new Error(
        `a copy is not read as its original:\n${JSON.stringify(copy)}\n${JSON.stringify(expected)}`,
      )
    }
  }
}

async function readAll(redis: Redis, id: string): Promise<unknown> {
  const reader = createLedgerReader({ redis })
  const promotion = await reader.promotion(id)
  if (!promotion) throw new Error(`there is no promotion ${id}`)
  const timeline = await reader.timeline(id)
  const told = { promotion, timeline, words: explain(promotion), steps: timeline.map(sentenceOf) }
  // What is not set is not told in JSON.
  return JSON.parse(JSON.stringify({ ...told, target: await reader.target(promotion) }))
}

async function mustBe(redis: Redis, { promotions, targets, deadLetters }: Amount): Promise<void> {
  const count = async (name: string) => redis.zcard(`{relay:0}:${name}`)
  const { dead_lettered, ...others } = await createLedgerReader({ redis }).countByState()
  const there = {
    promotions: await count('promotions'),
    targets: await count('targets'),
    deadLetters: dead_lettered,
    parked: await count('bull:dead-letters:failed'),
    ended: await count('ended'),
    others: Object.values(others).reduce((sum, one) => sum + one),
  }
  const wanted = {
    promotions,
    targets,
    deadLetters,
    parked: deadLetters,
    ended: promotions - deadLetters,
    others: 0,
  }
  if (!isDeepStrictEqual(there, wanted))
    throw new Error(`filled with ${JSON.stringify(there)} in place of ${JSON.stringify(wanted)}`)
}
