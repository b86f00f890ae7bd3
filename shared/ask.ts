/**
 * What ops ask, and the answers as they are shown: the same over HTTP and straight in Redis. Validates what came from
 * outside. Changes nothing.
 */
import { z } from 'zod'
import { cursorOf, cursorSchema } from './cursor.ts'
import { type Desk, LETTER_STATES } from './desk.ts'
import type { Listing, Place } from './ledger/listing.ts'
import { STATES } from './ledger/promotion-record.ts'
import {
  environmentSchema,
  type FieldProblem,
  modelSchema,
  text,
  validate,
  versionTextSchema,
} from './promotion.ts'
import * as views from './views.ts'

const LONGEST_PAGE = 100
const LIMIT = `must be a whole number from 1 to ${LONGEST_PAGE}`
const oneOf = (states: readonly string[]) => `must be one of ${states.join(', ')}`

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
  state: z.enum(STATES, oneOf(STATES)).optional(),
  version: versionTextSchema.optional(),
})

export const lettersQuerySchema = targetsQuerySchema.extend({
  environment: environmentSchema.optional(),
  state: z.enum(LETTER_STATES, oneOf(LETTER_STATES)).optional(),
  reason: text(200).optional().describe('A part of its reason, in small or capital letters'),
})

export const searchQuerySchema = z.strictObject({
  text: text(250).describe(
    'The id of a promotion or 8 and more characters of its beginning, the number of a run, a model or a part of its name, a version',
  ),
})

const nothingSchema = z.strictObject({})

export type Answered<T> = { ok: true; value: T } | { ok: false; problems: FieldProblem[] }

export interface Answers {
  promotions: views.PromotionsView
  targets: views.TargetsView
  deadLetters: views.LettersView
  circuits: views.CircuitsView
  stats: views.StatsView
  search: views.SearchView
}

/** Each takes what came from outside. */
export type Ask = { [Name in keyof Answers]: (query: unknown) => Promise<Answered<Answers[Name]>> }

/** @throws what Redis throws when it can't be reached */
export function createAsk({ desk, listing }: { desk: Desk; listing: Listing }): Ask {
  return {
    promotions: question(promotionsQuerySchema, async ({ cursor, ...asked }) => {
      const { items, next } = await listing.promotions({ ...asked, after: cursor })
      return { promotions: items.map((one) => views.promotionView(one)), ...nextCursor(next) }
    }),

    targets: question(targetsQuerySchema, async ({ cursor, ...asked }) => {
      const { items, next } = await listing.targets({ ...asked, after: cursor })
      return { targets: items.map(views.targetView), ...nextCursor(next) }
    }),

    deadLetters: question(lettersQuerySchema, async ({ cursor, ...asked }) => {
      const { limit, model, environment, state, reason } = asked
      const ofAnyTarget = [cursor, model, environment, state].every((one) => one === undefined)
      const [{ items, next }, invalid] = await Promise.all([
        desk.deadLetters({ ...asked, after: cursor }),
        ofAnyTarget ? desk.invalidJobs(limit) : undefined,
      ])
      const hasReason = (one: { reason: string }) =>
        one.reason.toLowerCase().includes((reason ?? '').toLowerCase())
      return {
        deadLetters: items.map(views.letterView),
        ...(invalid ? { invalidJobs: invalid.filter(hasReason).map(views.invalidJobView) } : {}),
        ...nextCursor(next),
      }
    }),

    circuits: question(nothingSchema, async () => ({
      circuits: (await desk.circuits()).map(views.circuitView),
    })),

    stats: question(nothingSchema, async () => views.statsView(await desk.stats())),

    search: question(searchQuerySchema, async ({ text: asked }) => {
      const { promotions, targets } = await desk.find(asked)
      return {
        promotions: promotions.map((one) => views.promotionView(one)),
        targets: targets.map(views.targetView),
      }
    }),
  }
}

function question<S extends z.ZodType, T>(schema: S, answer: (asked: z.output<S>) => Promise<T>) {
  return async (query: unknown): Promise<Answered<T>> => {
    const asked = validate(schema, query)
    return asked.ok ? { ok: true, value: await answer(asked.value) } : asked
  }
}

function nextCursor(next: Place | undefined): { nextCursor?: string } {
  return next ? { nextCursor: cursorOf(next) } : {}
}
