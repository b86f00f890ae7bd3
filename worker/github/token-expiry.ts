/**
 * The end of a token's life, which GitHub tells with each answer: shown as a figure, and warned of from a week ahead,
 * once a day; told at once when it has come.
 */
import type { Logger } from '../../shared/logger.ts'

export interface TokenExpiryDeps {
  /** Since the epoch, ms; undefined where there is none. */
  show(atMs: number | undefined): void
  log: Pick<Logger, 'warn' | 'error'>
  now(): number
}

export interface TokenExpiry {
  /** An answer of GitHub's to a request with the token. */
  seen(answer: { status: number; headers: Readonly<Record<string, string>> }): void
  /** Warns where it is time; for a relay that has nothing to ask. */
  look(): void
}

const DAY_MS = 24 * 3_600_000
const WARN_AHEAD_MS = 7 * DAY_MS
/**
 * For some tokens GitHub has told the time of the answer in place of their end (google/go-github#3708): with a token
 * that works, an end this close, or past, says nothing. ms
 */
const NO_END_MS = 2 * 60_000

export function createTokenExpiry({ show, log, now }: TokenExpiryDeps): TokenExpiry {
  let expiresAtMs: number | undefined
  let warnedAtMs = Number.NEGATIVE_INFINITY
  let mournedAtMs = Number.NEGATIVE_INFINITY

  function look() {
    if (expiresAtMs === undefined) return
    const leftMs = expiresAtMs - now()
    const line = { expiresAt: new Date(expiresAtMs).toISOString(), daysLeft: Math.floor(leftMs / DAY_MS) }
    if (leftMs <= 0) {
      if (now() - mournedAtMs < DAY_MS) return
      mournedAtMs = now()
      log.error(line, 'GITHUB_TOKEN has expired: nothing is dispatched until there is a new one')
    } else if (leftMs < WARN_AHEAD_MS && now() - warnedAtMs >= DAY_MS) {
      warnedAtMs = now()
      log.warn(line, 'GITHUB_TOKEN expires soon: put a new one in its place')
    }
  }

  return {
    look,
    seen({ status, headers }) {
      const text = headers['github-authentication-token-expiration']
      const told = text === undefined ? undefined : tokenExpiryFrom(text)
      const works = status < 400
      const answeredAtMs = Date.parse(headers.date ?? '') || now()
      if (told !== undefined && !(works && told - answeredAtMs < NO_END_MS)) settle(told)
      // A token without an end. Errors may come from something before GitHub, which does not know.
      else if (works && text === undefined) settle(undefined)
      look()
    },
  }

  function settle(atMs: number | undefined) {
    if (atMs !== expiresAtMs) show(atMs)
    expiresAtMs = atMs
  }
}

/** `2026-11-30 10:00:00 UTC` or `2026-11-30 10:00:00 +0100`: GitHub sends both. ms since the epoch, or undefined. */
export function tokenExpiryFrom(text: string): number | undefined {
  const [, day, time, zone = ''] =
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2}) ?(UTC|Z|[+-]\d{2}:?\d{2})$/.exec(text.trim()) ?? []
  if (day === undefined) return undefined
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(-2)}` : 'Z'
  const atMs = Date.parse(`${day}T${time}${offset}`)
  return Number.isNaN(atMs) ? undefined : atMs
}
