// A real Redis of a test's own: a temporary folder, a free port, nothing shared and nothing adopted.
// Guarantees: durable as the product's (AOF, fsync always) unless told otherwise; gone with its folder after
// stop(), and at the latest when the test process exits. The program comes from the product's chain: PATH, an
// earlier private copy, the distribution's packages.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { askServer } from '../../shared/redis/embedded/ask-server.ts'
import { findProgram } from '../../shared/redis/embedded/chain.ts'
import { explainMisses, type LinkMiss } from '../../shared/redis/embedded/explanation.ts'
import { type ServerProgram, serverEnvironment } from '../../shared/redis/embedded/find-server.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { pollUntil, within } from '../../shared/redis/embedded/poll-until.ts'
import { serverConfig } from '../../shared/redis/embedded/server-config.ts'

export interface PrivateRedisOptions {
  /** `always` by default. */
  appendfsync?: string
  /** More lines of redis.conf, after ours: they win. `['requirepass secret']` is not put into the url. */
  config?: string[]
  port?: number
  /** Kept at stop; without one, a temporary folder that is removed. */
  dir?: string
}

export interface PrivateRedis {
  readonly url: string
  readonly port: number
  readonly dir: string
  /** Of the process that runs now, or ran last: restart() changes it. */
  readonly pid: number
  /** Clean end; removes the temporary folder. Harmless after kill(), and when called twice. */
  stop(): Promise<void>
  /** SIGKILL; returns when the process is gone. The data stay, for restart(). */
  kill(): Promise<void>
  /** Ends the server cleanly if it runs, and starts it on the same port and folder. */
  restart(): Promise<void>
}

const START_PATIENCE_MS = 15_000
const END_PATIENCE_MS = 10_000

export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const program = await serverProgram()
  if (options.dir) await mkdir(options.dir, { recursive: true })
  const dir = await realpath(options.dir ?? (await mkdtemp(path.join(tmpdir(), 'private-redis-'))))
  let port = options.port ?? (await pickFreePort())
  let child = await run()

  async function run(chosenPort = options.port): Promise<ChildProcess> {
    // A free port may be taken before Redis binds it: then another one, or the same again where it has to be that.
    const started = await pollUntil(
      async () => {
        const attempt = await runOnce(program, { ...options, dir, port })
        if (!attempt && chosenPort === undefined) port = await pickFreePort()
        return attempt
      },
      { everyMs: 100, deadlineAt: within(START_PATIENCE_MS) },
    )
    if (!started) throw new Error(`no Redis on port ${port}: see ${path.join(dir, 'redis.log')}`)
    return started
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (hasEnded(child)) return
    const ended = once(child, 'exit')
    // A server that a test has stopped (SIGSTOP) would not hear of it.
    child.kill('SIGCONT')
    child.kill(signal)
    const tooLong = setTimeout(() => child.kill('SIGKILL'), END_PATIENCE_MS)
    await ended
    clearTimeout(tooLong)
  }

  return {
    dir,
    get url() {
      return `redis://127.0.0.1:${port}/0`
    },
    get port() {
      return port
    },
    get pid() {
      return child.pid ?? 0
    },
    stop: async () => {
      await end('SIGTERM')
      if (!options.dir) await rm(dir, { recursive: true, force: true })
    },
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGTERM')
      child = await run(port)
    },
  }
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

type RunOptions = PrivateRedisOptions & { dir: string; port: number }

async function runOnce(program: ServerProgram, options: RunOptions): Promise<ChildProcess | undefined> {
  const { dir, port, appendfsync, config } = options
  const configFile = path.join(dir, 'redis.conf')
  const settings = { dir, port, logFile: path.join(dir, 'redis.log'), extra: config ?? [] }
  await writeFile(configFile, serverConfig({ ...settings, ...(appendfsync && { appendfsync }) }))
  const env = serverEnvironment(process.env, program.libraryDir)
  const child = spawn(program.command, [configFile], { cwd: dir, env, stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const answered = await pollUntil(
    async () => {
      if (hasEnded(child)) return false
      const answer = await askServer({ port })
      // 'denied': a test that sets a password of its own.
      const ours = answer.kind === 'denied' || (answer.kind === 'ready' && answer.dir === dir)
      return ours ? true : undefined
    },
    { everyMs: 10, deadlineAt: within(START_PATIENCE_MS) },
  )
  if (answered && !hasEnded(child)) return child
  child.kill('SIGKILL')
  return undefined
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

let program: Promise<ServerProgram> | undefined

function serverProgram(): Promise<ServerProgram> {
  program ??= lookForProgram()
  return program
}

async function lookForProgram(): Promise<ServerProgram> {
  const cacheHome = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache')
  const context = {
    cacheDir: path.join(cacheHome, 'promotion-relay'),
    env: process.env,
    signal: undefined,
    log: (line: string) => process.stderr.write(`${line}\n`),
  }
  const misses: LinkMiss[] = []
  for (const link of ['path', 'cache', 'apt'] as const) {
    const found = await findProgram(link, context)
    if (found.ok) return found.program
    misses.push({ link, ...found })
  }
  throw new Error(explainMisses(misses))
}
