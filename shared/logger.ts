/**
 * Log lines as JSON by pino, one object a line. Every line passes the redactor as its last step, so that no
 * field, message or stack that somebody adds later can carry a secret out.
 */
import { type DestinationStream, type Logger as Pino, pino } from 'pino'
import type { Redact } from './redact.ts'

export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

export interface LoggerOptions {
  level: string
  redact: Redact
  /** Where lines go; standard output by default. */
  destination?: DestinationStream
  /** Fields of every line, e.g. the role of the process. */
  base?: Record<string, unknown>
}

export function createLogger({ level, redact, destination, base }: LoggerOptions): Pino {
  const out = destination ?? pino.destination({ fd: 1, sync: true })
  return pino(
    {
      level,
      base: base ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
    },
    { write: (line: string) => out.write(redact(line)) },
  )
}

/** Without what ioredis adds: the whole command with its arguments, in bytes that no redactor can read. */
function errorFields(error: Error): object {
  const { command: _, ...fields } = pino.stdSerializers.err(error) as unknown as Record<string, unknown>
  return fields
}

/** For callers that want no log, such as the library by default. */
export const silentLogger: Logger = pino({ level: 'silent' })
