// For the tests of the embedded Redis: a data directory of a test's own, relays in processes of their own, and a
// PATH with a redis-server and nothing else. Whatever a test starts is ended with it; a server that it left
// running fails it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { expect, onTestFinished } from 'vitest'
import { findProgram } from '../../shared/redis/embedded/chain.ts'
import { findServerProcesses } from '../../shared/redis/embedded/find-process.ts'
import type { ServerProgram } from '../../shared/redis/embedded/find-server.ts'
import { pollUntil, within } from '../../shared/redis/embedded/poll-until.ts'
import {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from '../../shared/redis/embedded/start.ts'

const START_MODULE = new URL('../../shared/redis/embedded/start.ts', import.meta.url).href
let lookedFor: Promise<ServerProgram> | undefined

async function lookForProgram(): Promise<ServerProgram> {
  const cacheDir = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'promotion-relay')
  for (const link of ['path', 'cache', 'apt'] as const) {
    const found = await findProgram(link, { cacheDir, env: process.env, log: undefined, signal: undefined })
    if (found.ok) return found.program
  }
  throw new Error('these tests need a redis-server or valkey-server, 7 or newer, on PATH')
}

export async function setup() {
  lookedFor ??= lookForProgram()
  const program = await lookedFor
  const root = await mkdtemp(path.join(tmpdir(), 'embedded-redis-'))
  const dataDir = path.join(root, 'relay data', 'redis')
  const bin = path.join(root, 'bin')
  await mkdir(bin)
  await symlink(program.command, path.join(bin, 'redis-server'))
  const env = { PATH: bin, ...(program.libraryDir && { LD_LIBRARY_PATH: program.libraryDir }) }
  const lines: string[] = []
  const options: EmbeddedRedisOptions = {
    dataDir,
    cacheDir: path.join(root, 'cache'),
    env,
    log: (line) => lines.push(line),
  }
  const configFile = path.join(dataDir, 'redis.conf')
  const serverPids = () => findServerProcesses(configFile)

  onTestFinished(async () => {
    const leaked = await serverPids()
    for (const pid of leaked) process.kill(pid, 'SIGKILL')
    await pollUntil(async () => ((await serverPids()).length === 0 ? true : undefined), {
      deadlineAt: within(5000),
    })
    await rm(root, { recursive: true, force: true })
    expect(leaked, 'servers left running').toEqual([])
  })

  async function start(more: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedRedis> {
    const result = await startEmbeddedRedis({ ...options, ...more })
    if (!result.ok) throw new Error(result.explanation)
    onTestFinished(() => result.redis.stop())
    return result.redis
  }

  async function explain(more: Partial<EmbeddedRedisOptions> = {}): Promise<string> {
    const result = await startEmbeddedRedis({ ...options, ...more })
    if (!result.ok) return result.explanation
    await result.redis.stop()
    throw new Error('it started')
  }

  /** A relay in a process of its own: tells what it got, and stops its Redis when its input ends. */
  async function relay(): Promise<Relay> {
    const script = `
      const { startEmbeddedRedis } = await import(${JSON.stringify(START_MODULE)})
      const result = await startEmbeddedRedis(${JSON.stringify({ ...options, log: undefined })})
      console.log(JSON.stringify(result.ok ? { url: result.redis.url, found: result.redis.found } : result))
      process.stdin.resume().on('end', async () => { await result.redis.stop(); process.exit() })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    })
    onTestFinished(() => end(child, 'SIGKILL'))
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    const stop = () => {
      child.stdin.end()
      return ended(child)
    }
    return {
      ...(JSON.parse(line) as { url: string; found: boolean }),
      child,
      stop,
      kill: () => end(child, 'SIGKILL'),
    }
  }

  return { root, dataDir, bin, program, configFile, options, lines, serverPids, start, explain, relay }
}

interface Relay {
  url: string
  found: boolean
  child: ChildProcess
  /** As Ctrl-C does it. */
  stop(): Promise<void>
  /** kill -9 */
  kill(): Promise<void>
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal)
  await ended(child)
}

export async function ask<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { retryStrategy: null, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}

export const pidOf = (url: string) =>
  ask(url, async (client) => Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]))

export async function occupy(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return server
}
