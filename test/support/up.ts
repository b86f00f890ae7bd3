/**
 * The relay as real processes: a program with a clean environment, and `up` on a directory of the test's own. What
 * a test starts is ended with it by its pid; what is left of it after that, or holds on to the directory, fails it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { SETTING_NAMES } from '../../shared/config.ts'
import { logInsFile, readLogIns, readRelayAddress } from '../../standalone/relay-file.ts'
import { until } from './until.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
export const CLI = path.join(ROOT, 'cli.ts')
export const LAUNCHER = path.join(ROOT, 'bin', 'promotion-relay.cjs')
/** The pinned one: the tests run by it. */
export const NODE = process.execPath

/** Takes what undoes something; the end of the test by default. */
export type AtEnd = (undo: () => void | Promise<void>) => void

export interface Program {
  readonly pid: number
  readonly stdout: string
  readonly stderr: string
  /** Exit code, or the signal that ended it; undefined while it runs. */
  readonly ended: number | NodeJS.Signals | undefined
  /** Waits for its end and all it printed. */
  end(withinMs?: number): Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
  /** Types into it. */
  type(text: string): void
  /** Nobody reads its output any more. */
  closeOutput(): void
}

export interface ProgramOptions {
  env?: Readonly<Record<string, string>>
  cwd?: string
  atEnd?: AtEnd
}

/** Nothing of the machine's own settings: a `.env` in the checkout can't add any either, since all are there, empty. */
export function cleanEnv(): Record<string, string> {
  const settings = SETTING_NAMES.flatMap((name) => [name, `${name}_FILE`]).concat('RELAY_URL')
  return {
    ...Object.fromEntries(settings.map((name) => [name, ''])),
    PATH: `${path.dirname(NODE)}:${process.env.PATH ?? ''}`,
    HOME: homedir(),
    ...(process.env.XDG_CACHE_HOME ? { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME } : {}),
    npm_config_update_notifier: 'false',
    // Most of a start is reading TypeScript.
    NODE_COMPILE_CACHE: path.join(tmpdir(), 'promotion-relay-test-compile-cache'),
    // Node 22 warns that its SQLite is experimental, but not for a package that is installed.
    ...(process.version.startsWith('v22.') ? { NODE_OPTIONS: '--disable-warning=ExperimentalWarning' } : {}),
  }
}

export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const { env, cwd = tmpdir(), atEnd = onTestFinished } = options
  const child = spawn(command, args, { cwd, env: { ...cleanEnv(), ...env }, stdio: 'pipe' })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text
  })
  child.stdin.on('error', () => {})
  running.add(child)
  const closed = once(child, 'close').then(() => running.delete(child))
  const ended = () => child.signalCode ?? child.exitCode ?? undefined
  atEnd(async () => {
    if (ended() === undefined) child.kill('SIGKILL')
    // A grandchild that outlives it may hold its output open: that is seen by whoever looks for it.
    child.stdout.destroy()
    child.stderr.destroy()
    await closed
  })
  return {
    pid: child.pid ?? 0,
    get stdout() {
      return said.stdout
    },
    get stderr() {
      return said.stderr
    },
    get ended() {
      return ended()
    },
    async end(withinMs = 20_000) {
      const words = `the end of ${command} ${args.join(' ')}`
      await until(words, ended, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}\n${said.stdout}\n${said.stderr}`)
      })
      await closed
      return ended() ?? 0
    },
    kill: (signal) => void child.kill(signal),
    type: (text) => void child.stdin.write(text),
    closeOutput: () => {
      child.stdout.destroy()
      child.stderr.destroy()
    },
  }
}

/** Runs it to its end, which has to come within this time. */
export async function run(
  command: string,
  args: readonly string[],
  options: ProgramOptions & { withinMs?: number } = {},
) {
  const undo: (() => void | Promise<void>)[] = []
  try {
    const program = startProgram(command, args, { ...options, atEnd: (step) => undo.push(step) })
    const startedAt = performance.now()
    const code = await program.end(options.withinMs)
    const { stdout, stderr } = program
    const lines = (text: string) => text.split('\n').filter((line) => line !== '')
    return {
      code,
      stdout,
      stderr,
      said: lines(stdout),
      complaints: lines(stderr),
      tookMs: performance.now() - startedAt,
    }
  } finally {
    for (const step of undo) await step()
  }
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A directory that is gone with the test, and must be let go of by every process before. */
export function temporaryDir(name: string, atEnd: AtEnd = onTestFinished): string {
  const dir = mkdtempSync(path.join(tmpdir(), `${name}-`))
  atEnd(async () => {
    const left = processesOn(dir)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    await until('the end of what was left running', () => processesOn(dir).length === 0)
    rmSync(dir, { recursive: true, force: true })
    if (left.length > 0) throw new Error(`left running: ${left.map(({ command }) => command).join('; ')}`)
  })
  return dir
}

/** The processes that name this directory: Redis and the simulator in their command line, a relay in DATA_DIR. */
export function processesOn(dir: string): { pid: number; command: string }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    const command = textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
    const names = command.includes(dir) || textOf(`/proc/${pid}/environ`).includes(`\0DATA_DIR=${dir}`)
    return names ? [{ pid: Number(pid), command }] : []
  })
}

export function isAlive(pid: number): boolean {
  // An ended one that nobody has asked about yet is still listed, as a zombie.
  const state = textOf(`/proc/${pid}/stat`).split(') ')[1]?.[0]
  return state !== undefined && state !== 'Z'
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

export interface UpOptions extends ProgramOptions {
  dataDir: string
  /** `npm start`, or by `node` (default). */
  by?: 'npm' | 'node'
  /** Runs take their 4 seconds; else they are hurried. */
  unhurried?: boolean
}

export interface Up extends Program {
  readonly dataDir: string
  /** Of the server. */
  readonly url: string
  readonly simulatorUrl: string
  /** Of the relay itself, behind npm and its shell. */
  readonly relayPid: number
  readonly redisPid: number
  readonly simulatorPid: number
  readonly token: string
  readonly opsPassword: string
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; headers: Headers; body: Json }>
  simulator(method: string, verb: string, body?: unknown): Promise<Json>
  /** Runs of the simulator take a moment from now on. */
  hurry(): Promise<void>
  /** Waits for the state. @throws with what it is instead */
  reaches(id: string, state: string, withinMs?: number): Promise<Json>
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into it and fails on what is not there
type Json = any

/** What is printed last before it settles down. */
export const READY = 'It runs until'

export async function startUp(options: UpOptions): Promise<Up> {
  const { dataDir, by = 'node', env, unhurried = false } = options
  const npm = by === 'npm'
  const program = startProgram(npm ? 'npm' : NODE, npm ? ['start'] : [LAUNCHER, 'up'], {
    ...options,
    cwd: npm ? ROOT : path.dirname(dataDir),
    env: { DATA_DIR: dataDir, PORT: '0', TRACK_INTERVAL_SECONDS: '0.1', ...env },
  })
  const relay = asUp(program, dataDir)
  let hurried = unhurried
  await until(
    'the relay to be up',
    async () => {
      if (program.ended !== undefined) throw new Error(`it ended: ${program.stdout}\n${program.stderr}`)
      const run = /dispatched as run (\d+)/.exec(program.stdout)?.[1]
      if (run && !hurried) {
        hurried = true
        await relay.simulator('POST', `runs/${run}/complete`)
      }
      return program.stdout.includes(READY)
    },
    40_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${program.stdout}\n${program.stderr}`)
  })
  if (!unhurried && relay.simulatorUrl !== '') await relay.hurry()
  return relay
}

