// The faults that a test orders for requests: taken in the order in which they were added, each for so many.
// "after" means that the request has taken effect (a dispatch has started its run) before the fault is felt.
import { z } from 'zod'
import type { Answer } from './answer.ts'
import { json } from './answer.ts'
import type { Operation } from './api-route.ts'
import { createFaultQueue, timesSchema } from './fault-queue.ts'

export const faultSchema = z.strictObject({
  kind: z.enum([
    'status-before',
    'status-after',
    'reset-before',
    'reset-after',
    'hang-before',
    'hang-after',
    'late-create',
    'slow',
    'unreadable',
  ]),
  /** `dispatch` when not given. */
  on: z
    .enum(['dispatch', 'get-run', 'list-runs', 'repository', 'contents', 'workflow', 'access-token', 'any'])
    .optional(),
  times: timesSchema,
  status: z.int().min(200).max(599).optional(),
  message: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  /** In place of GitHub's error body: text as it is, anything else as JSON. `{{authorization}}` in it is replaced. */
  body: z.unknown().optional(),
  delayMs: z.number().nonnegative().optional(),
  /** Takes only dispatches of this promotion. */
  promotionId: z.string().optional(),
})

export type Fault = z.infer<typeof faultSchema>

export interface Faults {
  add(fault: Fault): void
  clear(): void
  /** The fault that this request meets, if any; it is used up by that. */
  take(operation: Operation, promotionId: string | undefined): Fault | undefined
}

export function createFaults(): Faults {
  const { add, clear, take } = createFaultQueue<Fault>()
  return {
    add,
    clear,
    take: (operation, promotionId) => take((fault) => applies(fault, operation, promotionId)),
  }
}

function applies(fault: Fault, operation: Operation, promotionId: string | undefined): boolean {
  const on = fault.on ?? 'dispatch'
  return (
    (on === 'any' || on === operation) &&
    (fault.promotionId === undefined || fault.promotionId === promotionId)
  )
}

/** What a `status-…` fault answers. */
export function faultAnswer(fault: Fault, operation: Operation, authorization: string): Answer {
  const status = fault.status ?? 500
  const own = lowerCased(fault.headers ?? {})
  if (typeof fault.body === 'string') {
    const body = fault.body.replaceAll('{{authorization}}', () => authorization)
    return { status, headers: { 'content-type': 'text/html; charset=utf-8', ...own }, body }
  }
  const value = fault.body ?? {
    message: fault.message ?? usualMessage(status, operation),
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  }
  const answer = json(status, value, own)
  const quoted = JSON.stringify(authorization).slice(1, -1)
  return { ...answer, body: answer.body.replaceAll('{{authorization}}', () => quoted) }
}

/** So that a fault's header takes the place of the usual one, however it was written. */
function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

const USUAL_MESSAGES: Record<number, string> = {
  401: 'Bad credentials',
  403: 'Resource not accessible by personal access token',
  404: 'Not Found',
  429: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
}

function usualMessage(status: number, operation: Operation): string {
  if (status === 500 && operation === 'dispatch') return 'Failed to run workflow dispatch'
  return USUAL_MESSAGES[status] ?? 'Server Error'
}
