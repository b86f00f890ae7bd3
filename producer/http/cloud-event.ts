/**
 * A promotion that comes as a CloudEvent (1.0, HTTP binding): its data is the promotion. Its source and id, which by
 * that specification say whether two events are the same, are the idempotency key; its type may be any.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { type FieldProblem, text, validate } from '../../shared/promotion.ts'

export const CLOUD_EVENT = 'application/cloudevents+json'

/** The promotion in an event, and how its problems read there; or what is wrong with the event around it. */
export type Carried =
  | { ok: true; data: unknown; idempotencyKey: string; inEvent(problem: FieldProblem): FieldProblem }
  | { ok: false; problems: FieldProblem[] }

const attribute = text(1_000)
const specversion = z.literal('1.0', 'must be 1.0')

/** Its other attributes may be any. */
export const cloudEventSchema = z
  .looseObject({
    specversion,
    id: attribute,
    source: attribute,
    type: attribute,
    datacontenttype: z
      .string()
      .regex(/^application\/([\w.-]+\+)?json(;.*)?$/i, 'must be application/json')
      .optional(),
    data: z.unknown(),
  })
  .refine((event) => !('data_base64' in event), {
    path: ['data_base64'],
    error: 'is not taken: data must be JSON',
  })

/** Of its binary mode, where the body is the data. */
const cloudEventHeadersSchema = z.object({
  'ce-specversion': specversion,
  'ce-id': attribute,
  'ce-source': attribute,
  'ce-type': attribute,
})
type EventHeader = keyof typeof cloudEventHeadersSchema.shape
const EVENT_HEADERS = Object.keys(cloudEventHeadersSchema.shape) as EventHeader[]

/** undefined: this is no event, but a promotion as it is. */
export function carriedBy(headers: IncomingHttpHeaders, body: unknown): Carried | undefined {
  if (mediaType(headers) === CLOUD_EVENT) return inBody(body)
  return EVENT_HEADERS.some((name) => name in headers) ? inHeaders(headers, body) : undefined
}

function inBody(body: unknown): Carried {
  const event = validate(cloudEventSchema, body)
  if (!event.ok) return event
  const { source, id, data } = event.value
  return { ok: true, data, idempotencyKey: keyOf(source, id), inEvent: ofData }
}

function inHeaders(headers: IncomingHttpHeaders, data: unknown): Carried {
  const given = EVENT_HEADERS.map((name) => [name, decoded(headers[name])])
  const event = validate(cloudEventHeadersSchema, Object.fromEntries(given))
  if (!event.ok) return event
  const idempotencyKey = keyOf(event.value['ce-source'], event.value['ce-id'])
  return { ok: true, data, idempotencyKey, inEvent: (problem) => problem }
}

function ofData({ field, problem }: FieldProblem): FieldProblem {
  if (field === 'Idempotency-Key') return { field, problem }
  return { field: field === '' ? 'data' : `data.${field}`, problem }
}

/** A digest, since both together may be longer than a key. */
function keyOf(source: string, id: string): string {
  return `cloudevent-${createHash('sha256')
    .update(JSON.stringify([source, id]))
    .digest('hex')}`
}

/** What is beyond ASCII travels percent-encoded in headers. */
function decoded(value: string | string[] | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(String(value))
  } catch {
    return String(value)
  }
}

function mediaType({ 'content-type': type = '' }: IncomingHttpHeaders): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase()
}
