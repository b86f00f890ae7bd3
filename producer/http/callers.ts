/** Whose bearer token it is: that of `RELAY_API_TOKEN`, who may do everything, or one of the named ones in the file. */
import { timingSafeEqual } from 'node:crypto'
import { type ApiToken, digestOf, parseTokens, SCOPES, type Scope } from '../../shared/api-tokens.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Secret } from '../../shared/secret.ts'

export interface Caller {
  /** None where it is `RELAY_API_TOKEN`. */
  name?: string
  scopes: readonly Scope[]
}

/** `unreadable`: it may be one of those in `setting`, whose file can't be read now: it is being replaced, say. */
export type Identified =
  | { kind: 'known'; caller: Caller }
  | { kind: 'unknown' }
  | { kind: 'unreadable'; setting: string }

export type Identify = (authorization: string | undefined) => Identified

export interface CallersDeps {
  token?: Secret | undefined
  /** The text of the file of named tokens; see `shared/api-tokens.ts`. */
  tokens?: Secret | undefined
  log: Logger
}

export function createCallers({ token, tokens, log }: CallersDeps): Identify {
  let seen: string | undefined
  let named = new Map<string, ApiToken>()

  /** What is wrong in a file that was changed must not lock out whom its other lines name. */
  function namedBy(text: string): ReadonlyMap<string, ApiToken> {
    if (text === seen) return named
    seen = text
    const parsed = parseTokens(text)
    named = new Map(parsed.tokens.map((one) => [one.digest, one]))
    const names = parsed.tokens.map(({ name }) => name)
    if (parsed.problems.length === 0) log.info({ names }, 'The tokens of the API were read')
    else log.error({ names, problems: parsed.problems }, 'RELAY_API_TOKENS_FILE has lines that are left out')
    return named
  }

  return (authorization) => {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
    const digest = digestOf(given)
    const [one, others] = [readable(token, log), readable(tokens, log)]
    if (one.text !== undefined && timingSafeEqual(Buffer.from(digest), Buffer.from(digestOf(one.text))))
      return { kind: 'known', caller: { scopes: SCOPES } }
    // Found by its digest, which nobody can steer: how long that takes tells nothing.
    const found = others.text === undefined ? undefined : namedBy(others.text).get(digest)
    if (found) return { kind: 'known', caller: found }
    const setting = one.unreadable ?? others.unreadable
    return setting === undefined ? { kind: 'unknown' } : { kind: 'unreadable', setting }
  }
}

function readable(secret: Secret | undefined, log: Logger): { text?: string; unreadable?: string } {
  if (!secret) return {}
  try {
    return { text: secret.read() }
  } catch (err) {
    log.error({ err }, `${secret.name} can't be read: who has no other token does not get in`)
    return { unreadable: secret.name }
  }
}
