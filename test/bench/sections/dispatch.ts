// Dispatches per second: the jobs are there, then one worker begins. Ours is whole, and what comes after a dispatch is measured
// twice: the runs go on for longer than the burst, and end together when it is over; or they end while others are dispatched.
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
  /** Of ours: deployments taken to their end. */
  endedPerSecond: number
}

type Runs = 'end later' | 'end meanwhile'

export const dispatch: Section = {
  name: 'dispatch',
  title: 'Dispatches per second',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    const seen = new Map<string, Round[]>()
    const add = (name: string, round: Round) => seen.set(name, [...(seen.get(name) ?? []), round])
    try {
      for (let round = 0; round < rounds; round++) {
        for (const concurrency of CONCURRENCIES) {
          const count = quick ? 50 : concurrency === 1 ? 600 : 3_000
          for (const who of WHO)
            add(`${who}${concurrency}`, await measure(stage, who, { concurrency, count, runs: 'end later' }))
        }
        const busy = { concurrency: 64, count: quick ? 50 : 6_000, runs: 'end meanwhile' } as const
        add('busy', await measure(stage, 'ours', busy))
      }
    } finally {
      await stage.close()
    }
    return resultOf(seen)
  },
}

async function measure(
  stage: Stage,
  who: Contender,
  { concurrency, count, runs }: { concurrency: number; count: number; runs: Runs },
): Promise<Round> {
  await stage.clear({ held: runs === 'end later' })
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
    const asOf = runs === 'end later' ? Date.now() : (times[0] ?? 0)
    if (runs === 'end later') await stage.tell()
    await stage.ended(count)
    return { perSecond, endedPerSecond: (count * 1_000) / (Date.now() - asOf) }
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
  const of = (name: string) => (seen.get(name) ?? []).map((one) => one.perSecond)
  const ended = (name: string) => (seen.get(name) ?? []).map((one) => one.endedPerSecond)
  const ratio = (to: Contender, concurrency: number) =>
    median(of(`ours${concurrency}`)) / median(of(`${to}${concurrency}`))
  const busyRatio = median(of('busy')) / median(of('plain64'))
  const figures: Record<string, number> = { oursBusyPerSecond: median(of('busy')), busyRatio }
  for (const n of CONCURRENCIES) {
    for (const who of WHO) figures[`${who}At${n}PerSecond`] = median(of(`${who}${n}`))
    figures[`ratioAt${n}`] = ratio('plain', n)
    figures[`ratioToFreshAt${n}`] = ratio('fresh', n)
    figures[`endsAt${n}PerSecond`] = median(ended(`ours${n}`))
  }
  const row = (n: number) => [
    n,
    ...WHO.map((who) => withSpread(of(`${who}${n}`))),
    ratio('plain', n).toFixed(2),
    ratio('fresh', n).toFixed(2),
    withSpread(ended(`ours${n}`)),
  ]
  return {
    figures,
    tables: [
      {
        title:
          'Dispatches per second of one worker, and deployments that it takes to their end per second once their runs end: median of the rounds (smallest-largest)',
        columns: [
          'concurrency',
          'plain',
          'plain, fresh connections',
          'ours',
          'ours/plain',
          'ours/plain fresh',
          'ends',
        ],
        rows: CONCURRENCIES.map(row),
      },
      {
        title:
          'The same with runs that end two seconds after their dispatch, while others are dispatched, at concurrency 64',
        columns: ['', 'ours', 'ours/plain'],
        rows: [
          ['dispatches/s', withSpread(of('busy')), busyRatio.toFixed(2)],
          ['dispatched and taken to the end/s', withSpread(ended('busy')), '-'],
        ],
      },
    ],
    targets: [
      {
        what: 'dispatches at concurrency 64, ours/plain',
        value: ratio('plain', 64),
        unit: 'times',
        atLeast: 0.8,
      },
      {
        what: 'the same with runs that end meanwhile, ours/plain',
        value: busyRatio,
        unit: 'times',
        atLeast: 0.8,
      },
    ],
  }
}
