/**
 * The last gate before anything leaves: replaces every known secret in a text, as it is and in the encodings
 * in which it travels (base64 of basic authentication, URL-encoded, JSON).
 * GitHub, or something on the way to it, may echo what we sent; so what comes back passes here before it is
 * kept or shown.
 */
import type { Secret } from './secret.ts'

export type Redact = (text: string) => string

export interface Redactor extends Redact {
  /** From now on a secret too, one that came at run time; of these the ten last told of are remembered. */
  learn(value: string): void
}

/** Shorter values would blank out ordinary words; settings refuse secrets that short. */
export const SHORTEST_SECRET = 6

/** Of those learnt at run time: they live for an hour, and each one is looked for in every text of every answer. */
const MOST_LEARNT = 10

export function createRedactor(secrets: readonly Secret[]): Redactor {
  // A rotated secret stays remembered: its old value must not leave either.
  const values = new Map<string, string[]>()
  /** Those last told of come last. */
  const learnt = new Set<string>()
  let forms: string[] = []

  function remember(value: string): boolean {
    if (value.length < SHORTEST_SECRET || values.has(value)) return false
    values.set(value, formsOf(value))
    return true
  }
  function sortForms() {
    forms = [...values.values()].flat().sort((a, b) => b.length - a.length)
  }

  function redact(text: string): string {
    for (const secret of secrets) if (remember(readOrNothing(secret))) sortForms()
    let clean = text
    for (const form of forms) if (clean.includes(form)) clean = clean.replaceAll(form, '[redacted]')
    return clean
  }

  function learn(value: string): void {
    const known = learnt.delete(value)
    if (!known && !remember(value)) return
    learnt.add(value)
    if (known) return
    const [oldest = ''] = learnt
    if (learnt.size > MOST_LEARNT && learnt.delete(oldest)) values.delete(oldest)
    sortForms()
  }

  return Object.assign(redact, { learn })
}

/** Deeper than anything that GitHub sends; an answer nested without end would exhaust the stack. */
const DEEPEST = 50

/** Redacts each text inside a JSON-like value; what is nested deeper than 50 levels is cut off. */
export function redactDeep<T>(value: T, redact: Redact): T {
  const texts: string[] = []
  const isShallow = collectTexts(value, texts)
  const all = texts.join('\n')
  // Mostly there is nothing in it: one look at all of it is enough.
  return isShallow && redact(all) === all ? value : redactEach(value, redact, 0)
}

/** False where it is nested too deep. */
function collectTexts(value: unknown, texts: string[], depth = 0): boolean {
  if (typeof value === 'string') texts.push(value)
  if (value === null || typeof value !== 'object') return true
  if (depth === DEEPEST) return false
  if (Array.isArray(value)) return value.every((item) => collectTexts(item, texts, depth + 1))
  return Object.entries(value).every(([name, item]) => {
    texts.push(name)
    return collectTexts(item, texts, depth + 1)
  })
}

function redactEach<T>(value: T, redact: Redact, depth: number): T {
  if (typeof value === 'string') return redact(value) as T
  if (value === null || typeof value !== 'object') return value
  if (depth === DEEPEST) return '[cut off]' as T
  if (Array.isArray(value)) return value.map((item) => redactEach(item, redact, depth + 1)) as T
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [redact(name), redactEach(item, redact, depth + 1)]),
  ) as T
}

/** A secret as it travels: as it is, inside JSON (and JSON inside JSON), addresses and base64. */
function formsOf(value: string): string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= 20)
  const inJson = escaped(value)
  return [
    ...new Set([value, inJson, escaped(inJson), ...inAddresses(value), ...inBase64(value), ...lines]),
  ].filter((form) => form.length >= SHORTEST_SECRET)
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function inAddresses(value: string): string[] {
  const inUrl = encodeURIComponent(value)
  const inForm = new URLSearchParams([['', value]]).toString().slice(1)
  const lowerCase = (form: string) => form.replace(/%../g, (code) => code.toLowerCase())
  return [inUrl, encodeURI(value), inForm, lowerCase(inUrl), lowerCase(inForm)]
}

/**
 * What stands of it in base64 whatever is before and behind it, as in `user:password`: three bytes make four
 * characters, so there are three forms; the characters at the edges, which its neighbours share, are left out.
 */
function inBase64(value: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    const first = Math.ceil((before * 8) / 6)
    const whole = Math.floor((bytes.length * 8) / 6)
    return [bytes.toString('base64'), bytes.toString('base64url')].map((text) => text.slice(first, whole))
  })
}

function readOrNothing(secret: Secret): string {
  try {
    return secret.read()
  } catch {
    return ''
  }
}
