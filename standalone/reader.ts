/** What ops ask at the command line: straight in Redis or of the relay's server, and shown the same. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Answers } from '../shared/ask.ts'
import type { FieldProblem } from '../shared/promotion.ts'
import type { PromotionView } from '../shared/views.ts'
import type { Whereabouts } from './commands/find-relay.ts'
import { type Away, askRedis, WITHIN_MS } from './near-redis.ts'

export type Got<T> =
  | { kind: 'answer'; value: T }
  | { kind: 'invalid'; problems: readonly FieldProblem[] }
  /** The relay's server does not take this token for it. */
  | { kind: 'forbidden'; text: string }
  | Away

export type Query = Readonly<Record<string, string | number | undefined>>

export interface Reader {
  ask<Name extends keyof Answers>(name: Name, query?: Query): Promise<Got<Answers[Name]>>
  /** With its timeline; undefined if there is none. */
  promotion(id: string): Promise<Got<PromotionView | undefined>>
  close(): Promise<void>
}

export async function findReader(place: Whereabouts): Promise<Reader> {
  return 'redisUrl' in place ? inRedis(place) : overHttp(place)
}

async function inRedis({ redisUrl }: { redisUrl: string }): Promise<Reader> {
  const [
    { createAsk },
    { createDesk },
    { createListing },
    { createLedgerReader },
    queues,
    { connectForProducer },
    { promotionView },
    { silentLogger },
  ] = await Promise.all([
    import('../shared/ask.ts'),
    import('../shared/desk.ts'),
    import('../shared/ledger/listing.ts'),
    import('../shared/ledger/read.ts'),
    import('../shared/queues.ts'),
    import('../shared/redis/connect.ts'),
    import('../shared/views.ts'),
    import('../shared/logger.ts'),
  ])
  const redis = connectForProducer(redisUrl, silentLogger)
  const reader = createLedgerReader({ redis })
  const listing = createListing({ redis })
  const queue = queues.createQueue(queues.DEAD_LETTERS, redis)
  queue.on('error', () => {})
  const ask = createAsk({ desk: createDesk({ reader, listing, redis, deadLetters: queue }), listing })
  return {
    ask: (name, query = {}) =>
      askRedis(redis, async () => {
        const answered = await ask[name](query)
        return answered.ok
          ? { kind: 'answer', value: answered.value }
          : { kind: 'invalid', problems: answered.problems }
      }),
    promotion: (id) =>
      askRedis(redis, async () => {
        const [found, timeline] = await Promise.all([reader.promotion(id), reader.timeline(id)])
        return { kind: 'answer', value: found && promotionView(found, timeline) }
      }),
    async close() {
      await queue.close().catch(() => {})
      redis.disconnect()
    },
  }
}

const PATHS: Record<keyof Answers, string> = {
  promotions: 'promotions',
  targets: 'targets',
  deadLetters: 'dead-letters',
  circuits: 'circuits',
  stats: 'stats',
  search: 'search',
}

async function overHttp({ url, token }: { url: string; token: string }): Promise<Reader> {
  async function get<T>(path: string, query: Query): Promise<Got<T> | { kind: 'none' }> {
    const given = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value))
    try {
      const response = await callRelay(`${url}/v1/${path}?${given}`, token)
      // biome-ignore lint/suspicious/noExplicitAny: the relay's own answer
      const body = (await response.json()) as any
      if (response.ok) return { kind: 'answer', value: body as T }
      const said = `the relay refused: ${[body.title, body.detail].filter(Boolean).join('. ')}`
      if (response.status === 404 && path.startsWith('promotions/')) return { kind: 'none' }
      if (response.status === 400 && body.errors) return { kind: 'invalid', problems: body.errors }
      if (response.status === 401 || response.status === 403) return { kind: 'forbidden', text: said }
      return { kind: 'unavailable', text: said }
    } catch {
      return { kind: 'unavailable', text: `the relay at ${url} can't be reached` }
    }
  }
  return {
    async ask<Name extends keyof Answers>(name: Name, query: Query = {}) {
      const got = await get<Answers[Name]>(PATHS[name], query)
      return got.kind === 'none'
        ? { kind: 'unavailable', text: `the relay at ${url} knows no ${PATHS[name]}` }
        : got
    },
    async promotion(id) {
      const got = await get<PromotionView>(`promotions/${encodeURIComponent(id)}`, {})
      return got.kind === 'none' ? { kind: 'answer', value: undefined } : got
    },
    async close() {},
  }
}

/** Whoever asks for many things may have to wait for their turn. */
const MOST_TURNS = 5

/** @throws where it can't be reached */
export async function callRelay(url: string, token: string, init: RequestInit = {}): Promise<Response> {
  for (let turn = 1; ; turn++) {
    const response = await fetch(url, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
      signal: AbortSignal.timeout(WITHIN_MS),
    })
    if (response.status !== 429 || turn === MOST_TURNS) return response
    await response.arrayBuffer()
    await pause(Math.min(60, Number(response.headers.get('retry-after')) || 1) * 1000)
  }
}
