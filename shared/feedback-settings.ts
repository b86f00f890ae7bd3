/** What the settings of feedback must be to each other: problems in words, never the value of a secret. */
import { secretsIn } from './secret.ts'

export interface FeedbackSettings {
  allowPrivate: boolean
  /** Whether a setting is given, by itself or as a file. */
  has(name: string): boolean
  /** Of a setting that is no secret. */
  text(name: string): string | undefined
}

/** Of who is to tell: what is missing, or does not go together. */
export function feedbackProblems({ allowPrivate, has, text }: FeedbackSettings): string[] {
  const problems: string[] = []
  const needs = (one: string, other: string) => {
    if (has(one) && !has(other)) problems.push(`${other} is missing: ${one} is set`)
  }
  needs('FEEDBACK_WEBHOOK_URL', 'FEEDBACK_WEBHOOK_SECRET')
  needs('FEEDBACK_WEBHOOK_SECRET', 'FEEDBACK_WEBHOOK_URL')
  if (!allowPrivate && text('FEEDBACK_WEBHOOK_URL')?.startsWith('http:'))
    problems.push('FEEDBACK_WEBHOOK_URL must begin with https:// (or set FEEDBACK_ALLOW_PRIVATE)')
  return problems
}

/** 24 to 64 bytes, as https://www.standardwebhooks.com asks. */
export function isSigningSecret(text: string): boolean {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length >= 24 && bytes.length <= 64
}

/** Of a secret's own form; nothing where it is right. */
export function secretProblem(name: string, text: string, allowPrivate: boolean): string | undefined {
  if (name === 'FEEDBACK_WEBHOOK_SECRET') {
    const each = secretsIn(text)
    if (each.length > 2) return 'must be one secret, or two separated by a comma'
    if (!each.every(isSigningSecret))
      return 'must be whsec_ and 24 to 64 bytes in base64; or two of them, separated by a comma'
  }
  if (name === 'CHAT_WEBHOOK_URL') {
    const url = URL.parse(text)
    if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
      return 'must be an http(s) address'
    if (url.protocol === 'http:' && !allowPrivate)
      return 'must begin with https:// (or set FEEDBACK_ALLOW_PRIVATE)'
  }
  return undefined
}

/** What in an address is the secret: its path and query, where they are long enough to be none of ordinary words. */
export function secretPartOf(address: string): string {
  const { pathname = '', search = '' } = URL.parse(address) ?? {}
  const part = `${pathname}${search}`
  return part.length >= SHORTEST_PART ? part : ''
}

const SHORTEST_PART = 20
