// From the call of the producer until the request arrives at GitHub, with nothing else to do and at a steady pace.
import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainProducer } from '../plain.ts'
import type { Result, Section } from '../section.ts'
import { type Contender, openStage, type Stage } from '../stage.ts'
import { median, percentile, short, withSpread } from '../statistics.ts'

const WHO: readonly Contender[] = ['plain', 'fresh', 'ours']
const CONCURRENCY = 16
const PACE_PER_SECOND = 50
const WARM_UP = 50

interface Round {
  p50Ms: number
  p99Ms: number
}

/** Idle: the next one comes when the one before has arrived, and a moment later. */
type Load = 'idle' | 'paced'

export const latency: Section = {
  name: 'latency',
  title: 'From accept to the wire',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    const seen = new Map<string, Round[]>()
    try {
      for (let round = 0; round < rounds; round++) {
        for (const load of ['idle', 'paced'] as const) {
          for (const who of WHO) {
            const one = await measure(stage, who, load, quick ? 10 : 300)
            seen.set(`${who} ${load}`, [...(seen.get(`${who} ${load}`) ?? []), one])
          }
        }
      }
    } finally {
      await stage.close()
    }
    return resultOf(seen)
  },
}

async function measure(stage: Stage, who: Contender, load: Load, count: number): Promise<Round> {
  // Nothing else to do: no run ends meanwhile.
  await stage.clear({ held: true })
  const server = who === 'ours' ? await stage.startServer() : undefined
  const workers = await stage.startWorkers(who, CONCURRENCY)
  const producer = who === 'ours' ? ours(stage) : plain(stage)
  try {
    for (let n = 0; n < WARM_UP; n++) await producer.send(n)
    await stage.dispatched(WARM_UP)
    const sentAt = new Map<string, number>()
    const sending: Promise<unknown>[] = []
    for (let n = 0; n < count; n++) {
      const at = performance.timeOrigin + performance.now()
      const sent = producer.send(WARM_UP + n).then((name) => sentAt.set(name, at))
      sending.push(sent)
      if (load === 'idle') {
        await sent
        await stage.dispatched(WARM_UP + n + 1, 1)
      }
      await sleep(load === 'idle' ? 5 : 1_000 / PACE_PER_SECOND)
    }
    await Promise.all(sending)
    await stage.dispatched(WARM_UP + count)
    const times = (await stage.arrivals())
      .flatMap(([name, at]) => at - (sentAt.get(name) ?? Number.NaN))
      .slice(WARM_UP)
    if (times.some(Number.isNaN)) throw new Error('something arrived that nobody has sent')
    return { p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) }
  } finally {
    await producer.close()
    await workers.end()
    await server?.end()
  }
}

/** @returns of both: `send` answers the name under which it arrives */
function plain(stage: Stage) {
  const producer = createPlainProducer(stage.redisUrl)
  return { send: (n: number) => producer.add(n).then(() => String(n)), close: producer.close }
}

function ours(stage: Stage) {
  const producer = stage.producer()
  return {
    async send(n: number): Promise<string> {
      const result = await producer.promote({ model: `model-${n}`, version: '1', accuracy: 0.93 })
      if (result.status !== 'accepted') throw new Error(`a promotion is ${result.status}`)
      return result.id
    },
    close: producer.close,
  }
}

function resultOf(seen: ReadonlyMap<string, readonly Round[]>): Result {
  const of = (who: Contender, load: Load, figure: keyof Round) =>
    (seen.get(`${who} ${load}`) ?? []).map((round) => round[figure])
  const ratio = (load: Load, figure: keyof Round) =>
    median(of('ours', load, figure)) / median(of('plain', load, figure))
  const figures: Record<string, number> = {}
  for (const load of ['idle', 'paced'] as const) {
    for (const who of WHO) {
      for (const figure of ['p50Ms', 'p99Ms'] as const)
        figures[`${who}_${load}_${figure}`] = median(of(who, load, figure))
    }
  }
  const row = (load: Load, how: string, figure: keyof Round) => [
    how,
    ...WHO.map((who) => withSpread(of(who, load, figure))),
    short(ratio(load, figure)),
  ]
  return {
    figures,
    tables: [
      {
        title: 'From the call until the request arrives, ms: median of the rounds (smallest-largest)',
        columns: ['', 'plain', 'plain, fresh connections', 'ours', 'ours/plain'],
        rows: [
          row('idle', 'idle, p50', 'p50Ms'),
          row('idle', 'idle, p99', 'p99Ms'),
          row('paced', `${PACE_PER_SECOND}/s, p50`, 'p50Ms'),
          row('paced', `${PACE_PER_SECOND}/s, p99`, 'p99Ms'),
        ],
      },
    ],
    targets: [
      {
        what: 'accept to wire, idle, p99, ours/plain',
        value: ratio('idle', 'p99Ms'),
        unit: 'times',
        atMost: 1.3,
      },
    ],
  }
}
