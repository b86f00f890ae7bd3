// What one promotion costs Redis, counted and not timed: the commands that clients send (those within a script are none),
// whose they are, and the bytes that go over the wire.
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createPlainProducer } from '../plain.ts'
import type { Result, Section } from '../section.ts'
import { openStage, type Stage } from '../stage.ts'
import { short } from '../statistics.ts'
import { promote } from './dispatch.ts'

const SWEPT_AFTER_MS = 1_000

interface Cost {
  /** Round trips to the ledger, and other commands of ours. */
  ledger: number
  bullmq: number
  bytesIn: number
}

const PHASES = ['accept', 'claim, dispatch, record', 'webhooks, to the end'] as const
type Phase = (typeof PHASES)[number]

export const cost: Section = {
  name: 'cost',
  title: 'What a promotion costs Redis',
  async run({ quick }): Promise<Result> {
    const count = quick ? 20 : 500
    const stage = await openStage()
    try {
      return resultOf(await plainCosts(stage, count), await ourCosts(stage, count))
    } finally {
      await stage.close()
    }
  },
}

async function plainCosts(stage: Stage, count: number): Promise<Map<Phase, Cost>> {
  await stage.clear({ held: true })
  const producer = createPlainProducer(stage.redisUrl)
  await producer.add(-1)
  const costs = new Map<Phase, Cost>()
  costs.set(
    'accept',
    await counted(stage, count, async () => {
      for (let n = 0; n < count; n++) await producer.add(n)
    }),
  )
  await producer.close()
  costs.set(
    'claim, dispatch, record',
    await counted(stage, count, async () => {
      const workers = await stage.startWorkers('plain', 16)
      await stage.dispatched(count + 1)
      await workers.end()
    }),
  )
  return costs
}

async function ourCosts(stage: Stage, count: number): Promise<Map<Phase, Cost>> {
  await stage.clear({ held: true })
  const server = await stage.startServer()
  await promote(stage, 1, count)
  const costs = new Map<Phase, Cost>()
  costs.set('accept', await counted(stage, count, () => promote(stage, count)))
  await stage.clear({ held: true })
  // It has swept an empty ledger by then: what waits is read by each sweep, however long it waits.
  const workers = await stage.startWorkers('ours', 16)
  await sleep(SWEPT_AFTER_MS)
  const both = await counted(stage, count, async () => {
    await promote(stage, count)
    await stage.dispatched(count)
    await stage.idle()
  })
  costs.set('claim, dispatch, record', without(both, costs.get('accept')))
  costs.set(
    'webhooks, to the end',
    await counted(stage, count, async () => {
      await stage.tell()
      await stage.ended(count)
      await stage.idle()
    }),
  )
  await workers.end()
  await server.end()
  return costs
}

/** Of a BullMQ of a product: all of its keys are below this, and its blocking reads are no cost of a promotion's. */
const BULLMQ = /"(?:\{relay:0\}:)?bull:/
const LEDGER_SCRIPT = /^"evalsha" "\w+" "1" "\{relay:0\}" /i
/** Asked at a pace of their own, whatever there is to do. */
const AT_A_PACE =
  /^"(?:bzpopmin|ping|info|hello|client|select|monitor|script|smembers|zrangebyscore)"|lease:|:news"|:workers"|:circuits"|:ended"/i

async function counted(stage: Stage, count: number, work: () => Promise<unknown>): Promise<Cost> {
  const watching = new Redis(stage.redisUrl)
  const monitor = await watching.monitor()
  const cost = { ledger: 0, bullmq: 0 }
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source === 'lua') return
    const line = args
      .slice(0, 5)
      .map((arg) => `"${arg.slice(0, 100)}"`)
      .join(' ')
    if (AT_A_PACE.test(line)) return
    if (LEDGER_SCRIPT.test(`${line} `)) cost.ledger++
    else if (BULLMQ.test(line)) cost.bullmq++
    else cost.ledger++
  })
  const before = await bytesIn(stage)
  await work()
  const after = await bytesIn(stage)
  monitor.disconnect()
  watching.disconnect()
  return {
    ledger: cost.ledger / count,
    bullmq: cost.bullmq / count,
    bytesIn: (after - before) / count,
  }
}

async function bytesIn({ redis }: Stage): Promise<number> {
  return Number(/^total_net_input_bytes:(\d+)/m.exec(await redis.info('stats'))?.[1])
}

function without(all: Cost, part: Cost = { ledger: 0, bullmq: 0, bytesIn: 0 }): Cost {
  return {
    ledger: all.ledger - part.ledger,
    bullmq: all.bullmq - part.bullmq,
    bytesIn: all.bytesIn - part.bytesIn,
  }
}

function resultOf(plain: ReadonlyMap<Phase, Cost>, ours: ReadonlyMap<Phase, Cost>): Result {
  const rows = PHASES.flatMap((phase) =>
    [
      { who: 'plain', cost: plain.get(phase) },
      { who: 'ours', cost: ours.get(phase) },
    ].flatMap(({ who, cost: one }) =>
      one ? [[phase, who, short(one.bullmq), short(one.ledger), short(one.bytesIn)]] : [],
    ),
  )
  const beyond = ours.get('claim, dispatch, record')?.ledger ?? Number.NaN
  return {
    figures: {
      acceptCommands: (ours.get('accept')?.ledger ?? 0) + (ours.get('accept')?.bullmq ?? 0),
      dispatchCommandsBeyondBullmq: beyond,
      dispatchCommandsOfBullmq: ours.get('claim, dispatch, record')?.bullmq ?? Number.NaN,
      endCommands:
        (ours.get('webhooks, to the end')?.ledger ?? 0) + (ours.get('webhooks, to the end')?.bullmq ?? 0),
    },
    tables: [
      {
        title: 'Commands that clients send to Redis for one promotion, and bytes',
        columns: ['', '', "BullMQ's", "the ledger's", 'bytes to Redis'],
        rows,
      },
    ],
    targets: [
      {
        what: "round trips of claim, dispatch and record beyond BullMQ's own",
        value: beyond,
        unit: 'a promotion',
        atMost: 2.05,
      },
    ],
    notes: [
      'Accept and its job go in one round trip. What is asked at a pace of its own (blocking reads, leases, signs of life) is left out.',
    ],
  }
}
