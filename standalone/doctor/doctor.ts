/**
 * The doctor: looks at everything that the relay stands on, all at once, each look within a time limit. It reads only:
 * nothing at GitHub, in Redis or on the disk is another one afterwards. (A GitHub App's token is asked for by a POST.)
 * What each answer means is said beside its check; here is what is asked, and what is left out where something failed.
 */
import type { Redis } from 'ioredis'
import type { Settings } from '../../shared/config.ts'
import { type Logger, silentLogger } from '../../shared/logger.ts'
import { type Redactor, redactDeep } from '../../shared/redact.ts'
import { connectForProducer, KEY_PREFIX } from '../../shared/redis/connect.ts'
import { INPUT_NAMES } from '../../worker/dispatch/inputs.ts'
import type { Answer } from '../../worker/github/answer.ts'
import { chooseCredentials } from '../../worker/github/choose-credentials.ts'
import { createGithub } from '../../worker/github/client.ts'
import { PAUSES } from '../../worker/pauses.ts'
import { SIMULATED_REPOSITORY } from '../simulator-process.ts'
import { type Finding, notLookedAt, ok, unknown, warning } from './finding.ts'
import { GITHUB_NAMES, isReadable, judgeGithub, type RepositoryFacts } from './github.ts'
import {
  askLedger,
  judgeCorrelation,
  judgeLedger,
  judgeMark,
  judgeWebhooks,
  judgeWorkers,
  type LedgerFacts,
} from './ledger.ts'
import { askRedis, judgeRedis, REDIS_NAMES, type RedisFacts, redisFault } from './redis.ts'
import { checkDisk, checkFeedback, checkMlflow, checkServer, checkSpool } from './surroundings.ts'
import { within } from './within.ts'
import { judgeWorkflow, showsId, WORKFLOW_NAMES, type WorkflowFacts } from './workflow.ts'

export interface DoctorOptions {
  settings: Settings
  redisUrl: string | undefined
  /** The relay's server; `asked`: by name, so that it must be there. Left out: it is not looked at. */
  server?: { url: string; asked: boolean }
  /** Whether a worker is to be seen; not while one starts. */
  workers: boolean
  /** Whether GitHub may be asked; true by default. */
  github?: boolean
  redact: Redactor
  log?: Logger
  now?(): number
  /** For one look, ms. */
  withinMs?: number
}

/** What belongs together on the page. */
export interface Group {
  about: string
  findings: Finding[]
}

const WITHIN_MS = 10_000

export async function diagnose(options: DoctorOptions): Promise<Group[]> {
  const { settings, redact, now = Date.now, withinMs = WITHIN_MS } = options
  const [redis, github, beside] = await Promise.all([
    lookAtRedis(options, now, withinMs),
    lookAtGithub(options, now, withinMs),
    besides(options, now, withinMs),
  ])
  const groups = [
    { about: 'Redis', findings: ofRedis(redis, settings) },
    { about: 'GitHub', findings: ofGithub(github, redis.ledger) },
    { about: 'Relay', findings: [...ofLedger(redis, github, options), ...beside] },
  ]
  return redactDeep(groups, redact)
}

interface RedisLook {
  /** Why nothing was seen. */
  away?: Finding
  facts?: RedisFacts
  ledger?: LedgerFacts
}

async function lookAtRedis(
  { settings, redisUrl }: DoctorOptions,
  now: () => number,
  withinMs: number,
): Promise<RedisLook> {
  if (redisUrl === undefined)
    return {
      away: unknown(
        'Redis',
        'not looked at: REDIS_URL is not set, and no relay has left its own in DATA_DIR',
      ),
    }
  const redis = connectForProducer(redisUrl, silentLogger)
  try {
    const asked = ready(redis).then(() =>
      Promise.all([askRedis(redis, now), askLedger(redis, KEY_PREFIX, scopeOf(settings))]),
    )
    const [facts, ledger] = await within(withinMs, asked)
    return { facts, ledger }
  } catch (error) {
    return { away: redisFault(codeOf(error)) }
  } finally {
    redis.disconnect()
  }
}

function ready(redis: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    redis.once('ready', resolve)
    redis.once('error', reject)
  })
}

/** The code of a fault of the network, or the first word of what Redis says. */
function codeOf(error: unknown): string {
  const { code, message = '' } = error as { code?: unknown; message?: string }
  if (typeof code === 'string') return code === 'LATE' ? 'no answer in time' : code
  return /^[A-Z]+\b/.exec(message)?.[0] ?? message.slice(0, 100)
}

function ofRedis({ away, facts }: RedisLook, settings: Settings): Finding[] {
  if (facts) return judgeRedis(facts, settings.REDIS_WAIT_REPLICAS)
  return [...(away ? [away] : []), ...notLookedAt("Redis can't be asked", ...REDIS_NAMES)]
}

type GithubLook =
  | { kind: 'not asked'; why: string }
  | { kind: 'asked'; about: Omit<RepositoryFacts, 'dispatched'>; workflow?: WorkflowFacts }

