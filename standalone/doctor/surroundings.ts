/** What is beside Redis and GitHub: spool, disk, MLflow, where news go, the relay's own server. */
import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import path from 'node:path'
import { lookAtSpool } from '../../producer/spool.ts'
import type { Settings } from '../../shared/config.ts'
import { createMlflow, MlflowFault } from '../../shared/mlflow.ts'
import { isPublic } from '../../worker/feedback/public-address.ts'
import { type Finding, fault, ok, spanOf, unknown, warning } from './finding.ts'

/** Beyond what a flush that runs now and then leaves, ms. */
const SPOOLED_LONG_MS = 10 * 60_000

export async function checkSpool(directory: string | undefined, nowMs: number): Promise<Finding> {
  if (directory === undefined) return ok('spool', 'off (SPOOL_DIR)')
  const seen = await lookAtSpool(directory).catch(
    (error: NodeJS.ErrnoException) => error.code ?? 'unknown fault',
  )
  if (typeof seen === 'string') {
    const mend = 'let this user read and write it, or set SPOOL_DIR to another directory'
    return fault('spool', `SPOOL_DIR can't be used (${seen})`, mend)
  }
  const { waiting, aside, oldestAt } = seen
  const waits =
    waiting === 0 ? 'nothing waits' : `${waiting} wait, the oldest for ${spanOf(nowMs - (oldestAt ?? nowMs))}`
  const words = aside === 0 ? waits : `${waits}, ${aside} were refused or torn and are put aside`
  if (waiting > 0 && nowMs - (oldestAt ?? nowMs) > SPOOLED_LONG_MS)
    return warning('spool', words, 'deliver them: promotion-relay flush')
  if (aside > 0)
    return warning(
      'spool',
      words,
      'read the files that end in .refused or .bad in SPOOL_DIR, and take them away',
    )
  return ok('spool', words)
}

const LITTLE_BYTES = 1e9
const TOO_LITTLE_BYTES = 100e6

/** Where the embedded Redis keeps its data. */
export async function checkDisk(dataDir: string): Promise<Finding[]> {
  let place = path.resolve(dataDir)
  while (!existsSync(place) && place !== path.dirname(place)) place = path.dirname(place)
  const about = await statfs(place).catch(() => undefined)
  if (!about) return []
  const free = about.bavail * about.bsize
  const words = `${(free / 1e9).toFixed(1)} GB free for ${dataDir}`
  const mend = 'make room, or set DATA_DIR to another disk'
  if (free < TOO_LITTLE_BYTES) return [fault('disk', words, mend)]
  return [free < LITTLE_BYTES ? warning('disk', words, mend) : ok('disk', words)]
}

export async function checkMlflow(settings: Settings, timeoutMs: number): Promise<Finding> {
  const isFollowed = [settings.MLFLOW_ALIASES, settings.MLFLOW_STAGES, settings.MLFLOW_TAGS].some(
    (one) => one.length > 0,
  )
  const uri = settings.MLFLOW_TRACKING_URI
  if ((!isFollowed && !settings.MLFLOW_FEEDBACK) || uri === undefined) return ok('MLflow', 'off')
  const call = createMlflow({
    uri,
    token: settings.MLFLOW_TRACKING_TOKEN,
    username: settings.MLFLOW_TRACKING_USERNAME,
    password: settings.MLFLOW_TRACKING_PASSWORD,
    timeoutMs,
  })
  const what = [
    ...(isFollowed ? ['followed'] : []),
    ...(settings.MLFLOW_FEEDBACK ? ['told of ends'] : []),
  ].join(' and ')
  const hook = !isFollowed
    ? ''
    : settings.MLFLOW_WEBHOOK_SECRET
      ? ', its webhooks are taken'
      : `, looked at every ${settings.REGISTRY_INTERVAL_SECONDS} s`
  try {
    await call('registered-models/search', { max_results: '1' })
    return ok('MLflow', `${uri} answers; ${what}${hook}`)
  } catch (error) {
    const status = error instanceof MlflowFault ? error.status : 0
    const words = `${uri}: ${error instanceof Error ? error.message : 'no answer'}`
    if (status === 401 || status === 403)
      return fault(
        'MLflow',
        words,
        'correct MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
      )
    return fault('MLflow', words, 'start it, or correct MLFLOW_TRACKING_URI')
  }
}

/** Where news go: may it be written to, and does its name lead anywhere? Nothing is sent. */
export async function checkFeedback(settings: Settings): Promise<Finding[]> {
  const addresses = [
    ['webhook', 'FEEDBACK_WEBHOOK_URL', settings.FEEDBACK_WEBHOOK_URL],
    ['chat', 'CHAT_WEBHOOK_URL', settings.CHAT_WEBHOOK_URL?.read()],
  ] as const
  const given = addresses.filter(([, , url]) => url !== undefined)
  if (given.length === 0) return [ok('feedback', 'off (FEEDBACK_WEBHOOK_URL, CHAT_WEBHOOK_URL)')]
  return Promise.all(
    given.map(([what, setting, url = '']) =>
      checkAddress(`feedback ${what}`, setting, url, settings.FEEDBACK_ALLOW_PRIVATE),
    ),
  )
}

async function checkAddress(
  name: string,
  setting: string,
  url: string,
  allowPrivate: boolean,
): Promise<Finding> {
  // The rest of it may be a secret.
  const host = (URL.parse(url)?.hostname ?? '').replace(/^\[(.*)\]$/, '$1')
  const found = await lookup(host, { all: true }).catch(
    (error: NodeJS.ErrnoException) => error.code ?? 'unknown fault',
  )
  if (typeof found === 'string')
    return warning(name, `the name ${host} leads nowhere (${found})`, `correct ${setting}`)
  if (!allowPrivate && !found.every(({ address }) => isPublic(address)))
    return fault(
      name,
      `${host} is no public address: nothing is sent there`,
      `correct ${setting}, or set FEEDBACK_ALLOW_PRIVATE=true where it is meant to be inside`,
    )
  return ok(name, `${host} may be told`)
}

/** @param asked whether the address was given by name: else nobody need listen there */
export async function checkServer(url: string, asked: boolean, timeoutMs: number): Promise<Finding> {
  try {
    const response = await fetch(`${url}/readyz`, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    })
    const { status, reason, warnings } = (await response.json()) as {
      status?: unknown
      reason?: unknown
      warnings?: unknown
    }
    if (response.ok && status === 'ready') {
      const told = Array.isArray(warnings) ? warnings.map(String) : []
      if (told.length > 0)
        return warning('server', `${url} is ready; its Redis: ${told.join('; ')}`, 'set its Redis so')
      const simulated = response.headers.get('x-promotion-relay') === 'SIMULATED' ? ', SIMULATED' : ''
      return ok('server', `${url} is ready${simulated}`)
    }
    if (status === 'unavailable')
      return fault(
        'server',
        `${url} is not ready: ${String(reason)}`,
        'see its log; where it is Redis, start that',
      )
    return fault('server', `what answers at ${url} is no relay`, 'correct --url or PORT')
  } catch (error) {
    const { cause, name } = error as { cause?: { code?: unknown; message?: string }; name?: string }
    const code =
      name === 'TimeoutError'
        ? 'no answer in time'
        : typeof cause?.code === 'string'
          ? cause.code
          : (cause?.message ?? 'no relay')
    if (!asked) return unknown('server', `none answers at ${url} (${code}); name another one with --url`)
    return fault(
      'server',
      `${url} can't be reached (${code})`,
      'start it: promotion-relay serve, or npm start; or correct the address',
    )
  }
}
