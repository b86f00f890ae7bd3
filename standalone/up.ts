/**
 * `promotion-relay up`: server and worker in one process, on an embedded Redis if none is named; with nothing of
 * GitHub set, against the simulator, with one sample promotion to look at. Data survive a restart and a kill -9.
 */
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { anyGithubSetting, type Environment, loadSettings, type Settings } from '../shared/config.ts'
import type { Redactor } from '../shared/redact.ts'
import { waitForLock } from '../shared/redis/embedded/kernel-lock.ts'
import { within } from '../shared/redis/embedded/poll-until.ts'
import {
  type EmbeddedRedis,
  type EmbeddedRedisResult,
  startEmbeddedRedis,
} from '../shared/redis/embedded/start.ts'
import { type Secret, secretFromValue } from '../shared/secret.ts'
import { createWorkerMetrics } from '../worker/ops/worker-metrics.ts'
import { runWorker } from '../worker/run-worker.ts'
import { announce, tellHowToPromote } from './announce.ts'
import { tellAtStart } from './doctor/at-start.ts'
import { keepRedis } from './keep-redis.ts'
import { listenProblem } from './listen-problem.ts'
import { keepLogIns, readRelayAddress, removeRelayAddress, writeRelayAddress } from './relay-file.ts'
import { showSample } from './sample.ts'
import { type RunningServer, serve } from './serve.ts'
import { claimForSimulation, markSimulated, refuseSimulated } from './simulated-ledger.ts'
import { SIMULATED_REPOSITORY, startSimulatorProcess } from './simulator-process.ts'
import type { RunningTracing } from './start-tracing.ts'

export interface UpOptions {
  env: Environment
  /** A line for the person at the terminal. */
  print(line: string): void
  /** Whether a person sees it: generated log-ins are shown on a terminal only. */
  terminal: boolean
  /** Made once the secrets are known. */
  openLog(settings: Settings, secrets: readonly Secret[]): { log: Logger; redact: Redactor }
  openTraces(settings: Settings, log: Logger, redact: Redactor): Promise<RunningTracing>
  signal: AbortSignal
  /** Only a restart helps: see the watchdog. */
  onStuck(): void
  /** See `ServeOptions`. */
  deployExisting?: boolean
}

export type UpResult = { ok: true; close(): Promise<void> } | { ok: false; problems: string[] }

/** A relay of the same directory that was told to end, or has lost its npm, does so within this time. */
const FORMER_ENDS_WITHIN_MS = 5_000
const SIMULATED_TOKEN = 'simulated-token'

export async function up(options: UpOptions): Promise<UpResult> {
  const teardown: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const step of teardown.splice(0).reverse()) await step().catch(() => {})
  }
  try {
    const started = await start(options, teardown)
    if (started.ok) return { ok: true, close }
    await close()
    return started
  } catch (error) {
    await close()
    throw error
  }
}

type Started = { ok: true } | { ok: false; problems: string[] }

