/**
 * What every command stands on: output, exit codes, settings of which every problem is told at once. The environment
 * is handed in by the composition root, which alone reads it.
 */
import { InvalidArgumentError } from 'commander'
import type { DestinationStream } from 'pino'
import { type Environment, loadSettings, type Need, type Settings, secretsOf } from '../shared/config.ts'
import { createLogger } from '../shared/logger.ts'
import { createRedactor } from '../shared/redact.ts'
import type { Secret } from '../shared/secret.ts'

export const EXIT = { done: 0, ended: 1, wrong: 2, unreachable: 3, waitOver: 4 } as const

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function complain(...lines: string[]): void {
  for (const line of lines) process.stderr.write(`promotion-relay: ${line}\n`)
}

/** Ends the process with every problem in a line of its own. */
export function settingsOrExit(env: Environment, needs: readonly Need[]): Settings {
  const loaded = loadSettings(env, needs)
  if (loaded.ok) return loaded.settings
  refuse(loaded.problems)
}

export function refuse(problems: readonly string[]): never {
  complain(...problems)
  process.exit(EXIT.wrong)
}

export function openLog(
  role: string,
  settings: Settings,
  more: readonly Secret[] = [],
  destination?: DestinationStream,
) {
  const redact = createRedactor([...secretsOf(settings), ...more])
  const log = createLogger({
    level: settings.LOG_LEVEL,
    redact,
    base: { role, pid: process.pid },
    ...(destination ? { destination } : {}),
  })
  return { log, redact }
}

export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a setting that was asked for is missing')
  return value
}

export const address = (text: string) => {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
    throw new InvalidArgumentError('An address is needed, such as http://localhost:8080')
  }
  return text.replace(/\/+$/, '')
}
export const seconds = (text: string) => {
  const value = Number(text)
  if (!(value > 0 && value <= 7 * 86_400)) throw new InvalidArgumentError('A number of seconds is needed.')
  return value
}
