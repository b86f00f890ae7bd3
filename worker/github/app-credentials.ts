/**
 * Installation tokens of a GitHub App. They live for an hour: one is asked for when it is first needed, renewed in
 * the background while it is good for a while yet, and thrown away when GitHub answers 401 to it. Asked for once at a
 * time, whoever waits. auth-app signs the request and corrects a clock that GitHub does not accept; how long a token
 * lives is measured between GitHub's own times.
 * Contract: GitHub's REST description of `POST /app/installations/{id}/access_tokens`.
 */
import { createAppAuth } from '@octokit/auth-app'
import { Octokit } from '@octokit/rest'
import type { Logger } from '../../shared/logger.ts'
import { pkcs8From } from '../../shared/private-key.ts'
import type { Redactor } from '../../shared/redact.ts'
import type { Secret } from '../../shared/secret.ts'
import { answered, answerFrom, wordsOf } from './answer.ts'
import { type Credentials, isToken, TokenRefused } from './credentials.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import { SendError } from './send-once.ts'

export interface AppOptions {
  /** Number or client id. */
  appId: string
  installationId: string
  privateKey: Secret
  baseUrl: string
  redact: Redactor
  log: Logger
  /** Time limit of a request for a token, ms. */
  withinMs?: number
  /** After GitHub gave none it is not asked again for this long, ms; longer where it says so. */
  pauseMs: number
}

interface Held {
  token: string
  /** From then on it is renewed in the background, */
  renewFrom: Deadline
  /** and from then on no longer sent. */
  goodUntil: Deadline
  /** It took the place of a refused one, and GitHub has not known it at a dispatch yet. */
  unproven: boolean
  /** Such as `actions: write`. */
  permissions: Readonly<Record<string, string>>
}

const WITHIN_MS = 10_000
const HOUR_MS = 3_600_000
const LIMITED_PAUSE_MS = 60_000
/** Of a token's life: an hour leaves a quarter of one for renewing, and the last two minutes unused. */
const RENEW_AT = 3 / 4
const GOOD_UNTIL = 29 / 30
/** GitHub's times are in whole seconds: a life may be shorter than it seems, ms. */
const ROUNDING_MS = 1_000
/** A clock further off than this is told of, ms. */
const CLOCK_OFF_MS = 60_000

