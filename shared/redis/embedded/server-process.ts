// The chain's first three links end here: a server program, run on a data directory as a process of its own, that
// outlives the relay if it has to.
// Guarantees: no second server on a directory. Whoever calls holds the start lock and has looked for a running one
// (findRunning). One that a killed relay spawned this very moment, not yet to be seen among the processes, reads
// the same configuration file and wants the same port: the kernel gives it to one of the two, and Redis touches
// its data only after it has the port. The loser ends, and the winner is taken.
// Leaves to others: the lock, and who may end the server (start.ts).
import { type ChildProcess, spawn } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { type Answer, askServer, orderShutdown } from './ask-server.ts'
import { type DataDir, readIfThere, writePrivately } from './data-dir.ts'
import { findServerProcesses } from './find-process.ts'
import { type ServerProgram, serverEnvironment } from './find-server.ts'
import { isPortFree, pickFreePort } from './free-port.ts'
import { pollUntil, within } from './poll-until.ts'
import type { Environment } from './run-command.ts'
import { portInConfig, serverConfig } from './server-config.ts'

export interface ServerContext {
  place: DataDir
  password: string
  env: Environment
  /** How long a server may say nothing at all; one that reads its data may take longer. */
  readyTimeoutMs: number
  signal?: AbortSignal | undefined
}

export interface LiveServer {
  port: number
  pid: number
  runId: string
  version: string
}

export type Running =
  | { kind: 'none' }
  | { kind: 'answers'; server: LiveServer }
  | { kind: 'mute' | 'denied'; pids: number[] }

export type Started = { ok: true; server: LiveServer } | { ok: false; reason: string }

const MOST_PORTS_TRIED = 5
/** SIGKILL after it loses nothing: what Redis has answered to is on disk. */
const SHUTDOWN_PATIENCE_MS = 5000

/** The server that runs on this directory; waits for one that is starting, or ending. */
export async function findRunning(context: ServerContext): Promise<Running> {
  const { place, password, readyTimeoutMs, signal } = context
  let pids: number[] = []
  let lastSignOfLife = Date.now()
  const found = await pollUntil<Running>(
    async () => {
      pids = await findServerProcesses(place.configFile)
      if (pids.length === 0) return { kind: 'none' }
      const port = portInConfig((await readIfThere(place.configFile)) ?? '')
      const answer: Answer = port ? await askServer({ port, password }) : { kind: 'silent' }
      if (answer.kind === 'loading') lastSignOfLife = Date.now()
      if (answer.kind === 'denied') return { kind: 'denied', pids }
      return port && isOf(place, answer) ? { kind: 'answers', server: { port, ...answer } } : undefined
    },
    { deadlineAt: () => lastSignOfLife + readyTimeoutMs, signal },
  )
  return found ?? { kind: 'mute', pids }
}

/** Starts a server; tries another port where somebody else took the chosen one first. */
export async function startServer(
  program: ServerProgram,
  context: ServerContext,
  choosePort: () => Promise<number> = () => portFor(context.place),
): Promise<Started> {
  const { place, password } = context
  for (let attemptNumber = 1; ; attemptNumber++) {
    const port = attemptNumber === 1 ? await choosePort() : await pickFreePort()
    const logStart = await sizeOf(place.logFile)
    const config = serverConfig({ port, password, dir: place.path, logFile: place.logFile })
    await writePrivately(place.configFile, config)
    const end = await runUntilReady(program, port, context)
    if (end.kind === 'ready') return { ok: true, server: { port, ...end } }
    if (end.kind === 'mute') return { ok: false, reason: `${program.command} ${end.reason}` }

    const other = await findRunning(context)
    if (other.kind === 'answers') return { ok: true, server: other.server }
    // The first time also for a port that has become free again since.
    const again = attemptNumber === 1 || !(await isPortFree(port))
    if (again && attemptNumber < MOST_PORTS_TRIED && !context.signal?.aborted) continue
    const said = await lastWords(place.logFile, logStart)
    return { ok: false, reason: `${program.command} ${end.reason}${said && `: ${said}`}` }
  }
}