async function lookAtGithub(
  { settings, github: mayAsk = true, redact, log = silentLogger }: DoctorOptions,
  now: () => number,
  withinMs: number,
): Promise<GithubLook> {
  const { GITHUB_REPO_OWNER: owner, GITHUB_REPO_NAME: name } = settings
  const { CD_WORKFLOW_NAME: workflow, CD_WORKFLOW_REF: ref, GITHUB_API_URL: baseUrl } = settings
  if (!mayAsk) return { kind: 'not asked', why: 'ENABLE_CD_TRIGGER is off' }
  const missing = missingOf(settings)
  if (missing.length > 0 || !owner || !name)
    return { kind: 'not asked', why: `${missing.join(', ')} not set` }
  const { credentials, ofApp } = chooseCredentials(settings, { redact, log, pauseMs: PAUSES.tokenPauseMs })
  const github = createGithub({
    credentials,
    baseUrl,
    apiVersion: settings.GITHUB_API_VERSION,
    redact,
    readTimeoutMs: withinMs,
  })
  const place = { owner, name }
  const repository = `${owner}/${name}`
  const askedAt = now()
  const answer = await github.readRepository(place)
  const answeredAt = now()
  const permissions = credentials.permissions?.()
  const about = { answer, askedAt, answeredAt, repository, baseUrl, ofApp, permissions }
  if (!isReadable(answer)) return { kind: 'asked', about }

  const state = await github.readWorkflow(place, workflow)
  const file = isReadable(state) ? await github.readFile(place, pathOf(state, workflow), ref) : undefined
  return {
    kind: 'asked',
    about,
    workflow: { answer: state, file, workflow, ref, repository, sent: INPUT_NAMES },
  }
}

/** A workflow may be named by its number: its file is told. */
function pathOf(answer: Answer, workflow: string): string {
  const { path } = (answer.kind === 'answered' ? answer.body : {}) as { path?: unknown }
  return typeof path === 'string' ? path : `.github/workflows/${workflow}`
}

function missingOf(settings: Settings): string[] {
  const {
    GITHUB_APP_ID: appId,
    GITHUB_APP_PRIVATE_KEY: key,
    GITHUB_APP_INSTALLATION_ID: installation,
  } = settings
  const hasApp = appId && key && installation
  return [
    ...(settings.GITHUB_REPO_OWNER ? [] : ['GITHUB_REPO_OWNER']),
    ...(settings.GITHUB_REPO_NAME ? [] : ['GITHUB_REPO_NAME']),
    ...(hasApp || settings.GITHUB_TOKEN ? [] : ['GITHUB_TOKEN']),
  ]
}

function ofGithub(look: GithubLook, ledger: LedgerFacts | undefined): Finding[] {
  if (look.kind === 'not asked') return notLookedAt(look.why, 'GitHub', ...GITHUB_NAMES, ...WORKFLOW_NAMES)
  const { about, workflow } = look
  const ofWorkflow = workflow
    ? judgeWorkflow(workflow)
    : notLookedAt('the repository could not be read', ...WORKFLOW_NAMES)
  return [...judgeGithub({ ...about, dispatched: ledger?.dispatched }), ...ofWorkflow]
}

function ofLedger(
  { ledger }: RedisLook,
  github: GithubLook,
  { settings, workers }: DoctorOptions,
): Finding[] {
  const trigger = judgeTrigger(settings, ledger)
  const names = [...(workers ? ['workers'] : []), 'ledger', 'correlation', 'webhooks']
  if (!ledger) return [...trigger, ...notLookedAt("Redis can't be asked", ...names)]
  const shows = github.kind === 'asked' ? showsId(github.workflow?.file) : undefined
  return [
    ...trigger,
    ...judgeMark(ledger, settings.ENABLE_CD_TRIGGER),
    ...(workers ? [judgeWorkers(ledger)] : []),
    judgeLedger(ledger),
    judgeCorrelation(ledger, shows),
    judgeWebhooks(ledger, settings.GITHUB_WEBHOOK_SECRET !== undefined, settings.TRACK_INTERVAL_SECONDS),
  ]
}

function judgeTrigger(settings: Settings, ledger: LedgerFacts | undefined): Finding[] {
  if (settings.ENABLE_CD_TRIGGER) return []
  if (ledger?.simulated !== undefined && !settings.GITHUB_REPO_NAME)
    return [ok('dispatching', 'SIMULATED: nothing of GitHub is set, so a simulator takes its place')]
  const detail = 'ENABLE_CD_TRIGGER is off: promotions are recorded as skipped, nothing is sent'
  const mend = 'set ENABLE_CD_TRIGGER=true; with nothing of GitHub set, npm start takes a simulator'
  return [warning('dispatching', detail, mend)]
}

/** Without a repository of one's own it is that of the simulator. */
function scopeOf({
  GITHUB_REPO_OWNER: owner,
  GITHUB_REPO_NAME: name,
  CD_WORKFLOW_NAME: workflow,
}: Settings): string {
  const place = owner && name ? { owner, name } : SIMULATED_REPOSITORY
  return `${place.owner}/${place.name}/${workflow}`
}

async function besides(
  { settings, redisUrl, server }: DoctorOptions,
  now: () => number,
  withinMs: number,
): Promise<Finding[]> {
  const each = await Promise.all([
    limited('spool', withinMs, checkSpool(settings.SPOOL_DIR, now())),
    limited('MLflow', withinMs + 1_000, checkMlflow(settings, withinMs)),
    limited('feedback', withinMs, checkFeedback(settings)),
    settings.REDIS_URL === undefined && redisUrl !== undefined
      ? limited('disk', withinMs, checkDisk(settings.DATA_DIR))
      : [],
    server ? limited('server', withinMs + 1_000, checkServer(server.url, server.asked, withinMs)) : [],
  ])
  return each.flat()
}

/** What breaks in a way that nobody thought of is a line too. */
async function limited(name: string, ms: number, look: Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await within(ms, look)].flat()
  } catch (error) {
    return [unknown(name, `could not be looked at (${codeOf(error)})`)]
  }
}
