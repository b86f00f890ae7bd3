/**
 * The command line, and the composition root: the only file that reads the environment, installs signal handlers
 * and ends the process. Exit codes: 0 done; 1 it ended otherwise (with --wait: not deployed); 2 wrong input or
 * settings; 3 the relay can't be reached; 4 --wait was over before the end.
 * What only one command needs is imported by it, so that `promote` answers before a server would have been loaded.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import type { DestinationStream } from 'pino'
import type { Producer, PromotionRequest } from './producer/index.ts'
import { type Environment, loadSettings, type Need, type Settings, secretsOf } from './shared/config.ts'
import { createLogger, type Logger } from './shared/logger.ts'
import type { FieldProblem } from './shared/promotion.ts'
import { validatePromotion } from './shared/promotion.ts'
import { createRedactor } from './shared/redact.ts'
import type { Secret } from './shared/secret.ts'
import { listenProblem } from './standalone/listen-problem.ts'
import { watchParent } from './standalone/parent-watch.ts'
import { printTimeline } from './standalone/print-timeline.ts'
import { readLogIns, readRelayAddress } from './standalone/relay-file.ts'
import type { RunningServer } from './standalone/serve.ts'

const EXIT = { done: 0, ended: 1, wrong: 2, unreachable: 3, waitOver: 4 } as const

/** Together with the start of this program no more than two seconds. */
const PROMOTE_WITHIN_MS = 1_500

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function complain(...lines: string[]): void {
  for (const line of lines) process.stderr.write(`promotion-relay: ${line}\n`)
}