/** Each thing that it starts puts its own end into `teardown`. */
async function start(
  { env, print, terminal, openLog, openTraces, signal, onStuck, deployExisting = false }: UpOptions,
  teardown: (() => Promise<unknown>)[],
): Promise<Started> {
  const refuse = (...problems: string[]): Started => ({ ok: false, problems })
  const simulated = !anyGithubSetting(env)
  const loaded = loadSettings(env, ['dispatch'])
  if (!loaded.ok) return { ok: false, problems: loaded.problems }
  let settings = loaded.settings
  const dataDir = resolve(settings.DATA_DIR)
  mkdirSync(dataDir, { recursive: true })

  // The simulator's data are kept apart: nothing simulated is ever dispatched for real.
  const home = simulated ? join(dataDir, 'simulated') : dataDir
  mkdirSync(home, { recursive: true })
  if (simulated) {
    const other = await claimDirectory(home)
    if (other) return refuse(other)
    const simulator = await startSimulatorProcess(join(home, 'github'))
    if (!simulator) {
      return refuse(
        'nothing of GitHub is set, and the simulator is not part of this installation: set GITHUB_TOKEN, GITHUB_REPO_OWNER, GITHUB_REPO_NAME and ENABLE_CD_TRIGGER=true',
      )
    }
    teardown.push(simulator.stop)
    settings = {
      ...settings,
      ENABLE_CD_TRIGGER: true,
      GITHUB_API_URL: simulator.url,
      GITHUB_REPO_OWNER: SIMULATED_REPOSITORY.owner,
      GITHUB_REPO_NAME: SIMULATED_REPOSITORY.name,
      GITHUB_TOKEN: secretFromValue('GITHUB_TOKEN', SIMULATED_TOKEN),
      TRACK_INTERVAL_SECONDS: env.TRACK_INTERVAL_SECONDS ? settings.TRACK_INTERVAL_SECONDS : 1,
    }
  }

  let redisUrl = settings.REDIS_URL?.read()
  const mayUse = simulated ? claimForSimulation : refuseSimulated
  const misuse = redisUrl !== undefined && (await mayUse(redisUrl))
  if (misuse) return refuse(misuse)
  let ownRedis: EmbeddedRedis | undefined
  let startRedis: (() => Promise<EmbeddedRedisResult>) | undefined
  if (redisUrl === undefined) {
    const cacheDir = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'promotion-relay')
    const embedded = { dataDir: join(home, 'redis'), cacheDir, env, log: print, signal }
    startRedis = () => startEmbeddedRedis(embedded)
    const started = await startRedis()
    if (!started.ok) return refuse(started.explanation)
    ownRedis = started.redis
    teardown.push(ownRedis.stop)
    redisUrl = ownRedis.url
    settings = { ...settings, REDIS_URL: secretFromValue('REDIS_URL', redisUrl) }
    const unusable = simulated && (await markSimulated(redisUrl))
    if (unusable) return refuse(unusable)
  }

  const generated = keepLogIns(dataDir)
  const apiToken = settings.RELAY_API_TOKEN ?? secretFromValue('RELAY_API_TOKEN', generated.RELAY_API_TOKEN)
  const opsPassword = settings.OPS_PASSWORD ?? secretFromValue('OPS_PASSWORD', generated.OPS_PASSWORD)
  const { log, redact } = openLog(settings, [apiToken, opsPassword])
  const traces = await openTraces(settings, log, redact)
  teardown.push(traces.close)

  const registry = new Registry()
  const server = await listen()
  if (typeof server === 'string') return refuse(server)
  teardown.push(server.close)
  const metrics = createWorkerMetrics(registry)
  const worker = await runWorker({
    redisUrl,
    settings,
    redact,
    metrics,
    tracing: traces.tracing,
    log,
    name: `up-${process.pid}`,
    onStuck,
  })
  if (ownRedis && startRedis) {
    const answers = () => worker.redis.status === 'ready'
    teardown.push(keepRedis({ redis: ownRedis, start: startRedis, answers, log }))
  }
  teardown.push(() => worker.close())
  writeRelayAddress(dataDir, { url: server.url, pid: process.pid })
  teardown.push(async () => removeRelayAddress(dataDir, process.pid))

  const about = { print, terminal, simulated, settings, dataDir, url: server.url, apiToken, opsPassword }
  const announcement = { ...about, dataDirIsSet: Boolean(env.DATA_DIR) }
  announce(announcement)
  if (!simulated) void tellAtStart({ settings, redisUrl, redact, log })
  // MLflow knows no such model, and would refuse to be told of it.
  if (simulated && !settings.MLFLOW_FEEDBACK) {
    // Its timeline tells the same as its log lines, and a person reads one of them.
    const level = log.level
    if (terminal && level === 'info') log.level = 'warn'
    await showSample({ redisUrl, print, signal })
    log.level = level
  }
  if (!signal.aborted) tellHowToPromote(announcement)
  return { ok: true }

  /** One simulator a directory, and so one relay: waits for one that is about to end. @returns the problem */
  async function claimDirectory(directory: string): Promise<string | undefined> {
    const lock = await waitForLock(join(directory, 'up.lock'), {
      deadlineAt: within(FORMER_ENDS_WITHIN_MS),
      signal,
      onWait: () => print(`Another relay runs on ${dataDir}; waiting for its end…`),
    })
    if (lock) {
      teardown.push(async () => lock.release())
      return undefined
    }
    const { url, pid } = readRelayAddress(dataDir) ?? {}
    const which = pid === undefined ? '' : ` (process ${pid}, ${url})`
    return `a relay runs on ${dataDir} already${which}: use it, or end it, or set DATA_DIR to another directory`
  }

  /** A text: why not. Waits where the port is held by a relay of this directory that is about to end. */
  async function listen(): Promise<RunningServer | string> {
    const former = readRelayAddress(dataDir)
    for (const endsBy = within(FORMER_ENDS_WITHIN_MS); ; ) {
      try {
        return await serve({
          redisUrl: redisUrl ?? '',
          settings,
          apiToken,
          opsPassword,
          registry,
          tracing: traces.tracing,
          log,
          simulated,
          deployExisting,
        })
      } catch (error) {
        const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (!taken || !former || !alive(former.pid) || Date.now() > endsBy()) {
          return listenProblem(error, 'PORT')
        }
        registry.clear()
        await pause(250)
      }
    }
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
