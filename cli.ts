/**
 * The command line, and the composition root: the only file that reads the environment and installs signal
 * handlers. Exit codes: 0 done; 1 it ended otherwise (with --wait: not deployed); 2 wrong input or
 * settings; 3 the relay can't be reached; 4 --wait was over before the end.
 * What only one command needs is imported by it, so that `promote` answers before a server would have been loaded.
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { Command } from 'commander'
import type { Environment, Settings } from './shared/config.ts'
import type { Logger } from './shared/logger.ts'
import type { Redact } from './shared/redact.ts'
import {
  complain,
  EXIT,
  openLog,
  print,
  refuse,
  required,
  settingsOrExit,
} from './standalone/command-line.ts'
import { addDeadLetters } from './standalone/commands/dead-letters.ts'
import { addDoctor } from './standalone/commands/doctor.ts'
import { addExplain } from './standalone/commands/explain.ts'
import { addFigures } from './standalone/commands/figures.ts'
import { addFlush } from './standalone/commands/flush.ts'
import { addList } from './standalone/commands/list.ts'
import { addOperate } from './standalone/commands/operate.ts'
import { addPromote } from './standalone/commands/promote.ts'
import { addSmokeTest } from './standalone/commands/smoke-test.ts'
import { addToken } from './standalone/commands/token.ts'
import { addUser } from './standalone/commands/user.ts'
import { addWatch } from './standalone/commands/watch.ts'
import { listenProblem } from './standalone/listen-problem.ts'
import { watchParent } from './standalone/parent-watch.ts'
import type { RunningServer } from './standalone/serve.ts'
import type { RunningTracing } from './standalone/start-tracing.ts'
import { versionOf } from './standalone/version-of.ts'

function environment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

/** One Ctrl-C may come as two signals: npm hands on what the terminal has sent to all. */
const SAME_KEYPRESS_MS = 1_000

