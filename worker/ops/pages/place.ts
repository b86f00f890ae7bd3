/** A place in a list as it stands in an address. */
import type { Place } from '../../../shared/ledger/listing.ts'

export function placeText({ at, name }: Place): string {
  return `${at}.${name}`
}

/** What is no place is none: the list begins at its begin. */
export function placeFrom(text: unknown): Place | undefined {
  const [, at, name] = (typeof text === 'string' && /^(\d{1,15})\.(.{1,400})$/su.exec(text)) || []
  return at === undefined || name === undefined ? undefined : { at: Number(at), name }
}