export function asUp(program: Program, dataDir: string): Up {
  const printed = (name: string) => new RegExp(`^  ${name} +(\\S+)$`, 'm').exec(program.stdout)?.[1] ?? ''
  const child = (word: string) => processesOn(dataDir).find(({ command }) => command.includes(word))?.pid ?? 0
  const relay = Object.create(program, {
    dataDir: { value: dataDir },
    url: { get: () => printed('API').replace('/v1/promotions', '') },
    simulatorUrl: { get: () => printed('Simulator').replace(/\/$/, '') },
    relayPid: { get: () => readRelayAddress(dataDir)?.pid ?? 0 },
    redisPid: { get: () => child('redis.conf') },
    simulatorPid: { get: () => child('github-simulator') },
    token: { get: () => readLogIns(dataDir).RELAY_API_TOKEN ?? '' },
    opsPassword: { get: () => readLogIns(dataDir).OPS_PASSWORD ?? '' },
    call: {
      value: async (method: string, where: string, body?: unknown) => {
        const headers = { authorization: `Bearer ${relay.token}`, 'content-type': 'application/json' }
        const sent = body === undefined ? {} : { body: JSON.stringify(body) }
        const response = await fetch(`${relay.url}${where}`, { method, headers, ...sent })
        const text = await response.text()
        const isJson = /json/.test(response.headers.get('content-type') ?? '')
        return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
      },
    },
    simulator: {
      value: async (method: string, verb: string, body?: unknown) => {
        const sent = body === undefined ? {} : { body: JSON.stringify(body) }
        const response = await fetch(`${relay.simulatorUrl}/_simulator/${verb}`, { method, ...sent })
        if (!response.ok)
          throw new Error(`the simulator answered ${response.status}: ${await response.text()}`)
        return response.status === 204 ? undefined : response.json()
      },
    },
    hurry: { value: () => relay.simulator('POST', 'life', { queuedMs: 50, runMs: 150 }) },
    reaches: {
      value: async (id: string, state: string, withinMs?: number) => {
        let seen: Json
        const look = async () => {
          seen = (await relay.call('GET', `/v1/promotions/${id}`)).body
          return seen.state === state && seen
        }
        return until(`${id} to be ${state}`, look, withinMs).catch((error: Error) => {
          throw new Error(`${error.message}, it is ${JSON.stringify(seen)}\n${relay.stdout}`)
        })
      },
    },
  }) as Up
  return relay
}

export { logInsFile }

/** A directory for a relay's data, with a blank in its name. */
export function dirOfData(): string {
  return path.join(temporaryDir('relay-up'), 'relay data')
}

/** The relay and everything that it started are gone. */
export async function allGone(relay: Up, pids: readonly number[]): Promise<void> {
  await until('the end of relay, Redis and simulator', () => !pids.some(isAlive))
  await until('the end of whatever else is on its directory', () => processesOn(relay.dataDir).length === 0)
}

/** Of relay, Redis and simulator, which live. */
export function pidsOf({ relayPid, redisPid, simulatorPid }: Up): number[] {
  const pids = [relayPid, redisPid, simulatorPid]
  expect(pids.every((pid) => pid > 1 && isAlive(pid))).toBe(true)
  return pids
}
