// Dispatches per second: the jobs are there, then one worker begins. The plain thing has done all of its work by then; of ours,
// what webhooks tell of the runs comes in at the same time, and its pace to the end is a figure of its own.

import { createPlainProducer } from '../plain.ts'
import type { Result, Section } from '../section.ts'
import { type Contender, openStage, type Stage } from '../stage.ts'
import { median, withSpread } from '../statistics.ts'

const CONCURRENCIES = [1, 16, 64]
const WHO: readonly Contender[] = ['plain', 'fresh', 'ours']
/** Left out at the beginning: connections, caches, the compiler. */
const WARM_UP = 0.2

interface Round {
  perSecond: number
  /** Of ours: to the end of every deployment. */
  endedPerSecond: number
}

export const dispatch: Section = {
  name: 'dispatch',
  title: 'Dispatches per second',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    try {
      const seen = new Map<string, Round[]>()
      for (let round = 0; round < rounds; round++) {
        for (const concurrency of CONCURRENCIES) {
          for (const who of WHO) {
            const count = quick ? 50 : concurrency === 1 ? 600 : 3_000
            const name = `${who}${concurrency}`
            seen.set(name, [...(seen.get(name) ?? []), await one(stage, who, concurrency, count)])
          }
        }
      }
      return resultOf(seen)
    } finally {
      await stage.close()
    }
  },
}

async function one(stage: Stage, who: Contender, concurrency: number, count: number): Promise<Round> {
  await stage.clear()
  const server = who === 'ours' ? await stage.startServer() : undefined
  await (who === 'ours' ? promote(stage, count) : add(stage, count))
  const workers = await stage.startWorkers(who, concurrency)
  try {
    await stage.dispatched(count)
    const times = (await stage.arrivals()).map(([, at]) => at)
    if (times.length !== count) throw new Error(`${times.length} dispatches of ${count} ${who} jobs`)
    const first = Math.floor(count * WARM_UP)
    const perSecond = ((count - 1 - first) * 1_000) / ((times.at(-1) ?? 0) - (times[first] ?? 0))
    if (who !== 'ours') return { perSecond, endedPerSecond: Number.NaN }
    await stage.ended(count)
    return { perSecond, endedPerSecond: (count * 1_000) / (Date.now() - (times[0] ?? 0)) }
  } finally {
    await workers.end()
    await server?.end()
  }
}

async function add(stage: Stage, count: number): Promise<void> {
  const producer = createPlainProducer(stage.redisUrl)
  await producer.addMany(Array.from({ length: count }, (_, n) => n))
  await producer.close()
}

/** Each of a target of its own. */
export async function promote(stage: Stage, count: number, from = 0): Promise<void> {
  const producer = stage.producer()
  const AT_ONCE = 100
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, n) => from + at + n)
    const results = await Promise.all(
      some.map((n) => producer.promote({ model: `model-${n}`, version: '1', accuracy: 0.93 })),
    )
    const refused = results.find(({ status }) => status !== 'accepted')
    if (refused) throw new Error(`a promotion is ${refused.status}`)
  }
  await producer.close()
}

function resultOf(seen: ReadonlyMap<string, readonly Round[]>): Result {
  const of = (who: Contender, concurrency: number) =>
    (seen.get(`${who}${concurrency}`) ?? []).map((one) => one.perSecond)
  const ended = (concurrency: number) =>
    (seen.get(`ours${concurrency}`) ?? []).map((one) => one.endedPerSecond)
  const ratio = (a: Contender, concurrency: number) =>
    median(of('ours', concurrency)) / median(of(a, concurrency))
  const figures: Record<string, number> = {}
  for (const concurrency of CONCURRENCIES) {
    for (const who of WHO) figures[`${who}At${concurrency}PerSecond`] = median(of(who, concurrency))
    figures[`oursToTheEndAt${concurrency}PerSecond`] = median(ended(concurrency))
    figures[`ratioAt${concurrency}`] = ratio('plain', concurrency)
  }
  return {
    figures,
    tables: [
      {
        title: 'Dispatches per second of one worker: median of the rounds (smallest-largest)',
        columns: [
          'concurrency',
          'plain',
          'plain, fresh connections',
          'ours',
          'ours/plain',
          'ours/plain fresh',
          'ours, to the end',
        ],
        rows: CONCURRENCIES.map((n) => [
          n,
          withSpread(of('plain', n)),
          withSpread(of('fresh', n)),
          withSpread(of('ours', n)),
          ratio('plain', n).toFixed(2),
          ratio('fresh', n).toFixed(2),
          withSpread(ended(n)),
        ]),
      },
    ],
    targets: [
      {
        what: 'dispatches at concurrency 64, ours/plain',
        value: ratio('plain', 64),
        unit: 'times',
        atLeast: 0.8,
      },
    ],
  }
}
