// The relay as it runs in production: `serve`, `work` and `up` as processes, beside a Redis and a simulator of their
// own. Whatever is started here ends with the section, also where it throws.
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import type { Pauses } from '../../worker/pauses.ts'
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import {
  type AtEnd,
  CLI,
  NODE,
  type Program,
  ROOT,
  run as runProgram,
  startProgram,
  startUp,
  temporaryDir,
  type Up,
} from '../support/up.ts'

export const API_TOKEN = 'token-of-a-benchmark'
const START_WITHIN_MS = 60_000
const SIMULATOR = path.join(ROOT, 'test', 'github-simulator', 'main.ts')
const HURRIED = path.join(ROOT, 'test', 'support', 'worker-process.ts')

type Env = Readonly<Record<string, string>>

export interface Processes {
  atEnd: AtEnd
  /** A directory that is gone afterwards. */
  home: string
  redis(options?: PrivateRedisOptions): Promise<PrivateRedis>
  /** @param flags of the simulator; on the same port it takes the place of one that has ended */
  simulator(flags?: readonly string[], port?: number): Promise<Listening>
  serve(env: Env): Promise<Listening>
  work(env: Env): Promise<Listening>
  /** Runs a command to its end. */
  run(args: readonly string[], env: Env): Promise<{ code: number | NodeJS.Signals; stderr: string }>
  /** Server, worker, Redis and simulator as a newcomer has them; up once its sample promotion is deployed. */
  up(options?: { by?: 'npm' | 'node'; env?: Env; dataDir?: string }): Promise<Up>
  /** A worker with shorter pauses than the product's, for a run that proves no time; nobody waits for its start. */
  hurriedWork(env: Env, pauses: Partial<Pauses>): void
}

export interface Listening {
  url: string
  program: Program
}

/**
 * Gives the means to start processes, and ends all of them, the last first, whatever comes of it.
 * @param cli the program; that of the checkout where none is given
 */
export async function withProcesses<T>(run: (processes: Processes) => Promise<T>, cli = CLI): Promise<T> {
  const undo: (() => void | Promise<void>)[] = []
  const atEnd: AtEnd = (step) => void undo.push(step)
  try {
    const home = temporaryDir('relay-bench', atEnd)
    return await run({
      atEnd,
      home,
      async redis(options) {
        const redis = await startPrivateRedis(options)
        atEnd(redis.stop)
        return redis
      },
      async simulator(flags = [], port) {
        const args = [SIMULATOR, '--port', String(port ?? (await pickFreePort())), ...flags]
        return listening(startProgram(NODE, args, { atEnd, cwd: home }))
      },
      serve: async (env) =>
        listening(startProgram(NODE, [cli, 'serve'], { atEnd, cwd: home, env: { PORT: '0', ...env } })),
      work: async (env) =>
        listening(startProgram(NODE, [cli, 'work'], { atEnd, cwd: home, env: { WORKER_PORT: '0', ...env } })),
      run: (args, env) => runProgram(NODE, [cli, ...args], { cwd: home, env }),
      async up({ by = 'node', env, dataDir = path.join(home, 'up') } = {}) {
        const own = { TRACK_INTERVAL_SECONDS: '', ...env }
        const relay = await startUp({ dataDir, by, env: own, atEnd, unhurried: true })
        atEnd(() => endUp(relay))
        return relay
      },
      hurriedWork(env, pauses) {
        startProgram(NODE, [HURRIED, JSON.stringify(pauses)], { atEnd, cwd: home, env })
      },
    })
  } finally {
    for (const step of undo.reverse()) await step()
  }
}

/** Builds the package, as `npm pack` and the image do. @returns its program */
export async function builtCli(): Promise<string> {
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT })
  return path.join(ROOT, 'dist', 'cli.js')
}

/** With its Redis, which would outlive a kill. Harmless when it has ended. */
export async function endUp(relay: Up): Promise<void> {
  relay.kill('SIGTERM')
  await relay.end()
}

/** What serve and work are set to against a simulator; the pace and all else is the product's own. */
export function settingsFor(redisUrl: string, simulatorUrl: string): Record<string, string> {
  return {
    REDIS_URL: redisUrl,
    ENABLE_CD_TRIGGER: 'true',
    GITHUB_REPO_OWNER: 'acme',
    GITHUB_REPO_NAME: 'models',
    GITHUB_TOKEN: 'ghp_token-of-a-benchmark',
    GITHUB_API_URL: simulatorUrl,
    RELAY_API_TOKEN: API_TOKEN,
    OPS_PASSWORD: API_TOKEN,
  }
}

/** @throws what it said, where it ends before it listens */
async function listening(program: Program): Promise<Listening> {
  const url = await until(
    'a process to listen',
    () => {
      if (program.ended !== undefined) throw new Error(`it ended: ${program.stdout}\n${program.stderr}`)
      return /"url":"(http[^"]+)"/.exec(program.stdout)?.[1]
    },
    START_WITHIN_MS,
  )
  return { url, program }
}

/** Asks a server's API. @throws where it refuses */
export async function ask<T>(url: string, where: string, body?: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${API_TOKEN}`, 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${url}${where}`, { headers, ...sent })
  const text = await response.text()
  if (!response.ok) throw new Error(`${where}: ${response.status} ${text.slice(0, 500)}`)
  return JSON.parse(text) as T
}

/** A directory below `home`. */
export function directory(home: string, name: string): string {
  const dir = path.join(home, name)
  mkdirSync(dir, { recursive: true })
  return dir
}
