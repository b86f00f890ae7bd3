/**
 * What people do: hold a target, release it, roll it back; redrive, discard and resolve what waits for them; have a
 * circuit probed. Validates their word and carries it out; who said so, and why, goes into the timeline and the audit.
 * Once the ledger has it, it is done: a job that could not be added is put there by the sweep.
 */
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Circuits } from './ledger/circuits.ts'
import type { Ledger } from './ledger/ledger.ts'
import { type Promotion, type State, targetName } from './ledger/promotion-record.ts'
import type { RolledBack, Wake } from './ledger/steps.ts'
import type { Logger } from './logger.ts'
import * as answers from './operate-answers.ts'
import {
  environmentSchema,
  type FieldProblem,
  modelSchema,
  personSchema,
  reasonSchema,
  text,
  validate,
  versionSchema,
} from './promotion.ts'

const signature = {
  by: personSchema.default('a person').describe('Who says so; the name of the token where it has one'),
  why: reasonSchema.optional(),
}

export const orderSchema = z.strictObject({
  model: modelSchema,
  environment: environmentSchema.default('production'),
  ...signature,
})
export const rollbackSchema = orderSchema.extend({
  to: versionSchema.optional().describe('The version that is to go live; else the one that was live before'),
})

/** Kept in small letters, however it is written. */
const id = z
  .string()
  .regex(/^[0-9a-f-]{36}$/i, 'must be the id of a promotion')
  .toLowerCase()

export const letterSchema = z.strictObject({
  id,
  deadLetter: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('Which of its dead letters is meant, from 1; else the newest'),
  dryRun: z.boolean().default(false).describe('Only say what would come of it'),
  ...signature,
})
const RUN_ID = 'must be the number of a workflow run'
export const resolveSchema = z
  .strictObject({
    id,
    run: z
      .string()
      .regex(/^\d{1,20}$/, RUN_ID)
      .optional()
      .describe('The workflow run that it started'),
    absent: z.literal(true).optional().describe('It started none: it may be sent again'),
    ...signature,
  })
  .refine(({ run, absent }) => (run === undefined) !== (absent === undefined), {
    error: 'either the run or that there is none must be said',
  })
export const probeSchema = z.strictObject({
  scope: text(400).describe('`owner/name` or `owner/name/workflow`'),
  ...signature,
})

export type OrderRequest = z.input<typeof orderSchema>
export type RollbackRequest = z.input<typeof rollbackSchema>
export type LetterRequest = z.input<typeof letterSchema>
export type ResolveRequest = z.input<typeof resolveSchema>
export type ProbeRequest = z.input<typeof probeSchema>

/** `text` is for people: one sentence, without a full stop at its end. */
export type Operated =
  | ({ kind: 'done'; status: string; text: string } & About)
  /** The ledger's no. `hint`: what would be possible; names of fields stand between backticks. */
  | { kind: 'refused'; status: string; text: string; hint?: string }
  /** There is no such target, promotion or dead letter. */
  | { kind: 'unknown'; text: string }
  | { kind: 'invalid'; problems: FieldProblem[] }

interface About {
  /** Of the promotion that is on its way now. */
  id?: string
  version?: string
  state?: State
  /** Of a rollback: what is live until then; '' if nothing is. */
  live?: string
}

/** Each takes what came from outside: whatever is wrong with it is answered as `invalid`. */
export type Operate = Record<
  'hold' | 'release' | 'rollback' | 'redrive' | 'discard' | 'resolve' | 'probe',
  (request: unknown) => Promise<Operated>
>

/** Keeps who did what; see `shared/ledger/audit.ts`. */
export type NoteDeed = (deed: {
  who: string
  what: string
  of: string
  why?: string | undefined
  result: string
}) => Promise<void>

export interface OperateDeps {
  ledger: Pick<
    Ledger,
    'hold' | 'release' | 'rollback' | 'redrive' | 'previewRedrive' | 'discard' | 'previewDiscard' | 'settle'
  >
  circuits: Pick<Circuits, 'ask'>
  promotion(id: string): Promise<Promotion | undefined>
  wake(next: Wake): Promise<void>
  note: NoteDeed
  log: Logger
}

