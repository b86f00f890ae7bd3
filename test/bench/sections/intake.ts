// Promotions over HTTP: what `serve` takes in, by autocannon, each of a target of its own.
import autocannon from 'autocannon'
import type { Result, Section } from '../section.ts'
import { API_TOKEN, openStage, type Stage } from '../stage.ts'
import { median, withSpread } from '../statistics.ts'

const CONNECTIONS = [1, 16, 64]

interface Round {
  perSecond: number
  p50Ms: number
  p99Ms: number
}

export const intake: Section = {
  name: 'intake',
  title: 'Promotions over HTTP',
  async run({ quick, rounds }): Promise<Result> {
    const stage = await openStage()
    const seen = new Map<number, Round[]>()
    try {
      for (let round = 0; round < rounds; round++) {
        for (const connections of CONNECTIONS) {
          const one = await measure(stage, connections, quick ? 1 : 5)
          seen.set(connections, [...(seen.get(connections) ?? []), one])
        }
      }
    } finally {
      await stage.close()
    }
    return resultOf(seen)
  },
}

async function measure(stage: Stage, connections: number, seconds: number): Promise<Round> {
  await stage.clear()
  const server = await stage.startServer()
  let n = 0
  try {
    const result = await autocannon({
      url: `${server.word}/v1/promotions`,
      connections,
      duration: seconds,
      requests: [
        {
          method: 'POST',
          headers: { authorization: `Bearer ${API_TOKEN}`, 'content-type': 'application/json' },
          setupRequest: (request) => ({
            ...request,
            body: JSON.stringify({ model: `model-${n++}`, version: '1', accuracy: 0.93 }),
          }),
        },
      ],
    })
    const taken = await stage.redis.zcard('{relay:0}:promotions')
    if (result.non2xx + result.errors > 0)
      throw new Error(`${result.non2xx} refused, ${result.errors} errors`)
    // Those in the air at the end are taken in, and their answers are not waited for.
    if (taken < result['2xx']) throw new Error(`${taken} in the ledger of ${result['2xx']} accepted`)
    const { p50, p99 } = result.latency
    return { perSecond: result.requests.average, p50Ms: p50, p99Ms: p99 }
  } finally {
    await server.end()
  }
}

function resultOf(seen: ReadonlyMap<number, readonly Round[]>): Result {
  const of = (connections: number, figure: keyof Round) =>
    (seen.get(connections) ?? []).map((round) => round[figure])
  const figures: Record<string, number> = {}
  for (const n of CONNECTIONS) {
    for (const figure of ['perSecond', 'p50Ms', 'p99Ms'] as const)
      figures[`at${n}_${figure}`] = median(of(n, figure))
  }
  return {
    figures,
    tables: [
      {
        title:
          '`POST /v1/promotions` of one `serve`: median of the rounds (smallest-largest); times in whole ms',
        columns: ['connections', 'promotions/s', 'p50, ms', 'p99, ms'],
        rows: CONNECTIONS.map((n) => [
          n,
          withSpread(of(n, 'perSecond')),
          withSpread(of(n, 'p50Ms')),
          withSpread(of(n, 'p99Ms')),
        ]),
      },
    ],
    targets: [],
  }
}
