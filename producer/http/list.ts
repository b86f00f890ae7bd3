/** Lists over HTTP, by the page. Who may see them is told by the gate around it. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Listing, Place } from '../../shared/ledger/listing.ts'
import { STATES } from '../../shared/ledger/promotion-record.ts'
import { environmentSchema, modelSchema, validate, versionTextSchema } from '../../shared/promotion.ts'
import { cursorOf, cursorSchema } from './cursor.ts'
import { needs } from './gate.ts'
import { sendProblem } from './problem.ts'
import { promotionView, targetView } from './views.ts'

const LONGEST_PAGE = 100
const LIMIT = `must be a whole number from 1 to ${LONGEST_PAGE}`

const pageSchema = z.strictObject({
  limit: z.coerce
    .number(LIMIT)
    .int(LIMIT)
    .min(1, LIMIT)
    .max(LONGEST_PAGE, LIMIT)
    .default(LONGEST_PAGE)
    .describe('The longest that the page may be'),
  cursor: cursorSchema.optional().describe('`nextCursor` of the answer before; its filters are given again'),
})

export const targetsQuerySchema = pageSchema.extend({ model: modelSchema.optional() })

export const promotionsQuerySchema = targetsQuerySchema.extend({
  environment: environmentSchema.optional(),
  state: z.enum(STATES, `must be one of ${STATES.join(', ')}`).optional(),
  version: versionTextSchema.optional(),
})

export function listRoutes(app: FastifyInstance, listing: Listing): void {
  app.get('/promotions', needs('read'), async ({ query }, reply) => {
    const asked = validate(promotionsQuerySchema, query)
    if (!asked.ok) return sendInvalid(reply, asked.problems)
    const { cursor, ...rest } = asked.value
    const { items, next } = await listing.promotions({ ...rest, after: cursor })
    return { promotions: items.map((one) => promotionView(one)), ...nextCursor(next) }
  })

  app.get('/targets', needs('read'), async ({ query }, reply) => {
    const asked = validate(targetsQuerySchema, query)
    if (!asked.ok) return sendInvalid(reply, asked.problems)
    const { cursor, ...rest } = asked.value
    const { items, next } = await listing.targets({ ...rest, after: cursor })
    return { targets: items.map(targetView), ...nextCursor(next) }
  })
}

function nextCursor(next: Place | undefined): { nextCursor?: string } {
  return next ? { nextCursor: cursorOf(next) } : {}
}

function sendInvalid(reply: FastifyReply, errors: { field: string; problem: string }[]): FastifyReply {
  return sendProblem(reply, { status: 400, title: 'Not a valid query', errors })
}
