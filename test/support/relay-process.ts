/** A process of the relay's beside a test: on its Redis and its simulator, ended with the test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import type { Pauses } from '../../worker/pauses.ts'
import type { Relay } from './relay.ts'

const WORKER = new URL('./worker-process.ts', import.meta.url).pathname

/** Runs Node with the given arguments. */
export async function startProcess(relay: Relay, args: string[], env: Record<string, string> = {}) {
  // In a directory of its own: no .env, no data of anybody.
  const cwd = await mkdtemp(path.join(tmpdir(), 'relay-worker-'))
  const child = spawn(process.execPath, args, {
    cwd,
    env: {
      PATH: process.env.PATH,
      REDIS_URL: relay.redisUrl,
      ENABLE_CD_TRIGGER: 'true',
      GITHUB_REPO_OWNER: 'acme',
      GITHUB_REPO_NAME: 'models',
      GITHUB_TOKEN: 'ghp_test-token-0001',
      GITHUB_API_URL: relay.simulator.url,
      WORKER_PORT: '0',
      DISPATCH_RATE_PER_SECOND: '1000',
      TRACK_INTERVAL_SECONDS: '0.05',
      WORKER_CONCURRENCY: '2',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
    await rm(cwd, { recursive: true })
  })
  return { child, exit, output: () => output }
}

/** A worker alone, with pauses of its own. @param nodeArgs flags of Node's */
export function startWorkerProcess(
  relay: Relay,
  pauses: Partial<Pauses>,
  nodeArgs: string[] = [],
  env: Record<string, string> = {},
) {
  return startProcess(relay, [...nodeArgs, WORKER, JSON.stringify(pauses)], env)
}
