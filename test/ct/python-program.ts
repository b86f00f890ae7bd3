/** A Python program with nothing in its environment but what is given here. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { type AtEnd, type Program, ROOT, startProgram } from '../support/up.ts'

export type PythonProgram = Program

export interface PythonOptions {
  args: readonly string[]
  /** Where it may leave what it likes; what still runs on it at the end of the tests fails them. */
  home: string
  env?: Readonly<Record<string, string>>
  atEnd?: AtEnd
}

const ENDS_WITHIN_MS = 20_000

/** Asked to end at the end, and ended where it doesn't. */
export function startPython(python: string, { args, home, env, atEnd }: PythonOptions): PythonProgram {
  mkdirSync(home, { recursive: true })
  const given = {
    PATH: `${path.dirname(python)}:/usr/bin:/bin`,
    HOME: home,
    // By it a process that is left over is found.
    DATA_DIR: home,
    PYTHONPATH: path.join(ROOT, 'producer', 'python', 'src'),
    PYTHONDONTWRITEBYTECODE: '1',
    NO_PROXY: '127.0.0.1',
    ...QUIET,
    PREFECT_HOME: path.join(home, '.prefect'),
    ...env,
  }
  const assignments = Object.entries(given).map(([name, value]) => `${name}=${value}`)
  const options = { cwd: home, ...(atEnd ? { atEnd } : {}) }
  const program = startProgram('env', ['-i', ...assignments, python, ...args], options)
  const end = async () => {
    if (program.ended !== undefined) return
    program.kill('SIGTERM')
    await program.end(ENDS_WITHIN_MS).catch(() => {})
  }
  atEnd?.(end)
  return program
}

/** Nobody is told of what runs here. */
const QUIET = {
  DO_NOT_TRACK: '1',
  MLFLOW_DISABLE_TELEMETRY: 'true',
  PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
  PREFECT_LOGGING_LEVEL: 'WARNING',
  GIT_PYTHON_REFRESH: 'quiet',
}
