/**
 * What may be promoted: the one description of a promotion that every way in shares (library, CLI, HTTP,
 * foreign BullMQ jobs). Guarantees that whatever passes is bounded, printable text; says every problem at once.
 */
import { z } from 'zod'

/** Printable text without surrounding space; control and invisible format characters are refused. */
export const text = (maxLength: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(maxLength, `must be at most ${maxLength} characters long`)
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u, 'must not contain control characters')
    .regex(/^(\S(.*\S)?)?$/su, 'must not begin or end with white space')

/** Idempotency keys share the rule of other text; 255 characters at most. */
export const idempotencyKeySchema = text(255)

/** Letters, digits, `-`, `_` and `.`: an environment is part of keys and of GitHub's concurrency groups. */
export const environmentSchema = z
  .string()
  .min(1, 'must not be empty')
  .max(100, 'must be at most 100 characters long')
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "may hold letters, digits, '.', '_' and '-' only")

const NOT_A_VERSION = 'must be text, or a whole number'
const wholeNumber = z
  .number()
  .int(NOT_A_VERSION)
  .min(0, NOT_A_VERSION)
  .max(Number.MAX_SAFE_INTEGER, NOT_A_VERSION)

export const modelSchema = text(250).meta({ examples: ['fraud-detector'] })
export const versionTextSchema = text(100)
export const versionSchema = z
  .union([versionTextSchema, wholeNumber.transform(String)], { error: NOT_A_VERSION })
  .meta({ description: 'A whole number is taken as its decimal text', examples: ['5'] })
/** Who acts on a target, and why. */
export const personSchema = text(100)
export const reasonSchema = text(500)

export const promotionRequestSchema = z.strictObject({
  model: modelSchema.describe('Registered model, as in the model registry'),
  version: versionSchema,
  accuracy: z
    .number()
    .min(0, 'must be between 0 and 1')
    .max(1, 'must be between 0 and 1')
    .optional()
    .describe('Share of right predictions'),
  environment: environmentSchema.default('production'),
  source: text(100)
    .default('automated_ct_pipeline')
    .describe('Sent as `trigger_source`: who asked for this deployment'),
  rollback: z.boolean().default(false).describe('Going back to a version seen before is meant'),
  id: z
    .uuidv7('must be a UUIDv7')
    .toLowerCase()
    .optional()
    .describe('A UUIDv7 that the producer keeps: the same news is known again however often it is sent'),
  promotedAt: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-08-01T12:00:00Z' })
    .optional()
    .describe('Where its producer had to keep it: it is superseded if something newer was accepted since'),
  metrics: z
    .record(text(100), z.number())
    .refine((metrics) => Object.keys(metrics).length <= 50, { error: 'must hold at most 50 figures' })
    .optional()
    .meta({ description: 'Further figures of the training run, kept with the promotion', maxProperties: 50 }),
})

/** What a caller gives. */
export type PromotionRequest = z.input<typeof promotionRequestSchema>
/** What the ledger keeps. */
export type ValidPromotion = z.output<typeof promotionRequestSchema>

/** One wrong field; `field` is its path ('' for the whole), `problem` what is wrong in words. */
export interface FieldProblem {
  field: string
  problem: string
}

export type Validation<T> = { ok: true; value: T } | { ok: false; problems: FieldProblem[] }

export function validatePromotion(input: unknown): Validation<ValidPromotion> {
  return validate(promotionRequestSchema, input)
}

export function validate<S extends z.ZodType>(schema: S, input: unknown): Validation<z.output<S>> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return { ok: true, value: parsed.data }
  const problems = parsed.error.issues.flatMap(problemsOf)
  if (problems.length <= MOST_PROBLEMS) return { ok: false, problems }
  const more = { field: '', problem: `has ${problems.length - MOST_PROBLEMS} further problems` }
  return { ok: false, problems: [...problems.slice(0, MOST_PROBLEMS), more] }
}

/** More than a person reads: garbage in is not answered by more garbage, nor logged and kept as such. */
const MOST_PROBLEMS = 100

function problemsOf(issue: z.core.$ZodIssue): FieldProblem[] {
  const field = issue.path.map(printable).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({
      field: [field, printable(name)].filter(Boolean).join('.'),
      problem: 'is not a known field',
    }))
  }
  // A union hides why its branches refused: show the first branch's own words where the type was right.
  if (issue.code === 'invalid_union') {
    const closest = issue.errors.find((branch) => branch.every((inner) => inner.code !== 'invalid_type'))
    if (closest?.[0]) return [{ field, problem: wordsOf(closest[0]) }]
    if (issue.errors.every(([inner]) => inner && isMissing(inner))) return [{ field, problem: 'is missing' }]
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ field, problem: `its name ${wordsOf(inner)}` }))
  }
  return [{ field, problem: wordsOf(issue) }]
}

const TYPES: Record<string, string> = { object: 'an object', record: 'an object', array: 'a list' }

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    if (isMissing(issue)) return 'is missing'
    return `must be ${TYPES[issue.expected] ?? `a ${issue.expected}`}`
  }
  return issue.message
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.input === undefined && issue.message.includes('undefined')
}

/** A name from the input, made safe to show: cut, control characters replaced. */
function printable(name: PropertyKey): string {
  return String(name)
    .slice(0, 60)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}