function environment(): Environment {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

/** Ends the process with every problem in a line of its own. */
function settingsOrExit(needs: readonly Need[]): Settings {
  const loaded = loadSettings(environment(), needs)
  if (loaded.ok) return loaded.settings
  refuse(loaded.problems)
}

function refuse(problems: readonly string[]): never {
  complain(...problems)
  process.exit(EXIT.wrong)
}

function openLog(
  role: string,
  settings: Settings,
  more: readonly Secret[] = [],
  destination?: DestinationStream,
) {
  const redact = createRedactor([...secretsOf(settings), ...more])
  const log = createLogger({
    level: settings.LOG_LEVEL,
    redact,
    base: { role, pid: process.pid },
    ...(destination ? { destination } : {}),
  })
  return { log, redact }
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

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a setting that was asked for is missing')
  return value
}

/** By the package's name, which holds in a checkout and in the built package, whose files lie one folder deeper. */
function versionOf(name: string): string {
  return createRequire(import.meta.url)(`${name}/package.json`).version
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

const address = (text: string) => {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
    throw new InvalidArgumentError('An address is needed, such as http://localhost:8080')
  }
  return text.replace(/\/+$/, '')
}
const seconds = (text: string) => {
  const value = Number(text)
  if (!(value > 0 && value <= 7 * 86_400)) throw new InvalidArgumentError('A number of seconds is needed.')
  return value
}

interface PromoteFlags {
  model?: string
  version?: string
  accuracy?: string
  environment?: string
  source?: string
  rollback?: boolean
  idempotencyKey?: string
  url?: string
  wait?: boolean
  timeout: number
  json?: boolean
}

program
  .command('promote')
  .description('promotes a model version')
  .option('--model <name>', 'registered model (required)')
  .option('--version <version>', 'version of the model (required)')
  .option('--accuracy <share>', 'accuracy, 0 to 1')
  .option('--environment <name>', 'where to deploy it (default: production)')
  .option('--source <text>', 'sent as trigger_source (default: automated_ct_pipeline)')
  .option('--rollback', 'going back to a version seen before is meant')
  .option('--idempotency-key <key>', 'the same key never makes a second promotion')
  .option(
    '--url <address>',
    "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
    address,
  )
  .option('--wait', 'show each step until its end')
  .option('--timeout <seconds>', 'with --wait: give up watching after this time', seconds, 3600)
  .option('--json', 'print the result as JSON')
  .addHelpText(
    'after',
    `
Exit codes:
  0  accepted, or a duplicate; with --wait: deployed
  1  with --wait: it ended otherwise
  2  wrong input or settings
  3  the relay can't be reached: it is safe to run this again
  4  --wait was over before the end`,
  )
  .action(async (flags: PromoteFlags) => {
    const request = requestFrom(flags)
    // Before a relay is looked for: what is wrong here is wrong everywhere.
    const checked = validatePromotion(request)
    if (!checked.ok) refuse(flagProblems(checked.problems))
    const producer = await findRelay(flags.url)
    const code = await promote(producer, request, flags)
    await producer.close()
    // A connection that never came about would keep the process for another two seconds.
    process.exit(code)
  })

function requestFrom(flags: PromoteFlags): PromotionRequest {
  const { model, version, environment: where, source, rollback } = flags
  const accuracy =
    flags.accuracy === undefined
      ? undefined
      : flags.accuracy.trim() === ''
        ? Number.NaN
        : Number(flags.accuracy)
  return {
    model,
    version,
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(where === undefined ? {} : { environment: where }),
    ...(source === undefined ? {} : { source }),
    ...(rollback ? { rollback } : {}),
  } as PromotionRequest
}

function flagProblems(problems: readonly FieldProblem[]): string[] {
  return problems.map(({ field, problem }) => `--${field.toLowerCase()} ${problem}`)
}

async function promote(producer: Producer, request: PromotionRequest, flags: PromoteFlags): Promise<number> {
  const { model, version } = request
  const { idempotencyKey } = flags
  const result = await producer.promote(request, idempotencyKey === undefined ? {} : { idempotencyKey })
  if (flags.json) print(JSON.stringify(result))
  switch (result.status) {
    case 'invalid':
      complain(...flagProblems(result.problems))
      return EXIT.wrong
    case 'key_reused':
      complain('the idempotency key was used for another promotion')
      return EXIT.wrong
    case 'unavailable':
      complain(result.reason, 'nothing is known to be accepted; it is safe to run this again')
      return EXIT.unreachable
    case 'duplicate':
    case 'accepted': {
      const before = result.live === '' ? 'the first of its target' : `version ${result.live} is live now`
      if (!flags.json) {
        if (result.status === 'accepted') print(`accepted ${result.id}: ${model} ${version}, ${before}`)
        else print(`duplicate of ${result.id} (${result.state}): nothing new was queued`)
      }
      return flags.wait ? waitFor(producer, result.id, flags) : EXIT.done
    }
    default:
      return result satisfies never
  }
}

async function waitFor(producer: Producer, id: string, { timeout, json }: PromoteFlags): Promise<number> {
  const state = await printTimeline({
    get: () => producer.get(id),
    print: json ? () => {} : print,
    timeoutMs: timeout * 1000,
  })
  if (json) print(JSON.stringify({ id, state }))
  else
    print(
      state === 'timeout'
        ? `not at its end after ${timeout} s; it goes on`
        : `ended: ${state.replaceAll('_', ' ')}`,
    )
  if (state === 'timeout') return EXIT.waitOver
  return state === 'deployed' ? EXIT.done : EXIT.ended
}

/** By address; else straight into Redis; else the relay that runs here. */
async function findRelay(url: string | undefined): Promise<Producer> {
  const settings = settingsOrExit([])
  const local = readRelayAddress(settings.DATA_DIR)
  // An empty variable counts as none, as everywhere.
  const given = url ?? (process.env.RELAY_URL?.replace(/\/+$/, '') || undefined)
  if (given === undefined && settings.REDIS_URL) {
    const { createProducer } = await import('./producer/index.ts')
    return createProducer({
      redisUrl: settings.REDIS_URL.read(),
      deadlineMs: PROMOTE_WITHIN_MS,
      replicas: settings.REDIS_WAIT_REPLICAS,
    })
  }
  const where = given ?? local?.url
  if (where === undefined) {
    complain(
      `no relay was found: none runs in ${settings.DATA_DIR}, and neither --url, RELAY_URL nor REDIS_URL is given`,
      'start one with npm start, or name one',
    )
    process.exit(EXIT.unreachable)
  }
  const token = settings.RELAY_API_TOKEN?.read() ?? readLogIns(settings.DATA_DIR).RELAY_API_TOKEN
  if (token === undefined) refuse(['RELAY_API_TOKEN is missing: the token that the relay asks for'])
  const { createHttpProducer } = await import('./producer/http-producer.ts')
  return createHttpProducer({ url: where, token, deadlineMs: PROMOTE_WITHIN_MS })
}

program
  .command('resolve')
  .description('says what became of an unresolved promotion')
  .argument('<promotion>', 'id')
  .option('--run <id>', 'the workflow run that it started')
  .option('--absent', 'it started none: it may be sent again')
  .action(async (id: string, { run, absent }: { run?: string; absent?: boolean }) => {
    if ((run === undefined) === (absent === undefined)) refuse(['say either --run ID or --absent'])
    if (run !== undefined && !/^\d{1,20}$/.test(run)) refuse(['--run must be the number of a workflow run'])
    const settings = settingsOrExit(['redis'])
    const redisUrl = required(settings.REDIS_URL).read()
    const by = process.env.USER ?? 'a person'
    const { log } = openLog('cli', { ...settings, LOG_LEVEL: 'warn' })
    const { settle } = await import('./standalone/settle.ts')
    const result = await settle({
      redisUrl,
      id,
      by,
      log,
      word: run === undefined ? { absent: true } : { runId: run },
    })
    if (!result.ok) complain(result.text)
    else print(result.text)
    process.exitCode = result.ok ? EXIT.done : EXIT.ended
  })

program
  .command('serve')
  .description('runs the server: API, dashboard, metrics')
  .action(async () => {
    const settings = settingsOrExit(['redis', 'server'])
    const { log } = openLog('serve', settings)
    const starting = startServer(settings, log)
    // Before it listens: a container's first process ignores a signal that nothing takes.
    onStop(async () => (await starting).close())
    log.info({ url: (await starting).url }, 'The server listens')
  })

async function startServer(settings: Settings, log: Logger): Promise<RunningServer> {
  const [{ serve }, { Registry }] = await Promise.all([
    import('./standalone/serve.ts'),
    import('prom-client'),
  ])
  return serve({
    redisUrl: required(settings.REDIS_URL).read(),
    settings,
    apiToken: required(settings.RELAY_API_TOKEN),
    opsPassword: required(settings.OPS_PASSWORD),
    registry: new Registry(),
    log,
  }).catch((error) => refuse([listenProblem(error, 'PORT')]))
}

program
  .command('work')
  .description('runs a worker: dispatches, follows runs, keeps dead letters')
  .action(async () => {
    const settings = settingsOrExit(['redis', 'dispatch'])
    const { log, redact } = openLog('work', settings)
    const redisUrl = required(settings.REDIS_URL).read()
    const name = `${hostname()}-${process.pid}`
    const starting = Promise.all([
      import('./standalone/work.ts'),
      import('./standalone/simulated-ledger.ts'),
    ]).then(async ([{ work }, { refuseSimulated }]) => {
      const misuse = await refuseSimulated(redisUrl)
      if (misuse) refuse([misuse])
      return work({ redisUrl, settings, redact, log, name, onStuck: giveUp }).catch((error) =>
        refuse([listenProblem(error, 'WORKER_PORT')]),
      )
    })
    onStop(async () => (await starting).close())
    const { url } = await starting
    log.info({ worker: name, url, enabled: settings.ENABLE_CD_TRIGGER }, 'The worker is at work')
  })

program
  .command('up')
  .description('runs server and worker in one process, with a Redis of its own if none is named')
  .action(async () => {
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
      signal: stopping.signal,
      onStuck: giveUp,
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
