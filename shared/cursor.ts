/** A place in a list as callers carry it from one page to the next: nothing that they should look into. */
import { z } from 'zod'
import type { Place } from './ledger/listing.ts'

const NOT_OURS = 'must be the nextCursor of an answer'

export function cursorOf({ at, name }: Place): string {
  return Buffer.from(`${at} ${name}`).toString('base64url')
}

export const cursorSchema = z
  .string()
  .regex(/^[\w-]+$/, NOT_OURS)
  .max(1_000, NOT_OURS)
  .transform((text, context): Place => {
    const [, at, name] = /^(\d{1,16}) ([\s\S]+)$/u.exec(Buffer.from(text, 'base64url').toString()) ?? []
    if (at === undefined || name === undefined) {
      context.addIssue({ code: 'custom', message: NOT_OURS })
      return z.NEVER
    }
    return { at: Number(at), name }
  })
