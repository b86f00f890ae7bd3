/** Ops at the command line: holds, releases and rolls back, straight in Redis or through the relay's server. */

import type { Held, Released } from '../shared/ledger/ledger.ts'
import type { Invalid, Operate, OrderRequest, RollbackRequest, RollbackResult } from '../shared/operate.ts'
import type { FieldProblem } from '../shared/promotion.ts'
import type { Whereabouts } from './commands/find-relay.ts'

export type Operated =
  | { status: 'held' | 'released' | 'not_held' }
  | { status: 'accepted' | 'duplicate'; id: string; version: string }
  | { status: 'refused'; reason: string }
  | { status: 'invalid'; problems: FieldProblem[] }
  | { status: 'unavailable'; reason: string }

export interface Operator {
  hold(order: OrderRequest): Promise<Operated>
  release(order: OrderRequest): Promise<Operated>
  rollback(order: RollbackRequest): Promise<Operated>
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
    { createLedgerReader },
    queues,
    { connectForProducer },
    { createOperate },
    wake,
    logger,
  ] = await Promise.all([
    import('../shared/ledger/ledger.ts'),
    import('../shared/ledger/read.ts'),
    import('../shared/queues.ts'),
    import('../shared/redis/connect.ts'),
    import('../shared/operate.ts'),
    import('../shared/wake.ts'),
    import('../shared/logger.ts'),
  ])
  const log = logger.silentLogger
  const redis = connectForProducer(redisUrl, log)
  const queue = queues.createQueue(queues.PROMOTIONS, redis)
  queue.on('error', () => {})
  const operate: Operate = createOperate({
    ledger: createLedger({ redis, replicas }),
    wake: wake.createWake({ reader: createLedgerReader({ redis }), queue }),
    log,
  })

  async function reached<A extends Held | Released | Invalid | RollbackResult>(
    asked: () => Promise<A>,
  ): Promise<Operated> {
    try {
      await within(
        WITHIN_MS,
        redis.status === 'ready'
          ? Promise.resolve()
          : new Promise<void>((ready) => redis.once('ready', ready)),
      )
      return operatedBy(await within(WITHIN_MS, asked()))
    } catch (error) {
      const { code } = error as { code?: unknown }
      return {
        status: 'unavailable',
        reason: `Redis can't be reached (${typeof code === 'string' ? code : 'no answer'})`,
      }
    }
  }

  return {
    hold: (order) => reached(() => operate.hold(order)),
    release: (order) => reached(() => operate.release(order)),
    rollback: (order) => reached(() => operate.rollback(order)),
    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}

function operatedBy(answer: Held | Released | Invalid | RollbackResult): Operated {
  switch (answer.kind) {
    case 'invalid':
      return { status: 'invalid', problems: answer.problems }
    case 'unknown':
      return { status: 'refused', reason: UNKNOWN }
    case 'rollback': {
      const { result } = answer
      if (result.status !== 'refused')
        return { status: result.status, id: result.id, version: result.version }
      const why = { unknown: UNKNOWN, nothing_before: NOTHING_BEFORE, blocked: blocked(result.version) }
      return { status: 'refused', reason: why[result.why] }
    }
    default:
      return { status: answer.kind }
  }
}

const UNKNOWN = 'no such target: nothing was ever promoted to it'
const NOTHING_BEFORE = 'no other version was live before: say which one with --to'
const blocked = (version = '') =>
  `version ${version}, which was live before, was itself rolled back from: say which one is meant with --to`

async function overHttp({ url, token }: { url: string; token: string }): Promise<Operator> {
  async function post(what: string, order: object): Promise<Operated> {
    try {
      const response = await fetch(`${url}/v1/targets/${what}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(order),
        signal: AbortSignal.timeout(WITHIN_MS),
      })
      // biome-ignore lint/suspicious/noExplicitAny: the relay's own answer
      const body: any = await response.json()
      if (response.ok) return body
      if (response.status === 400 && body.errors) return { status: 'invalid', problems: body.errors }
      const reason = [body.title, body.detail].filter(Boolean).join('. ')
      if (response.status === 404 || response.status === 409) return { status: 'refused', reason }
      return { status: 'unavailable', reason: `the relay refused: ${reason || response.status}` }
    } catch {
      return { status: 'unavailable', reason: `the relay at ${url} can't be reached` }
    }
  }

  return {
    hold: (order) => post('hold', order),
    release: (order) => post('release', order),
    rollback: (order) => post('rollback', order),
    async close() {},
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(ms)
  return Promise.race([
    work,
    new Promise<never>((_, reject) => late.addEventListener('abort', () => reject(new Error('no answer')))),
  ])
}
