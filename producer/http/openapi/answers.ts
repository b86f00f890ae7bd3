/** What the API answers beside what it shows (`shared/view-schemas.ts`), as schemas: answers in tests are held to them. */
import { z } from 'zod'
import { STATES } from '../../../shared/ledger/promotion-record.ts'
import { id } from '../../../shared/view-schemas.ts'

export const problemSchema = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  errors: z
    .array(z.object({ field: z.string().describe("Its path; '' is the whole"), problem: z.string() }))
    .optional()
    .describe('Every wrong field of the request'),
})

export const takenSchema = z.object({
  id: id(),
  status: z.enum(['accepted', 'duplicate']).describe('duplicate: `id` is the one that it repeats'),
  state: z.enum(STATES),
  live: z.string().nullable().describe('Version that was live when it was accepted'),
})

export const smokeTestSentSchema = z.object({
  id: id(),
  acceptMs: z.int().describe('Milliseconds until the ledger had it,'),
  queueMs: z.int().describe('and from then until its job was in the queue'),
})

export const batchAnswerSchema = z.object({
  results: z.array(
    z.discriminatedUnion('status', [
      takenSchema,
      z.object({ status: z.literal('refused'), problem: problemSchema }),
    ]),
  ),
})

const sentence = z.string().describe('The same in a sentence')
export const heldSchema = z.object({ status: z.literal('held'), text: sentence })
export const releasedSchema = z.object({ status: z.enum(['released', 'not_held']), text: sentence })
export const rolledBackSchema = takenSchema.extend({
  version: z.string().describe('The one that goes live'),
  text: sentence,
})
export const orderedSchema = z.object({
  status: z.string().describe('What came of it'),
  text: sentence,
  id: id().optional(),
  version: z.string().optional().describe('The one that takes its place'),
})

export const deliverySchema = z.object({ status: z.enum(['kept', 'ignored']) })

export const aliveSchema = z.object({ status: z.literal('ok') })
export const readySchema = z.object({
  status: z.literal('ready'),
  warnings: z.array(z.string()).describe('Settings of Redis that do not keep the promises'),
})
export const unreadySchema = z.object({ status: z.literal('unavailable'), reason: z.string() })
