/** What came of a request to GitHub, as a plain and redacted value, and the words for it. */
import { type Redact, redactDeep } from '../../shared/redact.ts'
import { SendError } from './send-once.ts'

export interface Answered {
  kind: 'answered'
  status: number
  /** Parsed JSON, or text where it is none. */
  body: unknown
  headers: Readonly<Record<string, string>>
}

export interface Failed {
  kind: 'failed'
  code: string
  message: string
}

export type Answer = Answered | Failed

/** Of what GitHub says, as much goes into a reason. */
const LONGEST_MESSAGE = 200

/** Octokit throws for 4xx and 5xx and for a broken network alike: `response` tells them apart. */
export async function answerOf(
  request: () => Promise<{ status: number; data: unknown; headers: object }>,
  redact: Redact,
  /** A page of runs is a megabyte: what is taken from a good answer is redacted as it is taken. */
  body: 'redacted' | 'as_taken' = 'redacted',
): Promise<Answer> {
  try {
    const { status, data, headers } = await request()
    if (body === 'redacted') return answered(status, data, headers, redact)
    return { ...answered(status, undefined, headers, redact), body: data }
  } catch (error) {
    return answerFrom(error, redact)
  }
}

export function answerFrom(error: unknown, redact: Redact): Answer {
  const { response } = error as { response?: { status: number; data: unknown; headers: object } }
  if (response) return answered(response.status, response.data, response.headers, redact)
  return { kind: 'failed', ...faultOf(error, redact) }
}

export function answered(status: number, body: unknown, received: object, redact: Redact): Answered {
  // A lone surrogate, which JSON may carry, is refused by Redis's JSON reader: the outcome could not be recorded.
  const clean: Redact = (text) => redact(text).toWellFormed()
  const plain = Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)]))
  return { kind: 'answered', status, body: redactDeep(body, clean), headers: redactDeep(plain, clean) }
}

export function faultOf(error: unknown, redact: Redact): { code: string; message: string } {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown }
    if (at instanceof SendError || (typeof code === 'string' && code !== '')) {
      return { code: String(code), message: redact(at.message) }
    }
  }
  return { code: 'NETWORK', message: redact(error instanceof Error ? error.message : String(error)) }
}

export function wordsOf(answer: Answer): string {
  if (answer.kind === 'failed') return answer.message
  const { message } = (answer.body ?? {}) as { message?: unknown }
  const said = typeof message === 'string' && message !== '' ? `: ${message.slice(0, LONGEST_MESSAGE)}` : ''
  return `GitHub answered ${answer.status}${said}`.toWellFormed()
}