/** @throws what the ledger throws when Redis can't be reached; to say it again is safe. */
export function createOperate({ ledger, circuits, promotion, wake, note, log }: OperateDeps): Operate {
  async function tryToWake(next: Wake | undefined) {
    if (!next) return
    await wake(next).catch((err: Error) =>
      log.warn({ promotionId: next.id, err }, 'The promotion may go; its job will be added by the sweep'),
    )
  }

  /** An order validated, carried out, and kept with its result. */
  function order<S extends z.ZodType<{ by: string; why?: string | undefined }>>(
    what: string,
    schema: S,
    of: (asked: z.output<S>) => string,
    carryOut: (asked: z.output<S>) => Promise<Operated>,
  ) {
    return async (request: unknown): Promise<Operated> => {
      const asked = validate(schema, request)
      if (!asked.ok) return { kind: 'invalid', problems: asked.problems }
      const { by: who, why } = asked.value
      const operated = await carryOut(asked.value)
      const isDryRun = 'dryRun' in asked.value && asked.value.dryRun === true
      if (operated.kind === 'done' && !isDryRun) {
        const deed = { who, what, of: of(asked.value), why, result: operated.text }
        log.info(deed, 'A person has given an order')
        await note(deed).catch((err) => log.warn({ err, ...deed }, 'What a person did could not be kept'))
      }
      return operated
    }
  }

  const ofId = (asked: { id: string }) => asked.id

  async function letterOf(asked: z.output<typeof letterSchema>): Promise<number | undefined> {
    if (asked.deadLetter !== undefined) return asked.deadLetter
    const found = await promotion(asked.id)
    return found && found.deadLetters > 0 ? found.deadLetters : undefined
  }

  return {
    hold: order('hold', orderSchema, targetName, async (asked) =>
      answers.ofHold(await ledger.hold(asked), asked),
    ),

    release: order('release', orderSchema, targetName, async (asked) => {
      const released = await ledger.release(asked)
      if (released.kind === 'released') await tryToWake(released.wake)
      return answers.ofRelease(released, asked)
    }),

    rollback: order('rollback', rollbackSchema, targetName, async (asked) => {
      const result: RolledBack = await ledger.rollback(uuidv7(), asked)
      if (result.status === 'accepted') await tryToWake({ id: result.id, job: result.job })
      return answers.ofRollback(result, asked)
    }),

    redrive: order('redrive', letterSchema, ofId, async (asked) => {
      const letter = await letterOf(asked)
      if (letter === undefined) return answers.NO_DEAD_LETTER
      if (asked.dryRun) return answers.ofRedrive(asked.id, await ledger.previewRedrive(asked.id, letter))
      const redriven = await ledger.redrive(asked.id, letter, asked.by, asked.why)
      if (redriven.kind === 'accepted') await tryToWake({ id: asked.id, job: redriven.job })
      return answers.ofRedrive(asked.id, redriven)
    }),

    discard: order('discard', letterSchema, ofId, async (asked) => {
      const letter = await letterOf(asked)
      if (letter === undefined) return answers.NO_DEAD_LETTER
      if (asked.dryRun) return answers.ofDiscard(asked.id, await ledger.previewDiscard(asked.id, letter))
      const discarded = await ledger.discard(asked.id, letter, asked.by, asked.why)
      if (discarded.kind === 'looked_for') await tryToWake({ id: asked.id, job: discarded.job })
      return answers.ofDiscard(asked.id, discarded)
    }),

    resolve: order('resolve', resolveSchema, ofId, async ({ id, run, by, why }) => {
      const settled = await ledger.settle(id, run === undefined ? { absent: true } : { runId: run }, by, why)
      if (settled.kind === 'accepted') await tryToWake({ id, job: settled.job })
      if ('wake' in settled) await tryToWake(settled.wake)
      return answers.ofSettle(id, settled)
    }),

    probe: order(
      'probe',
      probeSchema,
      ({ scope }) => scope,
      async ({ scope }) => answers.ofProbe(scope, await circuits.ask(scope)),
    ),
  }
}