export function appCredentials(options: AppOptions): Credentials {
  const { appId, installationId, privateKey, baseUrl, redact, log } = options
  const { withinMs = WITHIN_MS, pauseMs } = options
  let held: Held | undefined
  let asking: Promise<Held> | undefined
  let failed: { error: unknown; pause: Deadline } | undefined

  return {
    async token(signal) {
      const good = held && !held.goodUntil.passed() ? held : await unlessAborted(renew(), signal)
      if (good.renewFrom.passed() && (!failed || failed.pause.passed())) renewInBackground()
      // Each time, so that it is not forgotten for those that came after it.
      redact.learn(good.token)
      return good.token
    },

    async refused(token, signal) {
      if (held?.token === token) {
        const { unproven } = held
        held = undefined
        // The second one in a row: it is not the token that is wrong.
        if (unproven) return false
      }
      if (held) return true
      try {
        const fresh = await unlessAborted(renew(), signal)
        fresh.unproven = true
        return true
      } catch {
        return false
      }
    },

    known(token) {
      if (held?.token === token) held.unproven = false
    },

    permissions: () => held?.permissions,
  }

  function renew(): Promise<Held> {
    if (failed?.error instanceof TokenRefused && !failed.pause.passed()) return Promise.reject(failed.error)
    asking ??= ask()
      .then(
        (fresh) => {
          failed = undefined
          held = fresh
          return fresh
        },
        (error: unknown) => {
          failed = { error, pause: createDeadline(pauseAfter(error, pauseMs)) }
          throw error
        },
      )
      .finally(() => {
        asking = undefined
      })
    return asking
  }

  function renewInBackground() {
    renew().catch((err: Error) =>
      log.warn(
        { detail: err.message },
        "The GitHub App's token could not be renewed; the old one is good yet",
      ),
    )
  }

  async function ask(): Promise<Held> {
    const octokit = octokitOfTheApp()
    let reply: { status: number; data: unknown; headers: { date?: string } }
    try {
      reply = await octokit.request('POST /app/installations/{installation_id}/access_tokens', {
        installation_id: Number(installationId),
        request: { signal: AbortSignal.timeout(withinMs) },
      })
    } catch (error) {
      const answer = answerFrom(error, redact)
      const message = `no token of the GitHub App: ${wordsOf(answer)}`
      throw answer.kind === 'answered'
        ? new TokenRefused(message, answer)
        : new SendError(answer.code, message)
    }
    const { status, data, headers } = reply
    const { token, expires_at, permissions } = (data ?? {}) as Record<string, unknown>
    if (!isToken(token)) {
      const message = `no token of the GitHub App: GitHub answered ${status}, without a token that can be read`
      throw new TokenRefused(message, answered(status, data, headers, redact))
    }
    tellClock(headers.date)
    const lifeMs = lifeOf(String(expires_at), headers.date)
    log.debug({ appId, installationId, lifeMs }, 'GitHub gave a token of the App')
    return {
      token,
      renewFrom: createDeadline(lifeMs * RENEW_AT),
      goodUntil: createDeadline(lifeMs * GOOD_UNTIL),
      unproven: false,
      permissions: permissionsFrom(permissions),
    }
  }

  /** Made anew for each token, since the key may have been rotated. */
  function octokitOfTheApp(): Octokit {
    const quiet = () => {}
    const silent = { debug: quiet, info: quiet, warn: quiet, error: quiet }
    return new Octokit({
      authStrategy: createAppAuth,
      auth: { appId, privateKey: currentKey() },
      baseUrl,
      userAgent: 'promotion-relay',
      log: silent,
      request: { log: silent, fetch: learning, redirect: 'manual' },
    })
  }

  /** What it signs is as good as a token for ten minutes. */
  function learning(input: string, init: RequestInit): Promise<Response> {
    const [, jwt = ''] = /^bearer (.+)$/i.exec(new Headers(init.headers).get('authorization') ?? '') ?? []
    redact.learn(jwt)
    return fetch(input, init)
  }

  function currentKey(): string {
    let text: string
    try {
      text = privateKey.read()
    } catch (cause) {
      const { code = 'unknown fault' } = cause as NodeJS.ErrnoException
      throw new SendError('CREDENTIALS', `${privateKey.name} can't be read: ${code}`, { cause })
    }
    const key = pkcs8From(text)
    if (key === undefined) throw new SendError('CREDENTIALS', `${privateKey.name} is no RSA private key`)
    redact('')
    return key
  }

  function tellClock(date: string | undefined) {
    const offMs = Date.now() - Date.parse(date ?? '')
    if (Math.abs(offMs) > CLOCK_OFF_MS)
      log.warn({ aheadSeconds: Math.round(offMs / 1000) }, "The clock of this machine differs from GitHub's")
  }
}

function permissionsFrom(told: unknown): Record<string, string> {
  const entries = Object.entries(typeof told === 'object' && told !== null ? told : {})
  return Object.fromEntries(entries.map(([name, level]) => [name, String(level)]))
}

/** From now to the end, both by GitHub's clock, ms; an hour where they can't be read, as GitHub promises it. */
function lifeOf(expiresAt: string, date: string | undefined): number {
  const githubNow = Date.parse(date ?? '')
  const lifeMs = Date.parse(expiresAt) - (Number.isNaN(githubNow) ? Date.now() : githubNow) - ROUNDING_MS
  return lifeMs > 0 ? lifeMs : HOUR_MS
}

function pauseAfter(error: unknown, pauseMs: number): number {
  if (!(error instanceof TokenRefused)) return pauseMs
  const { status, headers } = error.answer
  const after = Number(headers['retry-after'])
  if (after > 0) return Math.min(after * 1000, HOUR_MS)
  return status === 429 || headers['x-ratelimit-remaining'] === '0' ? LIMITED_PAUSE_MS : pauseMs
}

/** The request goes on for others who wait for it. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new SendError('NO_TOKEN', 'GitHub gave no token of the App in time'))
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
