// What a producer waits for: `promote` beside a plain `queue.add`, one by one, many at once, and by the hundred.
import { createPlainProducer } from '../plain.ts'
import type { Result, Section } from '../section.ts'
import { openStage, type Stage } from '../stage.ts'
import { median, percentile, short, withSpread } from '../statistics.ts'

interface Way {
  name: string
  how: string
  /** Of those that are called at the same time, or in one call. */
  atOnce: number
  /** Where they go in one call: `addBulk`, and as many `promote` at once. */
  bulk: boolean
  count: number
}

const WAYS: readonly Way[] = [
  { name: 'single', how: 'one by one', atOnce: 1, bulk: false, count: 1_000 },
  { name: 'concurrent', how: '64 at once', atOnce: 64, bulk: false, count: 5_000 },
  { name: 'batch', how: 'by 100', atOnce: 100, bulk: true, count: 5_000 },
]

interface Round {
  perSecond: number
  p50Ms: number
  p99Ms: number
}

interface Producer {
  /** Numbers one by one; more than one only in bulk. */
  send(numbers: readonly number[]): Promise<unknown>
  close(): Promise<void>
}

export const accept: Section = {
  name: 'accept',
  title: 'Accept',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    const seen = { plain: new Map<string, Round[]>(), ours: new Map<string, Round[]>() }
    try {
      for (let round = 0; round < rounds; round++) {
        for (const way of WAYS) {
          const count = quick ? way.atOnce * 2 : way.count
          for (const who of ['plain', 'ours'] as const) {
            const one = await measure(stage, who, { ...way, count })
            seen[who].set(way.name, [...(seen[who].get(way.name) ?? []), one])
          }
        }
      }
    } finally {
      await stage.close()
    }
    return resultOf(seen)
  },
}

async function measure(stage: Stage, who: 'plain' | 'ours', { atOnce, bulk, count }: Way): Promise<Round> {
  await stage.clear()
  const producer = who === 'plain' ? plain(stage) : ours(stage)
  await producer.send([-1])
  const times: number[] = []
  let next = 0
  const size = bulk ? atOnce : 1
  const lane = async () => {
    for (let n = next; n < count; n = next) {
      next += size
      const asOf = performance.now()
      await producer.send(Array.from({ length: size }, (_, i) => n + i))
      times.push(performance.now() - asOf)
    }
  }
  const asOf = performance.now()
  await Promise.all(Array.from({ length: bulk ? 1 : atOnce }, lane))
  const perSecond = (count * 1_000) / (performance.now() - asOf)
  await producer.close()
  const kept = await stage.redis.llen(who === 'plain' ? 'bull:plain:wait' : '{relay:0}:bull:promotions:wait')
  if (kept !== count + 1) throw new Error(`${kept} jobs of ${count + 1} accepted by ${who}`)
  return { perSecond, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) }
}

function plain(stage: Stage): Producer {
  const producer = createPlainProducer(stage.redisUrl)
  return {
    send: (numbers) => (numbers.length > 1 ? producer.addMany(numbers) : producer.add(numbers[0] ?? 0)),
    close: producer.close,
  }
}

/** Each of a target of its own. */
function ours(stage: Stage): Producer {
  const producer = stage.producer()
  const send = async (n: number) => {
    const { status } = await producer.promote({ model: `model-${n}`, version: '1', accuracy: 0.93 })
    if (status !== 'accepted') throw new Error(`a promotion is ${status}`)
  }
  return { send: (numbers) => Promise.all(numbers.map(send)), close: producer.close }
}

function resultOf(seen: Record<'plain' | 'ours', ReadonlyMap<string, readonly Round[]>>): Result {
  const of = (who: 'plain' | 'ours', way: string, figure: keyof Round) =>
    (seen[who].get(way) ?? []).map((round) => round[figure])
  const ratio = (way: string, figure: keyof Round) =>
    median(of('ours', way, figure)) / median(of('plain', way, figure))
  const figures: Record<string, number> = {}
  for (const { name } of WAYS) {
    for (const who of ['plain', 'ours'] as const) {
      for (const figure of ['perSecond', 'p50Ms', 'p99Ms'] as const)
        figures[`${who}${name}_${figure}`] = median(of(who, name, figure))
    }
  }
  const row = (how: string, way: string, figure: keyof Round, unit: string) => [
    how,
    unit,
    withSpread(of('plain', way, figure)),
    withSpread(of('ours', way, figure)),
    short(ratio(way, figure)),
  ]
  return {
    figures,
    tables: [
      {
        title:
          'A call of `promote` beside one of `queue.add` (by 100: `addBulk`, and 100 calls of `promote` at once): median of the rounds (smallest-largest)',
        columns: ['', 'unit', 'plain', 'ours', 'ours/plain'],
        rows: WAYS.flatMap(({ name, how }) => [
          row(how, name, 'perSecond', 'promotions/s'),
          row('', name, 'p50Ms', 'p50, ms'),
          row('', name, 'p99Ms', 'p99, ms'),
        ]),
      },
    ],
    targets: [
      {
        what: 'accept p99, one by one, ours/plain',
        value: ratio('single', 'p99Ms'),
        unit: 'times',
        atMost: 1.5,
      },
      {
        what: 'accept p99, 64 at once, ours/plain',
        value: ratio('concurrent', 'p99Ms'),
        unit: 'times',
        atMost: 1.5,
      },
    ],
  }
}
