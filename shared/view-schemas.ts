/** What is shown, by the API and with `--json` on the command line, as schemas: the views are held to them by their types. */
import { z } from 'zod'
import { STATES } from './ledger/promotion-record.ts'

const when = () => z.iso.datetime().describe('UTC')
export const id = () => z.string().describe('Of a promotion, a UUIDv7')
const nextCursor = z.string().optional().describe('Of the next page; none on the last')

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

export const listedSchema = promotionSchema.omit({ timeline: true })

export const promotionsSchema = z.object({ promotions: z.array(listedSchema), nextCursor })

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

export const letterSchema = listedSchema.extend({
  deadLetter: z.int().describe('Which of its dead letters it is, from 1'),
  buriedAt: when().optional(),
})

const invalidJobSchema = z.object({
  id: z.string().describe('Of the job in the queue `dead-letters`'),
  reason: z.string(),
  at: when(),
})

export const lettersSchema = z.object({
  deadLetters: z.array(letterSchema),
  invalidJobs: z
    .array(invalidJobSchema)
    .optional()
    .describe(
      'Jobs of other BullMQ clients of which no promotion could be made, the newest first; on the first page, where neither model, environment nor state is asked for',
    ),
  nextCursor,
})

export const circuitSchema = z.object({
  scope: z.string().describe('`owner/name` or `owner/name/workflow`'),
  reason: z.string(),
  detail: z.string().describe('What GitHub said, or why there was no answer'),
  halfOpen: z.boolean().describe('The next promotion goes as its probe'),
  opening: z.int().describe('How often it has opened by now'),
  since: when(),
  nextProbe: when().describe('It is looked at again then, if nobody asks for it before'),
})

export const circuitsSchema = z.object({ circuits: z.array(circuitSchema) })

const byWindow = <T extends z.ZodType>(ends: T) =>
  z.object({ '1h': ends.describe('Within the last hour'), '24h': ends.describe('Within the last 24 hours') })
const latencySchema = z.object({
  of: z.int().describe('So many promotions'),
  p50: z.number().optional().describe('Seconds: half of them took no longer'),
  p99: z.number().optional().describe('Seconds: 99 of 100 took no longer'),
})

export const statsSchema = z.object({
  at: when(),
  promotions: z
    .object({
      accepted: z.int(),
      dispatching: z.int(),
      dispatched: z.int(),
      unresolved: z.int(),
      dead_lettered: z.int(),
    })
    .describe('That are not at their end, by state'),
  oldestWaiting: when().optional().describe('Acceptance of the promotion that waits longest'),
  lastAccepted: when().optional(),
  triggers: byWindow(z.object({ dispatched: z.int(), notDispatched: z.int() })).describe(
    'GitHub took it, or a person has to',
  ),
  deployments: byWindow(z.object({ succeeded: z.int(), failed: z.int() })).describe(
    'Runs that have ended; cancelled ones are neither',
  ),
  latency: z
    .object({ toDispatch: latencySchema, toLive: latencySchema })
    .describe('From acceptance, of the 200 promotions accepted last'),
  deadLetters: z.int().describe('Dead-lettered and unresolved'),
  openCircuits: z.int(),
  holds: z.object({ person: z.int(), rollback: z.int() }).describe('Held targets, by what holds them'),
  workers: z.int().describe('That were able to work within the last minute'),
  ever: z
    .record(z.string(), z.int())
    .describe('`accepted`, `superseded`, `drifts`, `rollbacks:…`, `deployments:…`'),
})

export const searchSchema = z.object({
  promotions: z.array(listedSchema),
  targets: z.array(targetSchema),
})
