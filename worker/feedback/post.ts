/**
 * One POST of a sink's: a time limit for all of it, no redirect followed, a fresh connection, and where it is asked
 * for, to public addresses only. What comes back is told as it is; only bugs are thrown.
 */
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { publicLookup, RefusedAddress, refuseLiteral } from './public-address.ts'
import type { Told } from './sink.ts'

export interface Post {
  url: string
  headers: Record<string, string>
  body: string
  withinMs: number
  signal: AbortSignal
  publicOnly: boolean
  /** How names are resolved where only public addresses may be reached. */
  lookup?: LookupFunction
}

export type Reply =
  | { kind: 'answered'; status: number; text: string }
  | { kind: 'unanswered'; why: string }
  /** It may not be asked at all. */
  | { kind: 'refused'; why: string }

/** Of an answer so much is kept, for whoever looks at a failure. */
const LONGEST_TEXT = 300
const LARGEST_ANSWER_BYTES = 100_000

export async function post(call: Post): Promise<Reply> {
  const limit = AbortSignal.timeout(call.withinMs)
  const signal = AbortSignal.any([limit, call.signal])
  try {
    return await send(call, signal)
  } catch (error) {
    if (error instanceof RefusedAddress) return { kind: 'refused', why: error.message }
    if (limit.aborted) return { kind: 'unanswered', why: `no answer within ${call.withinMs / 1000} s` }
    if (call.signal.aborted) return { kind: 'unanswered', why: 'the worker is being stopped' }
    return { kind: 'unanswered', why: wordsOf(error) }
  }
}

function send({ url: address, headers, body, publicOnly, lookup }: Post, signal: AbortSignal) {
  return new Promise<Reply>((resolve, reject) => {
    const url = new URL(address)
    if (publicOnly) refuseLiteral(url)
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      agent: false,
      signal,
      headers: {
        'user-agent': 'promotion-relay',
        ...headers,
        'content-length': Buffer.byteLength(body),
        connection: 'close',
      },
      ...(publicOnly && { lookup: lookup ?? publicLookup() }),
    })
    request.on('error', reject)
    // A connection given up for another protocol (101) closes without an error and without an answer.
    request.once('close', () => reject(new Error('the connection ended without an answer')))
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      const answer = () => {
        const text = Buffer.concat(chunks).toString().slice(0, LONGEST_TEXT)
        resolve({ kind: 'answered', status: response.statusCode ?? 0, text })
      }
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= LARGEST_ANSWER_BYTES) chunks.push(chunk)
        else {
          // Its status is known, and nobody reads so much.
          answer()
          request.destroy()
        }
      })
      response.on('error', reject)
      response.once('end', answer)
    })
    request.end(body)
  })
}

function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return message || code || 'unknown fault'
}

/** 4xx that another try may mend. */
const PASSING: readonly number[] = [408, 409, 425, 429]

export function toldFrom(reply: Reply): Told {
  switch (reply.kind) {
    case 'refused':
      return { kind: 'failed', why: reply.why, again: false }
    case 'unanswered':
      return { kind: 'failed', why: reply.why, again: true }
    case 'answered': {
      const { status, text } = reply
      if (status >= 200 && status < 300) return { kind: 'told', note: `answered ${status}` }
      const why = `answered ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`
      const isFinal = status >= 400 && status < 500 && !PASSING.includes(status)
      return { kind: 'failed', why: text === '' ? why : `${why}: ${text}`, again: !isFinal }
    }
    default:
      return reply satisfies never
  }
}
