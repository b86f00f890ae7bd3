// The Redis that `promotion-relay up` and the tests use where no REDIS_URL is set: found running, or started from
// the first link of the chain that will do, its data in a directory of the relay's own.
// Guarantees: never two servers on one data directory, whoever is killed at whatever instant: everything happens
// under a lock that the kernel drops with its holder, and a running server is recognised by its process.
// No secret in a command line, a log line or an explanation. Reads no environment but the one handed in.
// Leaves to others: what to do when Redis ends while the relay runs (start again: same data, same port if free).
import { existsSync } from 'node:fs'
import { ALL_LINKS, type ChainContext, type ChainServer, tryLink } from './chain.ts'
import {
  clearRecord,
  type DataDir,
  openDataDir,
  readOrMakePassword,
  readRecord,
  writeRecord,
} from './data-dir.ts'
import { explainMisses, explainMute, explainUnusable, type LinkMiss, STOPPED } from './explanation.ts'
import { findServerProcesses } from './find-process.ts'
import type { Link } from './find-server.ts'
import { type KernelLock, tryLock, waitForLock } from './kernel-lock.ts'
import { within } from './poll-until.ts'
import { endServer, findRunning } from './server-process.ts'

export type { Link }

export interface EmbeddedRedisOptions {
  /** A folder of its own, e.g. `.relay/redis`; made where it is missing, and closed to other users. */
  dataDir: string
  /** Where private copies of a server are kept, e.g. `~/.cache/promotion-relay`. */
  cacheDir: string
  /** PATH and, for apt and Docker, proxies and DOCKER_*. Nothing else of it reaches a child process. */
  env: Readonly<Record<string, string | undefined>>
  /** Which links of the chain, in order; all by default. */
  links?: readonly Link[] | undefined
  /** Progress for a person, a line at a time. */
  log?: ((line: string) => void) | undefined
  /** Stops the start; what was begun is ended. */
  signal?: AbortSignal | undefined
  /** How long a server may stay silent; one that reads its data may take longer. 30 s by default. */
  readyTimeoutMs?: number | undefined
}

export interface EmbeddedRedis {
  /** `redis://` on 127.0.0.1, database 0, **with the password**: not for log lines. */
  readonly url: string
  readonly origin: Link
  /** A running server of this data directory was taken over: left by a killed relay, or shared with another. */
  readonly found: boolean
  /**
   * Gives the server up. The last relay to do so ends it (SHUTDOWN, with everything on disk): with two relays on
   * one data directory, whichever leaves first doesn't pull Redis from under the other, and a killed one doesn't
   * count. Returns when the server is gone; may be called twice.
   */
  stop(): Promise<void>
}

export type EmbeddedRedisResult =
  | { ok: true; redis: EmbeddedRedis }
  /** One block for a person: what was looked for, why it didn't do, and the line to run. */
  | { ok: false; explanation: string }

export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedisResult> {
  const { dataDir, signal, log } = options
  let place: DataDir
  let gate: KernelLock | undefined
  try {
    place = await openDataDir(dataDir)
    gate = await waitForLock(place.startLock, {
      signal,
      onWait: () => log?.(`another relay is starting or ending Redis on ${place.path}; waiting for it…`),
    })
  } catch (error) {
    return { ok: false, explanation: explainUnusable(dataDir, error) }
  }
  if (!gate) return { ok: false, explanation: STOPPED }
  try {
    return await findOrStart(place, options)
  } catch (error) {
    if (isFileError(error)) return { ok: false, explanation: explainUnusable(dataDir, error) }
    throw error
  } finally {
    gate.release()
  }
}

async function findOrStart(place: DataDir, options: EmbeddedRedisOptions): Promise<EmbeddedRedisResult> {
  const { cacheDir, env, links = ALL_LINKS, log, signal, readyTimeoutMs = 30_000 } = options
  const password = await readOrMakePassword(place)
  const context: ChainContext = { place, password, cacheDir, env, log, signal, readyTimeoutMs }

  const running = await findRunning(context)
  if (signal?.aborted) return { ok: false, explanation: STOPPED }
  if (running.kind === 'mute' || running.kind === 'denied') {
    return { ok: false, explanation: explainMute(place.path, running.pids, running.kind) }
  }
  if (running.kind === 'answers') {
    const origin = (await readRecord(place))?.origin ?? 'path'
    const end = () => endServer(context)
    return { ok: true, redis: await handOver({ ...running.server, origin, found: true, end }, context) }
  }

  const misses: LinkMiss[] = []
  for (const link of links) {
    const tried = await tryLink(link, context)
    if (tried.ok) return { ok: true, redis: await handOver(tried.server, context) }
    if (signal?.aborted) return { ok: false, explanation: STOPPED }
    misses.push({ link, ...tried })
    const left = await findServerProcesses(place.configFile)
    if (left.length > 0) return { ok: false, explanation: explainMute(place.path, left, 'mute') }
  }
  return { ok: false, explanation: explainMisses(misses) }
}

/** Still under the start lock: counts this relay among the server's users, and writes down what runs. */
async function handOver(server: ChainServer, { place, password, log }: ChainContext): Promise<EmbeddedRedis> {
  const { origin, found, port, pid, containerId, runId, version, end } = server
  const before = await readRecord(place)
  const startedAt = before?.runId === runId ? before.startedAt : new Date().toISOString()
  await writeRecord(place, { origin, port, pid, containerId, runId, version, startedAt })
  const use = tryLock(place.usersLock, 'shared')
  if (!use) throw new Error(`${place.usersLock} is locked by something that is not a relay`)
  const where = containerId ? 'in Docker' : `process ${pid}`
  log?.(
    `Redis ${version} ${found ? 'was already running' : 'is running'} on ${place.path} (${where}, port ${port})`,
  )

  let stopping: Promise<void> | undefined
  return {
    url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}/0`,
    origin,
    found,
    stop: () => {
      stopping ??= giveUp(place, use, end)
      return stopping
    },
  }
}

const STOP_PATIENCE_MS = 15_000

async function giveUp(place: DataDir, use: KernelLock, end: () => Promise<void>): Promise<void> {
  use.release()
  // Removed under a running server: nobody can share it any more, and there is nothing to lock or to save.
  if (!existsSync(place.path)) return end()
  const gate = await waitForLock(place.startLock, { deadlineAt: within(STOP_PATIENCE_MS) })
  // Whoever keeps the lock that long is starting, and will use this server or replace it.
  if (!gate) return
  try {
    const last = tryLock(place.usersLock, 'exclusive')
    if (!last) return
    try {
      await end()
      await clearRecord(place)
    } finally {
      last.release()
    }
  } finally {
    gate.release()
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
