/**
 * A `fetch` for the one call that must not be repeated: on a fresh connection, so that a stale one can't fake an
 * unknown outcome; never retried, no redirect followed; and it knows for certain whether anything was sent. The
 * send deadline is checked in the same tick that writes the request: past it, nothing is.
 */
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Deadline } from './deadline.ts'

export interface Sending {
  /** Pass as octokit's `request.fetch`. */
  fetch: typeof globalThis.fetch
  /** Whether the request was handed to the network. False means: GitHub has not seen it. */
  sent(): boolean
}

export interface SendLimits {
  /** Nothing is written after it. */
  sendBefore: Deadline
  /** Time for the answer once it is written, ms. */
  answerWithinMs: number
  /** Aborts what has not been sent yet, and the wait for an answer. */
  signal?: AbortSignal | undefined
}

/** Larger answers are cut off: nothing we ask for comes near it. */
const LARGEST_ANSWER_BYTES = 1_000_000

export class SendError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Why nothing may be sent any more. */
export function refusalToSend({ sendBefore, signal }: Omit<SendLimits, 'answerWithinMs'>) {
  if (signal?.aborted) return new SendError('ABORTED', 'the job was cancelled')
  if (!sendBefore.passed()) return undefined
  return new SendError('SEND_DEADLINE', 'the send deadline passed before anything was sent')
}

export function sendOnce({ sendBefore, answerWithinMs, signal }: SendLimits): Sending {
  let used = false
  let sent = false
  const refusal = () => refusalToSend({ sendBefore, signal })
  const fetch: typeof globalThis.fetch = (input, init) =>
    new Promise<Response>((resolve, reject) => {
      if (used) throw new SendError('ALREADY_USED', 'this request is sent once only')
      used = true
      const tooLate = refusal()
      if (tooLate) throw tooLate
      const url = new URL(String(input))
      const secure = url.protocol === 'https:'
      const body = typeof init?.body === 'string' ? init.body : ''
      const request = (secure ? https : http).request(url, {
        method: init?.method ?? 'GET',
        agent: false,
        headers: { ...headersOf(init), 'content-length': Buffer.byteLength(body), connection: 'close' },
      })
      const stop = (error: Error) => request.destroy(error)
      const timers = [
        setTimeout(() => {
          if (!sent) stop(new SendError('SEND_DEADLINE', 'the send deadline passed before anything was sent'))
        }, sendBefore.leftMs()),
      ]
      const onAbort = () => stop(new SendError('ABORTED', 'the job was cancelled'))
      signal?.addEventListener('abort', onAbort, { once: true })
      const settled = () => {
        for (const timer of timers) clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const fail = (error: Error) => {
        settled()
        reject(error)
      }

      const write = () => {
        if (request.destroyed) return
        const late = refusal()
        if (late) return stop(late)
        sent = true
        timers.push(
          setTimeout(() => {
            stop(new SendError('NO_ANSWER', `no answer within ${answerWithinMs / 1000} s`))
          }, answerWithinMs),
        )
        request.end(body)
      }
      // Headers leave with `end`: until the connection stands, nothing is written.
      request.once('socket', (socket: Socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', write)
        else write()
      })
      request.on('error', fail)
      let answered = false
      // A connection given up for another protocol (101) closes without an error and without an answer.
      request.once('close', () => {
        if (!answered) fail(new SendError('NO_ANSWER', 'the connection ended without an answer'))
      })
      request.once('response', (response) => {
        answered = true
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > LARGEST_ANSWER_BYTES) stop(new SendError('ANSWER_TOO_LARGE', 'the answer is too large'))
          else chunks.push(chunk)
        })
        response.on('error', fail)
        let isWhole = false
        response.once('end', () => {
          isWhole = true
          settled()
          // A throw in here would end the process: an answer that no Response can hold is an error like others.
          try {
            resolve(asResponse(response, Buffer.concat(chunks)))
          } catch (cause) {
            fail(new SendError('ODD_ANSWER', `no answer to make sense of: ${response.statusCode}`, { cause }))
          }
        })
        response.once('close', () => {
          if (!isWhole) fail(new SendError('CUT_OFF', 'the answer broke off'))
        })
      })
    })
  return { fetch, sent: () => sent }
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers).entries())
}

function asResponse(response: http.IncomingMessage, body: Buffer): Response {
  const headers = new Headers()
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    headers.append(String(response.rawHeaders[i]), String(response.rawHeaders[i + 1]))
  }
  const status = response.statusCode ?? 500
  const empty = status === 204 || status === 205 || status === 304
  return new Response(empty ? null : new Uint8Array(body), { status, headers })
}
