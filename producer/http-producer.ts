/** The library's face over HTTP, for those who reach the relay's server and not its Redis, such as the CLI. */
import type { Producer, PromoteResult, PromotionView } from './index.ts'

export interface HttpProducerOptions {
  /** Of the relay's server, e.g. http://localhost:8080 */
  url: string
  token: string
  /** For one call, ms; 2,000 by default. */
  deadlineMs?: number
}

interface Answer {
  status: number
  body: Record<string, unknown>
}

export function createHttpProducer({ url, token, deadlineMs = 2_000 }: HttpProducerOptions): Producer {
  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(deadlineMs),
    })
    return { status: response.status, body: await response.json() } as Answer
  }

  return {
    async promote(request, { idempotencyKey } = {}) {
      try {
        const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
        return resultFrom(await call('POST', '/v1/promotions', request, key))
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
      state: text('state') as Extract<PromoteResult, { id: string }>['state'],
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
