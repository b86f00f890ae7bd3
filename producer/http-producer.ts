/** The library's face over HTTP, for those who reach the relay's server and not its Redis, such as the CLI. */
import { traceContextFrom } from '../shared/trace-context.ts'
import type { Answered, Producer, PromoteResult, PromotionView } from './index.ts'
import { withSpool } from './with-spool.ts'

export interface HttpProducerOptions {
  /** Of the relay's server, e.g. http://localhost:8080 */
  url: string
  token: string
  /** For one call, ms; 2,000 by default. */
  deadlineMs?: number
  /** Where a promotion is kept that could not be handed over; without it such a one is `unavailable`. */
  spoolDir?: string | undefined
}

interface Answer {
  status: number
  body: Record<string, unknown>
}

export function createHttpProducer(options: HttpProducerOptions): Producer {
  const { spoolDir, deadlineMs = 2_000 } = options
  const producer = createPlainProducer({ ...options, deadlineMs })
  return spoolDir === undefined ? producer : withSpool(producer, { directory: spoolDir, deadlineMs })
}

function createPlainProducer({
  url,
  token,
  deadlineMs,
}: HttpProducerOptions & { deadlineMs: number }): Producer {
  async function call(
    method: string,
    path: string,
    {
      body,
      headers = {},
      withinMs = deadlineMs,
    }: { body?: unknown; headers?: Record<string, string>; withinMs?: number | undefined } = {},
  ) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(withinMs),
    })
    return { status: response.status, body: await response.json() } as Answer
  }

  return {
    async promote(request, { idempotencyKey, deadlineMs: withinMs, traceparent, tracestate } = {}) {
      try {
        const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
        const headers = { ...key, ...traceContextFrom(traceparent, tracestate) }
        return resultFrom(await call('POST', '/v1/promotions', { body: request, headers, withinMs }))
      } catch (error) {
        return { status: 'unavailable', reason: `the relay at ${url} can't be reached (${codeOf(error)})` }
      }
    },

    async get(id) {
      const { status, body } = await call('GET', `/v1/promotions/${encodeURIComponent(id)}`)
      if (status === 404) return undefined
      if (status !== 200) throw new Error(`the relay answered ${status}`)
      return viewFrom(body)
    },

    async close() {},
  }
}

function resultFrom({ status, body }: Answer): PromoteResult {
  const text = (name: string) => String(body[name] ?? '')
  if (status === 202) {
    return {
      status: body.status === 'duplicate' ? 'duplicate' : 'accepted',
      id: text('id'),
      state: text('state') as Answered['state'],
      live: text('live'),
    }
  }
  if (status === 400 && Array.isArray(body.errors)) return { status: 'invalid', problems: body.errors }
  if (status === 422) return { status: 'key_reused', id: '', state: 'accepted', live: '' }
  const reason = status === 401 ? 'it does not take this token' : `it answered ${status} ${text('title')}`
  return { status: 'unavailable', reason: `the relay refused: ${reason}` }
}

/** The API's answer in the shape of the ledger's record, as far as the command line shows it. */
function viewFrom(body: Record<string, unknown>): PromotionView {
  const timeline = (body.timeline ?? []) as { at: string; what: string }[]
  return {
    promotion: body as unknown as PromotionView['promotion'],
    timeline: timeline.map((entry) => ({ ...entry, at: Date.parse(entry.at) })),
  }
}

function codeOf(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: unknown }; name?: string }
  if (name === 'TimeoutError') return 'no answer in time'
  return typeof cause?.code === 'string' ? cause.code : 'no answer'
}
