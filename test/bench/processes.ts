// The processes of a bench: each says one word when it is ready, and all end with the bench.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Process {
  readonly pid: number
  /** What it said: mostly where it listens. */
  readonly word: string
  end(): Promise<void>
}

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** A program of this folder's, which sends its word. */
export async function startProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Process> {
  const file = new URL(program, import.meta.url).pathname
  const child = begin([file, ...args], env, ['ignore', 'ignore', 'inherit', 'ipc'])
  const word = once(child, 'message').then(([said]) => String(said))
  return ready(child, word, program)
}

const CLI = new URL('../../cli.ts', import.meta.url).pathname

/** `work` or `serve` as in production, its log thrown away; ready once its `/readyz` says so. */
export async function startRelay(
  command: 'work' | 'serve',
  port: number,
  env: NodeJS.ProcessEnv,
): Promise<Process> {
  const ports = command === 'work' ? { WORKER_PORT: String(port) } : { PORT: String(port) }
  const child = begin([CLI, command], { HOST: '127.0.0.1', ...ports, ...env }, [
    'ignore',
    'ignore',
    'inherit',
  ])
  return ready(child, untilReady(child, `http://127.0.0.1:${port}`), command)
}

async function untilReady(child: ChildProcess, url: string): Promise<string> {
  while (!hasEnded(child)) {
    const status = await fetch(`${url}/readyz`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return url
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return url
}

function begin(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdio: ('ignore' | 'inherit' | 'ipc')[],
): ChildProcess {
  // In a folder of its own: no .env, no data of anybody.
  const cwd = mkdtempSync(path.join(tmpdir(), 'relay-bench-'))
  const child = spawn(process.execPath, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio })
  living.add(child)
  child.once('exit', () => {
    living.delete(child)
    rmSync(cwd, { recursive: true, force: true })
  })
  return child
}

async function ready(child: ChildProcess, word: Promise<string>, name: string): Promise<Process> {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended before it was ready: ${signal ?? code}`)
  })
  ended.catch(() => {})
  const said = await Promise.race([word, ended])
  return {
    pid: child.pid ?? 0,
    word: said,
    async end() {
      if (hasEnded(child)) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