/** Ends the server of this directory, by SHUTDOWN, or SIGKILL if it takes too long; returns when it is gone. */
export async function endServer({
  place,
  password,
}: Pick<ServerContext, 'place' | 'password'>): Promise<void> {
  const gone = () => goneFrom(place)
  if (await gone()) return
  const port = portInConfig((await readIfThere(place.configFile)) ?? '')
  if (!port || !(await orderShutdown({ port, password }))) await signalAll(place, 'SIGTERM')
  if (await pollUntil(gone, { deadlineAt: within(SHUTDOWN_PATIENCE_MS) })) return
  await signalAll(place, 'SIGKILL')
  await pollUntil(gone, { deadlineAt: within(SHUTDOWN_PATIENCE_MS) })
}

type ReadyAnswer = Extract<Answer, { kind: 'ready' }>
type RunEnd = ReadyAnswer | { kind: 'ended' | 'mute'; reason: string }

async function runUntilReady(program: ServerProgram, port: number, context: ServerContext): Promise<RunEnd> {
  const { place, password, env, readyTimeoutMs, signal } = context
  const child = spawn(program.command, [place.configFile], {
    cwd: place.path,
    env: serverEnvironment(env, program.libraryDir),
    // A process group of its own: Ctrl-C in the terminal is for the relay, which still needs Redis then.
    detached: true,
    stdio: 'ignore',
  })
  child.unref()
  const ending = watchEnding(child)
  let lastSignOfLife = Date.now()
  const end = await pollUntil<RunEnd>(
    async () => {
      if (ending.reason) return { kind: 'ended', reason: ending.reason }
      const answer = await askServer({ port, password })
      if (answer.kind === 'loading') lastSignOfLife = Date.now()
      return isOf(place, answer) ? answer : undefined
    },
    { deadlineAt: () => lastSignOfLife + readyTimeoutMs, signal },
  )
  if (end) return end
  // By the directory as well: a command that is a script may have started the server as its child.
  child.kill('SIGKILL')
  await signalAll(place, 'SIGKILL')
  await pollUntil(() => goneFrom(place), { deadlineAt: within(SHUTDOWN_PATIENCE_MS) })
  const reason = signal?.aborted
    ? 'was stopped'
    : `did not answer within ${Math.round(readyTimeoutMs / 1000)} s`
  return { kind: 'mute', reason }
}

function watchEnding(child: ChildProcess): { reason: string | undefined } {
  const ending: { reason: string | undefined } = { reason: undefined }
  child.once('error', (error: NodeJS.ErrnoException) => {
    ending.reason = `could not be run (${error.code})`
  })
  child.once('exit', (code, signal) => {
    ending.reason = `ended at once (${signal ?? `code ${code}`})`
  })
  return ending
}

function isOf(place: DataDir, answer: Answer): answer is ReadyAnswer {
  return answer.kind === 'ready' && answer.dir === place.path
}

/** The port that this directory had before, while it is free: a client that remembers it finds Redis again. */
async function portFor(place: DataDir): Promise<number> {
  const before = portInConfig((await readIfThere(place.configFile)) ?? '')
  return before && (await isPortFree(before)) ? before : pickFreePort()
}

async function goneFrom(place: DataDir): Promise<true | undefined> {
  return (await findServerProcesses(place.configFile)).length === 0 ? true : undefined
}

async function signalAll(place: DataDir, signal: NodeJS.Signals): Promise<void> {
  for (const pid of await findServerProcesses(place.configFile)) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended meanwhile.
    }
  }
}

function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  )
}

/** What the server wrote to its log since, without times and pids: the last two lines say why it gave up. */
async function lastWords(logFile: string, from: number): Promise<string> {
  const log = await open(logFile).catch(() => undefined)
  if (!log) return ''
  const text = await log.read({ position: from, buffer: Buffer.alloc(64 * 1024) }).finally(() => log.close())
  const lines = text.buffer.toString('utf8', 0, text.bytesRead).trim().split('\n').slice(-2)
  return lines.map((line) => line.replace(/^\d+:[A-Z] .*? [.*#-] /, '').trim()).join(' ')
}