/** The first signal asks to end in order, a later one ends at once. @returns does what a signal does. */
function onStop(stop: () => Promise<void>): () => void {
  let askedAt = 0
  const end = () => {
    if (askedAt > 0 && Date.now() - askedAt < SAME_KEYPRESS_MS) return
    if (askedAt > 0) process.exit(EXIT.ended)
    askedAt = Date.now()
    stop().then(
      () => process.exit(EXIT.done),
      (error) => {
        complain(String(error))
        process.exit(EXIT.ended)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  return end
}

/** A worker that makes no progress ends, so that whoever keeps it running starts a fresh one. */
function giveUp(): never {
  complain('work waits and nothing is done: ending, to be started afresh')
  process.exit(EXIT.ended)
}

const program = new Command('promotion-relay')
  .description(
    'Carries a model promotion to a GitHub Actions deployment: never lost, never twice, never stale.',
  )
  .version(versionOf('promotion-relay'))
  .showHelpAfterError('(promotion-relay --help shows the commands)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'promotion-relay: ')) })
  // Else `promote --version 5` would ask for the version of the program.
  .enablePositionalOptions()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.wrong))

interface ServerFlags {
  deployExisting?: boolean
}

const DEPLOY_EXISTING = [
  '--deploy-existing',
  'where a model registry is followed for the first time, deploy what it says already',
] as const

program.commandsGroup('For pipelines:')
addPromote(program, environment)
addFlush(program, environment)
program.commandsGroup('For whoever operates it:')
addDoctor(program, environment)
addSmokeTest(program, environment)
addExplain(program, environment)
addList(program, environment)
addDeadLetters(program, environment)
addOperate(program, environment)
addFigures(program, environment)
addWatch(program, environment, onStop)
program.commandsGroup('Who may:')
addToken(program)
addUser(program)
program.commandsGroup('To run it:')

program
  .command('serve')
  .description('runs the server: board, API, metrics')
  .option(...DEPLOY_EXISTING)
  .action(async ({ deployExisting = false }: ServerFlags) => {
    const settings = settingsOrExit(environment(), ['redis', 'server'])
    const { log, redact } = openLog('serve', settings)
    const starting = startServer(settings, log, { redact, deployExisting })
    // Before it listens: a container's first process ignores a signal that nothing takes.
    onStop(async () => (await starting).close())
    log.info({ url: (await starting).url }, 'The server listens')
  })

interface ServerExtras {
  redact: Redact
  deployExisting: boolean
}

async function startServer(
  settings: Settings,
  log: Logger,
  { redact, deployExisting }: ServerExtras,
): Promise<RunningServer> {
  const redisUrl = required(settings.REDIS_URL).read()
  const [{ serve }, { Registry }, { refuseWrongNode }, traces] = await Promise.all([
    import('./standalone/serve.ts'),
    import('prom-client'),
    import('./standalone/named-redis.ts'),
    openTraces(settings, log, redact),
  ])
  const misuse = await refuseWrongNode(redisUrl)
  if (misuse) refuse([misuse])
  const { url, close } = await serve({
    redisUrl,
    settings,
    apiToken: settings.RELAY_API_TOKEN,
    opsPassword: settings.OPS_PASSWORD,
    registry: new Registry(),
    deployExisting,
    tracing: traces.tracing,
    log,
  }).catch((error) => refuse([listenProblem(error, 'PORT')]))
  return { url, close: () => close().finally(traces.close) }
}

async function openTraces(settings: Settings, log: Logger, redact: Redact): Promise<RunningTracing> {
  const { startTracing } = await import('./standalone/start-tracing.ts')
  const instance = `${hostname()}-${process.pid}`
  return startTracing({ settings, log, redact, version: versionOf('promotion-relay'), instance })
}

program
  .command('work')
  .description('runs a worker: dispatches, follows runs, keeps dead letters')
  .action(async () => {
    const settings = settingsOrExit(environment(), ['redis', 'dispatch'])
    const { log, redact } = openLog('work', settings)
    const redisUrl = required(settings.REDIS_URL).read()
    const name = `${hostname()}-${process.pid}`
    const starting = Promise.all([
      import('./standalone/work.ts'),
      import('./standalone/simulated-ledger.ts'),
      openTraces(settings, log, redact),
    ]).then(async ([{ work }, { refuseSimulated }, traces]) => {
      const misuse = await refuseSimulated(redisUrl)
      if (misuse) refuse([misuse])
      const { tracing } = traces
      const { url, close } = await work({
        redisUrl,
        settings,
        redact,
        tracing,
        log,
        name,
        onStuck: giveUp,
      }).catch((error) => refuse([listenProblem(error, 'WORKER_PORT')]))
      return { url, close: () => close().finally(traces.close) }
    })
    onStop(async () => (await starting).close())
    const { url } = await starting
    log.info({ worker: name, url, enabled: settings.ENABLE_CD_TRIGGER }, 'The worker is at work')
  })

program
  .command('up')
  .description('runs server and worker in one process, with a Redis of its own if none is named')
  .option(...DEPLOY_EXISTING)
  .action(async ({ deployExisting = false }: ServerFlags) => {
    const [{ up }, { terminalLog }] = await Promise.all([
      import('./standalone/up.ts'),
      import('./standalone/terminal-log.ts'),
    ])
    const stopping = new AbortController()
    const terminal = process.stdout.isTTY === true
    const end = onStop(async () => {
      stopping.abort()
      if (terminal) print('Ending; what is under way finishes first. Ctrl-C again ends at once.')
      const result = await started
      if (result.ok) await result.close()
    })
    // Whoever read this has gone, and the relay has other work than talking.
    process.stdout.on('error', () => {})
    if (process.env.npm_lifecycle_event !== undefined) {
      watchParent(() => {
        print('npm, which started this relay, is gone: ending')
        end()
      })
    }
    const started = up({
      env: environment(),
      print,
      terminal,
      openLog: (settings, secrets) => openLog('up', settings, secrets, terminalLog(terminal)),
      openTraces,
      signal: stopping.signal,
      onStuck: giveUp,
      deployExisting,
    })
    const result = await started
    if (!result.ok && !stopping.signal.aborted) refuse(result.problems)
  })

await program.parseAsync().catch((error: NodeJS.ErrnoException) => {
  // A directory that can't be written, say, is no bug of ours: its one line says all.
  if (!(error instanceof Error && error.syscall)) throw error
  complain(error.message)
  process.exit(EXIT.wrong)
})
