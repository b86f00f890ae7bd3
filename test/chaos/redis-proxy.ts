// The proxy between one client (a worker, the producer) and Redis. It knows the ledger's scripts by what stands in
// their arguments, can lose the reply to one after Redis has carried it out, and tells when a claim's `go` is about
// to reach its worker: the instant between intent and POST.
import type { Strike } from './faults.ts'
import { type Conversation, openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export type LostReply = Extract<Strike, `reply-lost-${string}`>

/** What only this script's arguments hold, or BullMQ's keys. */
const MARKS: readonly [LostReply, string][] = [
  ['reply-lost-claim', '"maxClaims":'],
  ['reply-lost-outcome', '"faultsToOpen":'],
  ['reply-lost-resolve', '"looksNeeded":'],
  ['reply-lost-finish', '"conclusion":'],
  ['reply-lost-accept', '"seenMs":'],
]
const QUEUE_MARK = '{relay:0}:bull:'
const GO = '"kind":"go"'

export interface RedisProxyOptions {
  port: () => number
  /** A request of this kind has passed: is its reply to be lost? */
  lose(kind: LostReply): boolean
  /** It was carried out, and nobody hears of it. */
  lost(kind: LostReply): void
  /** The claim of this promotion says go; the worker has not read it yet. */
  go?(promotionId: string): void
}

export function openRedisProxy({ port, lose, lost, go }: RedisProxyOptions): Promise<TcpProxy> {
  const doomed = new WeakMap<Conversation, LostReply>()
  return openTcpProxy(port, {
    asked(chunk, conversation) {
      if (doomed.has(conversation)) return
      const kind = kindOf(chunk)
      if (kind && lose(kind)) doomed.set(conversation, kind)
    },
    answered(chunk, conversation) {
      const kind = doomed.get(conversation)
      if (kind) {
        lost(kind)
        return false
      }
      if (go && chunk.includes(GO)) {
        const text = chunk.toString('latin1')
        // Several commands may be answered in one piece.
        for (const reply of text.split('\r\n')) {
          const id = reply.includes(GO) ? /"id":"([0-9a-f-]{36})"/.exec(reply)?.[1] : undefined
          if (id) go(id)
        }
      }
      return true
    },
  })
}

function kindOf(chunk: Buffer): LostReply | undefined {
  for (const [kind, mark] of MARKS) if (chunk.includes(mark)) return kind
  const isScript = chunk.includes('evalsha') || chunk.includes('EVALSHA')
  return isScript && chunk.includes(QUEUE_MARK) ? 'reply-lost-queue' : undefined
}
