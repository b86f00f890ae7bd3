// Runs another program to its end: the version check, apt-get, dpkg-deb, docker.
// Guarantees: never throws for what the program does; bounded in time; the program sees only the variables that
// are handed to it, never the relay's secrets; what it said is returned without credentials of any URL.
import { execFile } from 'node:child_process'

export type Environment = Readonly<Record<string, string | undefined>>

export interface CommandOptions {
  env: Environment
  timeoutMs: number
  signal?: AbortSignal | undefined
}

export interface CommandEnd {
  ok: boolean
  stdout: string
  /** Why it failed, in one line, when it did. */
  reason: string
}

export function runCommand(command: string, args: string[], options: CommandOptions): Promise<CommandEnd> {
  const { env, timeoutMs, signal } = options
  const bounds = { env, timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: 32 * 1024 * 1024 }
  return new Promise((resolve) => {
    execFile(command, args, { ...bounds, ...(signal && { signal }) }, (error, stdout, stderr) => {
      if (!error) return resolve({ ok: true, stdout, reason: '' })
      resolve({ ok: false, stdout, reason: reasonOf(error, stdout, stderr, timeoutMs) })
    })
  })
}

/** The variables named, and no others; a name ending in `*` stands for all that begin so. */
export function pickVariables(env: Environment, names: readonly string[]): Record<string, string> {
  const wanted = (name: string) =>
    names.some((pattern) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
    )
  const kept = Object.entries(env).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && wanted(entry[0])
  })
  return Object.fromEntries(kept)
}

export const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [
  name,
  name.toUpperCase(),
])

interface ExecError extends Error {
  code?: string | number | null
  killed?: boolean
  signal?: NodeJS.Signals | null
}

function reasonOf(error: ExecError, stdout: string, stderr: string, timeoutMs: number): string {
  if (error.name === 'AbortError') return 'stopped'
  if (error.killed) return `no end within ${Math.round(timeoutMs / 1000)} s`
  if (typeof error.code === 'string') return `could not be run (${error.code})`
  return firstLine(stderr) || firstLine(stdout) || `ended with ${error.signal ?? `code ${error.code}`}`
}

/** The first complaint is the cause; what follows it ("See 'docker run --help'") is about it. */
function firstLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  const line = lines.find((each) => each !== '' && !/^warning\b/i.test(each)) ?? ''
  return line.replace(/\/\/[^/\s@]+@/g, '//')
}
