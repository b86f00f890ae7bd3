/**
 * Where the token of a request comes from. A plain token is here: from a setting, or from a file that is read for
 * each request when it has changed, and after a 401 in any case. Those of a GitHub App: app-credentials.ts.
 */
import type { Redactor } from '../../shared/redact.ts'
import type { Secret } from '../../shared/secret.ts'
import type { Answered } from './answer.ts'
import { SendError } from './send-once.ts'

export interface Credentials {
  /**
   * The token to send now. Waits for one at most until the signal.
   * @throws SendError CREDENTIALS: there is none; NO_TOKEN: none in time; or what came of asking for one
   * @throws TokenRefused GitHub gave none
   */
  token(signal: AbortSignal): Promise<string>
  /** GitHub answered 401 to this token. @returns whether another one, which may do better, is at hand now */
  refused(token: string, signal: AbortSignal): Promise<boolean>
  /** GitHub knew this token at a dispatch. */
  known(token: string): void
  /** Of the newest token, as GitHub told when it gave it: such as `actions: write`; undefined where it does not tell. */
  permissions?(): Readonly<Record<string, string>> | undefined
}

/** GitHub was asked for a token and answered otherwise. */
export class TokenRefused extends Error {
  readonly code = 'TOKEN_REFUSED'
  readonly answer: Answered
  constructor(message: string, answer: Answered) {
    super(message)
    this.answer = answer
  }
}

export function tokenCredentials(secret: Secret, redact: Redactor): Credentials {
  function read(how?: { anew: boolean }): string {
    let token: string
    try {
      token = secret.read(how)
    } catch (cause) {
      const { code = 'unknown fault' } = cause as NodeJS.ErrnoException
      throw new SendError('CREDENTIALS', `${secret.name} can't be read: ${code}`, { cause })
    }
    if (!isToken(token)) {
      throw new SendError('CREDENTIALS', `${secret.name} is empty or holds what no token holds`)
    }
    // So that this value is known as a secret, also when the file holds another once the answer comes.
    redact('')
    return token
  }

  return {
    token: async () => read(),
    async refused(token) {
      try {
        return read({ anew: true }) !== token
      } catch {
        return false
      }
    },
    known() {},
  }
}

/** What a header can hold. */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && /^[\x21-\x7e]+$/.test(text)
}
