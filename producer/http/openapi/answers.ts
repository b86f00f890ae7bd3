/** What the API answers, as schemas: the views are held to them by their types, answers in tests by their values. */
import { z } from 'zod'
import { STATES } from '../../../shared/ledger/promotion-record.ts'

const when = () => z.iso.datetime().describe('UTC')
const id = () => z.string().describe('Of a promotion, a UUIDv7')

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

export const batchAnswerSchema = z.object({
  results: z.array(
    z.discriminatedUnion('status', [
      takenSchema,
      z.object({ status: z.literal('refused'), problem: problemSchema }),
    ]),
  ),
})

const timelineEntrySchema = z.looseObject({
  at: when(),
  what: z.string().describe('A state that it came to, or what was done'),
  text: z.string().describe('The same in a sentence'),
})

export const promotionSchema = z.object({
  id: id(),
  state: z.enum(STATES),
  reason: z.string().describe('Its state in a sentence: what it waits for, how it ended'),
  model: z.string(),
  version: z.string(),
  environment: z.string(),
  accuracy: z.number().optional(),
  source: z.string(),
  rollback: z.literal(true).optional(),
  metrics: z.record(z.string(), z.number()).optional(),
  seq: z.int().describe('Its place in the order of its target, from 1'),
  attempts: z.int(),
  liveBefore: z.string().nullable().describe('Version that was live when it was accepted'),
  supersededBy: id().optional(),
  parent: id().optional().describe('Of an automated rollback: the promotion whose deployment failed'),
  rolledBackBy: id().optional().describe('The promotion that put back what was live before'),
  traceId: z.string().optional().describe('Of its trace, where it has one'),
  run: z
    .object({
      id: z.string(),
      url: z.string().optional(),
      status: z.string().optional().describe("GitHub's word"),
      conclusion: z.string().nullable().describe("GitHub's word"),
    })
    .nullable()
    .describe('The workflow run'),
  acceptedAt: when(),
  dispatchedAt: when().optional(),
  endedAt: when().optional(),
  timeline: z.array(timelineEntrySchema).optional(),
})

const nextCursor = z.string().optional().describe('Of the next page; none on the last')

export const promotionsSchema = z.object({
  promotions: z.array(promotionSchema.omit({ timeline: true })),
  nextCursor,
})

export const targetSchema = z.object({
  model: z.string(),
  environment: z.string(),
  live: z.string().nullable().describe('The version whose run succeeded last'),
  liveSince: when().optional(),
  previous: z.string().nullable().describe('Version that was live before'),
  drift: z
    .object({ runId: z.string(), attempt: z.int(), instead: z.string() })
    .optional()
    .describe('A person started a former run again, and so put it live in place of a version'),
  inFlight: id().nullable(),
  pending: id().nullable(),
  hold: z
    .object({
      kind: z.enum(['person', 'rollback']).describe('rollback: it stops these versions alone'),
      versions: z.array(z.string()).optional(),
      passes: id().optional(),
      by: z.string(),
      why: z.string().optional(),
      since: when(),
    })
    .nullable(),
})

export const targetsSchema = z.object({ targets: z.array(targetSchema), nextCursor })

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
