// Every request in the order of its arrival, kept as soon as it was received and completed when it is answered.
// The Authorization header is never kept.
import type { IncomingHttpHeaders } from 'node:http'
import type { Fault } from './faults.ts'
import { openJournal } from './journal.ts'

export interface LogEntry {
  /** `garbled`: a connection that sent no valid HTTP; only `at` says something then. */
  readonly kind: 'request' | 'garbled'
  /** Arrival, ms since the epoch. */
  readonly at: number
  readonly method: string
  /** With its query. */
  readonly path: string
  /** 0 as long as nothing was answered: also for ever, after a reset or a hang. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Parsed where it is JSON, else the text; undefined when there was none. */
  readonly body?: unknown
  readonly fault?: Fault['kind']
  /** The run that this request started. */
  readonly runId?: number
  /** The connection ended before the whole body was here: the request had no effect. */
  readonly cutOff?: true
}

export type Received = Pick<LogEntry, 'at' | 'method' | 'path' | 'body' | 'cutOff'>
export type Outcome = Partial<Pick<LogEntry, 'status' | 'fault' | 'runId'>>

export interface RequestLog {
  readonly entries: readonly LogEntry[]
  garbled(at: number): void
  /** @returns the entry's number, with which its outcome is added */
  received(request: Received, headers: IncomingHttpHeaders): number
  outcome(number: number, outcome: Outcome): void
  close(): void
}

interface JournalLine extends Outcome {
  number: number
}

export function openRequestLog(dataDir: string | undefined): RequestLog {
  const journal = openJournal(dataDir, 'log.jsonl')
  const entries: LogEntry[] = []

  function note({ number, ...change }: JournalLine): void {
    entries[number] = { ...(entries[number] ?? EMPTY), ...change }
  }

  function keep(line: JournalLine): number {
    note(line)
    journal.append(line)
    return line.number
  }

  for (const line of journal.found as JournalLine[]) note(line)
  return {
    entries,
    garbled: (at) => {
      const entry: LogEntry = { ...EMPTY, kind: 'garbled', at }
      keep({ number: entries.length, ...entry })
    },
    received: (request, headers) => {
      const entry: LogEntry = { ...EMPTY, ...request, headers: redacted(headers) }
      return keep({ number: entries.length, ...entry })
    },
    outcome: (number, outcome) => {
      keep({ number, ...outcome })
    },
    close: () => journal.close(),
  }
}

const EMPTY: LogEntry = { kind: 'request', at: 0, method: '', path: '', status: 0, headers: {} }

function redacted(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    kept[name] = name === 'authorization' ? 'REDACTED' : String(value)
  }
  return kept
}
