// One world to strike at: a private Redis, the simulator, the workers, and the proxies between them, all owned by the
// harness. What is opened is closed in reverse, however the run ends.
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { startSimulator } from '../github-simulator/simulator.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import type { Contender } from './contender.ts'
import { type Mail, openMail } from './mail.ts'
import type { openPost } from './post.ts'
import { type Fleet, startFleet } from './processes.ts'
import { openRedisProxy } from './redis-proxy.ts'
import type { Striker } from './striker.ts'
import { openTcpProxy } from './tcp-proxy.ts'
import type { Timing } from './timing.ts'

export interface WorldOptions {
  workers: number
  /** Whether the workflow shows promotion ids in the titles of its runs. */
  runName: boolean
  timing: Timing
  striker: Striker
  program: URL
  /** The argument of one worker's program. */
  argument(name: string, addresses: { redisUrl: string; githubUrl: string }): object
  /** What takes webhooks, and how they come to it. */
  server: Contender['server']
  post: Parameters<typeof openPost>[0]
}

export type World = Awaited<ReturnType<typeof openWorld>>

export const WORKFLOW = 'cd_pipeline.yml'

export async function openWorld(options: WorldOptions) {
  const { workers, runName, timing, striker, program, argument } = options
  const teardown: (() => Promise<unknown>)[] = []
  const opened = async <T extends { close(): Promise<unknown> }>(opening: Promise<T>): Promise<T> => {
    const one = await opening
    teardown.push(() => one.close())
    return one
  }
  async function close() {
    for (const step of teardown.reverse()) await step()
  }

  try {
    const logDir = await mkdtemp(path.join(tmpdir(), 'chaos-'))
    // A rewrite in the middle of a copy would make it another file's.
    const redis = await startPrivateRedis({ config: ['auto-aof-rewrite-percentage 0'] })
    teardown.push(() => redis.stop())
    const slotAt = new Map<string, number>()
    const simulator = await opened(
      startSimulator(
        {
          workflows: [{ file: WORKFLOW, runName }],
          listDelayMs: timing.listDelayMs,
          rateLimit: 1_000_000_000,
          bareRuns: true,
        },
        {
          arrived: (request) => striker.arrived(request, slotAt.get(request.host)),
          started: (request, runId) => striker.started(request, slotAt.get(request.host), runId),
        },
      ),
    )
    const simulatorPort = Number(new URL(simulator.url).port)
    const addresses: { redisUrl: string; githubUrl: string }[] = []
    for (let slot = 1; slot <= workers; slot++) {
      const gate = await opened(openTcpProxy(() => simulatorPort, { opened: () => striker.connecting(slot) }))
      const proxy = await opened(
        openRedisProxy({
          port: () => redis.port,
          lose: striker.lose,
          lost: striker.lost,
          go: (id) => striker.go(id, slot),
        }),
      )
      slotAt.set(`127.0.0.1:${gate.port}`, slot)
      addresses[slot] = {
        redisUrl: `redis://127.0.0.1:${proxy.port}/0`,
        githubUrl: `http://127.0.0.1:${gate.port}`,
      }
    }
    const producers = await opened(
      openRedisProxy({
        port: () => redis.port,
        lose: (kind) => kind === 'reply-lost-accept' && striker.lose(kind),
        lost: striker.lost,
      }),
    )
    // The harness's own eyes: past every proxy.
    const direct = connectForWorker(redis.url, silentLogger)
    teardown.push(async () => direct.disconnect())
    const fleet: Fleet = startFleet({
      program,
      letter: 'w',
      count: workers,
      logDir,
      stoppedItself: striker.stoppedItself,
      optionsFor: (slot, name) => argument(name, addresses[slot] ?? { redisUrl: '', githubUrl: '' }),
    })
    teardown.push(() => fleet.end())
    striker.aim(fleet)
    await fleet.ready()
    const { server, post } = options
    const mail: Mail | undefined =
      server && (await opened(openMail({ simulator, server, post, redisUrl: redis.url, logDir })))
    return {
      redis,
      direct,
      simulator,
      fleet,
      mail,
      logDir,
      producerUrl: `redis://127.0.0.1:${producers.port}/0`,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
