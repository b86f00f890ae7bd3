/** Ops at the command line: their orders, straight in Redis or through the relay's server. */
import type { Operate, Operated } from '../shared/operate.ts'
import type { Whereabouts } from './commands/find-relay.ts'

export type OperatedFar = Operated | { kind: 'unavailable'; text: string }

export type Order = keyof Operate

export interface Operator {
  give(order: Order, request: Record<string, unknown>): Promise<OperatedFar>
  close(): Promise<void>
}

/** For one call, ms. */
const WITHIN_MS = 5_000

export async function findOperator(place: Whereabouts): Promise<Operator> {
  return 'redisUrl' in place ? inRedis(place) : overHttp(place)
}

async function inRedis({ redisUrl, replicas }: { redisUrl: string; replicas: number }): Promise<Operator> {
  const [
    { createLedger },
    { createCircuits },
    { createLedgerReader },
    queues,
    { connectForProducer },
    { createOperate },
    wake,
    { silentLogger: log },
  ] = await Promise.all([
    import('../shared/ledger/ledger.ts'),
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
  const operate = createOperate({
    ledger: createLedger({ redis, replicas }),
    circuits: createCircuits({ redis }),
    promotion: reader.promotion,
    wake: wake.createWake({ reader, queue }),
    note: async () => {},
    log,
  })

  return {
    async give(order, request) {
      try {
        await within(
          WITHIN_MS,
          redis.status === 'ready'
            ? Promise.resolve()
            : new Promise<void>((ready) => redis.once('ready', ready)),
        )
        return await within(WITHIN_MS, operate[order](request))
      } catch (error) {
        const { code } = error as { code?: unknown }
        const why = typeof code === 'string' ? code : 'no answer'
        return { kind: 'unavailable', text: `Redis can't be reached (${why})` }
      }
    },
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
        const response = await fetch(`${url}/v1/${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(WITHIN_MS),
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

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(ms)
  return Promise.race([
    work,
    new Promise<never>((_, reject) => late.addEventListener('abort', () => reject(new Error('no answer')))),
  ])
}
