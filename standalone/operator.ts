/** Ops at the command line: their orders, straight in Redis or through the relay's server. */
import type { Operate, Operated } from '../shared/operate.ts'
import type { Whereabouts } from './commands/find-relay.ts'
import { type Away, askRedis } from './near-redis.ts'
import { callRelay } from './reader.ts'

export type OperatedFar = Operated | Away

export type Order = keyof Operate

export interface Operator {
  give(order: Order, request: Record<string, unknown>): Promise<OperatedFar>
  close(): Promise<void>
}

export async function findOperator(place: Whereabouts): Promise<Operator> {
  return 'redisUrl' in place ? inRedis(place) : overHttp(place)
}

async function inRedis({ redisUrl, replicas }: { redisUrl: string; replicas: number }): Promise<Operator> {
  const [
    { createLedger },
    { createAudit },
    { createCircuits },
    { createLedgerReader },
    queues,
    { connectForProducer },
    { createOperate },
    wake,
    { silentLogger: log },
  ] = await Promise.all([
    import('../shared/ledger/ledger.ts'),
    import('../shared/ledger/audit.ts'),
    import('../shared/ledger/circuits.ts'),
    import('../shared/ledger/read.ts'),
    import('../shared/queues.ts'),
    import('../shared/redis/connect.ts'),
    import('../shared/operate.ts'),
    import('../shared/wake.ts'),
    import('../shared/logger.ts'),
  ])
  const redis = connectForProducer(redisUrl, log)
  const queue = queues.createQueue(queues.PROMOTIONS, redis)
  queue.on('error', () => {})
  const reader = createLedgerReader({ redis })
  const audit = createAudit({ redis })
  const operate = createOperate({
    ledger: createLedger({ redis, replicas }),
    circuits: createCircuits({ redis }),
    promotion: reader.promotion,
    wake: wake.createWake({ reader, queue }),
    note: (deed) => audit.note({ ...deed, via: 'cli' }),
    log,
  })

  return {
    give: (order, request) => askRedis(redis, () => operate[order](request)),
    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}

async function overHttp({ url, token }: { url: string; token: string }): Promise<Operator> {
  return {
    async give(order, { id, ...body }) {
      const path = PATHS[order].replace('{id}', encodeURIComponent(String(id)))
      try {
        const response = await callRelay(`${url}/v1/${path}`, token, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        // biome-ignore lint/suspicious/noExplicitAny: the relay's own answer
        return operatedBy(response.status, (await response.json()) as any)
      } catch {
        return { kind: 'unavailable', text: `the relay at ${url} can't be reached` }
      }
    },
    async close() {},
  }
}

const PATHS: Record<Order, string> = {
  hold: 'targets/hold',
  release: 'targets/release',
  rollback: 'targets/rollback',
  redrive: 'promotions/{id}/redrive',
  discard: 'promotions/{id}/discard',
  resolve: 'promotions/{id}/resolve',
  probe: 'circuits/probe',
}

// biome-ignore lint/suspicious/noExplicitAny: the relay's own answer
function operatedBy(status: number, body: any): OperatedFar {
  const { title = `status ${status}`, detail } = body
  if (status < 300) return { kind: 'done', ...body }
  if (status === 400 && body.errors) return { kind: 'invalid', problems: body.errors }
  if (status === 404) return { kind: 'unknown', text: title }
  if (status === 409)
    return {
      kind: 'refused',
      status: 'refused',
      text: title,
      ...(detail && { hint: detail.replace(/\.$/, '') }),
    }
  return { kind: 'unavailable', text: `the relay refused: ${[title, detail].filter(Boolean).join('. ')}` }
}
