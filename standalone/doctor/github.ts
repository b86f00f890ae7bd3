/** GitHub and the repository: is it there, who are we to it, and what may we do? Told by one read of the repository. */
import type { Answer, Answered } from '../../worker/github/answer.ts'
import { wordsOf } from '../../worker/github/answer.ts'
import { rateLimitFrom } from '../../worker/github/rate-limit.ts'
import { tokenExpiryFrom } from '../../worker/github/token-expiry.ts'
import { judgeClock } from './clock.ts'
import { type Finding, fault, notLookedAt, ok, spanOf, unknown, warning } from './finding.ts'

export interface RepositoryFacts {
  /** To the read of the repository. */
  answer: Answer
  /** When it was asked and answered, by our clock, ms since the epoch. */
  askedAt: number
  answeredAt: number
  /** owner/name, as the settings have it. */
  repository: string
  baseUrl: string
  ofApp: boolean
  /** Of the App's token. */
  permissions: Readonly<Record<string, string>> | undefined
  /** Dispatches that GitHub took within a day; undefined where the ledger could not be asked. */
  dispatched: number | undefined
}

export const GITHUB_NAMES = [
  'credentials',
  'permissions',
  'rate limit',
  'repository',
  'GitHub clock',
] as const

export function judgeGithub(facts: RepositoryFacts): Finding[] {
  const { answer, baseUrl } = facts
  if (answer.kind === 'failed') return unanswered(answer, facts)
  if (answer.status >= 500) {
    const mend = 'wait: promotions wait too, and flow again by themselves; githubstatus.com tells more'
    return [
      fault('GitHub', `${baseUrl}: ${wordsOf(answer)}`, mend),
      ...notLookedAt('GitHub is out of order', ...GITHUB_NAMES),
    ]
  }
  const { headers } = answer
  const enterprise = headers['x-github-enterprise-version']
  const version = headers['x-github-api-version-selected']
  const server = enterprise === undefined ? '' : `, Enterprise Server ${enterprise}`
  return [
    ok('GitHub', `${baseUrl} answers${server}${version === undefined ? '' : `, API version ${version}`}`),
    ...(isLimited(answer) ? limited(answer) : judged(answer, facts)),
    ...judgeGithubClock(answer, facts),
  ]
}

function judged(answer: Answered, facts: RepositoryFacts): Finding[] {
  if (answer.status === 401) {
    const mend = facts.ofApp
      ? APP_MEND
      : 'put a new token into GITHUB_TOKEN, or into the file that GITHUB_TOKEN_FILE names'
    return [
      fault('credentials', wordsOf(answer), mend),
      ...notLookedAt('the credentials are not valid', 'permissions', 'rate limit', 'repository'),
    ]
  }
  return [
    judgeExpiry(answer, facts),
    judgePermissions(answer, facts),
    judgeRate(answer, facts.answeredAt),
    judgeRepository(answer, facts),
  ]
}

const APP_MEND =
  'check GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and GITHUB_APP_INSTALLATION_ID, and that the App is installed and not suspended'

/** Nobody answered, or no token was to be had. */
function unanswered(
  { code, message }: { code: string; message: string },
  { baseUrl, ofApp }: RepositoryFacts,
): Finding[] {
  if (code === 'TOKEN_REFUSED') {
    const others = GITHUB_NAMES.filter((name) => name !== 'credentials')
    return [
      ok('GitHub', `${baseUrl} answers`),
      fault('credentials', message, APP_MEND),
      ...notLookedAt('there is no token', ...others),
    ]
  }
  if (code === 'CREDENTIALS') {
    const mend = ofApp
      ? APP_MEND
      : 'set GITHUB_TOKEN, or put the token into the file that GITHUB_TOKEN_FILE names'
    const others = ['GitHub', ...GITHUB_NAMES.filter((name) => name !== 'credentials')]
    return [fault('credentials', message, mend), ...notLookedAt('there is no token', ...others)]
  }
  const mend = 'check GITHUB_API_URL, and that this machine may reach it: its name, a firewall, a proxy'
  return [
    fault('GitHub', `${baseUrl} can't be reached (${code}): ${message}`, mend),
    ...notLookedAt("GitHub can't be reached", ...GITHUB_NAMES),
  ]
}

function isLimited({ status, headers }: Answered): boolean {
  return (
    status === 429 ||
    (status === 403 && (headers['x-ratelimit-remaining'] === '0' || 'retry-after' in headers))
  )
}

function limited(answer: Answered): Finding[] {
  const mend =
    'wait: promotions wait too, and flow again once GitHub allows it; see who else uses these credentials'
  return [
    warning('rate limit', wordsOf(answer), mend),
    ...notLookedAt('GitHub limits the rate', 'credentials', 'permissions', 'repository'),
  ]
}

const SOON_MS = 7 * 24 * 3_600_000
/** See `worker/github/token-expiry.ts`: an end this close to the answer says nothing. */
const NO_END_MS = 2 * 60_000

function judgeExpiry({ headers }: Answered, { ofApp, answeredAt }: RepositoryFacts): Finding {
  if (ofApp) return ok('credentials', 'the GitHub App has a token, which is renewed by itself')
  const endsAt = tokenExpiryFrom(headers['github-authentication-token-expiration'] ?? '')
  const leftMs = endsAt === undefined ? undefined : endsAt - (Date.parse(headers.date ?? '') || answeredAt)
  if (endsAt === undefined || leftMs === undefined || leftMs < NO_END_MS)
    return ok('credentials', 'GITHUB_TOKEN is valid, and GitHub tells no end of it')
  const day = new Date(endsAt).toISOString().slice(0, 10)
  if (leftMs < SOON_MS)
    return warning(
      'credentials',
      `GITHUB_TOKEN is valid, and ends in ${spanOf(leftMs)} (${day})`,
      'put a new token into GITHUB_TOKEN before that; from GITHUB_TOKEN_FILE it is read without a restart',
    )
  return ok('credentials', `GITHUB_TOKEN is valid until ${day}, ${spanOf(leftMs)} from now`)
}

/** What reading tells of writing: everything of an App, the scopes of a classic token, nothing of a fine-grained one. */
function judgePermissions(
  { headers, body }: Answered,
  { ofApp, permissions, dispatched }: RepositoryFacts,
): Finding {
  if (ofApp && permissions?.actions !== undefined) {
    if (permissions.actions === 'write') return ok('permissions', 'the GitHub App has Actions: write')
    return fault(
      'permissions',
      `the GitHub App has Actions: ${permissions.actions}: it can't dispatch`,
      WRITE_MEND,
    )
  }
  if (ofApp && permissions !== undefined && Object.keys(permissions).length > 0)
    return fault('permissions', "the GitHub App has no permission for Actions: it can't dispatch", WRITE_MEND)
  const scopes = headers['x-oauth-scopes']
  if (!ofApp && scopes !== undefined)
    return judgeScopes(scopes, (body as { private?: unknown } | null)?.private === true)
  if ((dispatched ?? 0) > 0)
    return ok(
      'permissions',
      `GitHub took ${dispatched} ${dispatched === 1 ? 'dispatch' : 'dispatches'} within a day`,
    )
  return unknown(
    'permissions',
    'whether Actions: write is there GitHub tells at a dispatch only, and none went through within a day: promotion-relay smoke-test --dispatch shows it',
  )
}

const WRITE_MEND =
  "give the App Repository permissions → Actions: Read and write, and accept it in the installation's settings"

function judgeScopes(text: string, isPrivate: boolean): Finding {
  const scopes = text.split(',').map((scope) => scope.trim())
  const wanted = isPrivate ? 'repo' : 'repo or public_repo'
  if (scopes.includes('repo') || (!isPrivate && scopes.includes('public_repo')))
    return ok(
      'permissions',
      `the classic token has the scope ${scopes.includes('repo') ? 'repo' : 'public_repo'}; a fine-grained one may do less`,
    )
  return fault(
    'permissions',
    `the classic token has ${text === '' ? 'no scope' : `the scopes ${text}`}, not ${wanted}`,
    `give it the scope ${wanted}, or make a fine-grained one with Actions: write`,
  )
}

const FEW = 0.1

function judgeRate({ headers }: Answered, nowMs: number): Finding {
  const limit = rateLimitFrom(headers)
  if (!limit) return ok('rate limit', 'GitHub tells of none')
  const resets = `resets in ${spanOf(Math.max(0, limit.resetAtMs - nowMs))}`
  const words = `${limit.remaining} of ${limit.limit} requests left, ${resets}`
  if (limit.remaining / limit.limit >= FEW) return ok('rate limit', words)
  return warning(
    'rate limit',
    words,
    'see who else uses these credentials, use webhooks (GITHUB_WEBHOOK_SECRET), or raise TRACK_INTERVAL_SECONDS',
  )
}

function judgeRepository(answer: Answered, { repository, ofApp }: RepositoryFacts): Finding {
  if (answer.status === 404)
    return fault(
      'repository',
      `${repository} is not there, or these credentials may not see it`,
      `check GITHUB_REPO_OWNER and GITHUB_REPO_NAME, and that ${ofApp ? 'the App is installed in it' : 'the token was made for it'}`,
    )
  if (answer.status !== 200)
    return fault(
      'repository',
      `${repository}: ${wordsOf(answer)}`,
      'give the credentials access to the repository, or have them approved by its organization',
    )
  const { archived, disabled, full_name: name } = (answer.body ?? {}) as Record<string, unknown>
  if (archived === true)
    return fault(
      'repository',
      `${repository} is archived: nothing runs in it`,
      'unarchive it in its settings, or name another one',
    )
  if (disabled === true)
    return fault('repository', `${repository} is disabled by GitHub`, 'ask its owner, or name another one')
  if (typeof name === 'string' && name.toLowerCase() !== repository.toLowerCase())
    return fault(
      'repository',
      `${repository} has moved to ${name}: dispatches do not follow`,
      'set GITHUB_REPO_OWNER and GITHUB_REPO_NAME to its new name',
    )
  return ok('repository', `${repository} can be read`)
}

/** GitHub's is told in whole seconds. */
const ROUNDING_MS = 1_000

function judgeGithubClock({ headers }: Answered, { askedAt, answeredAt }: RepositoryFacts): Finding[] {
  const told = Date.parse(headers.date ?? '')
  if (Number.isNaN(told)) return [unknown('GitHub clock', 'its answer tells no time')]
  const aheadMs = told + ROUNDING_MS / 2 - (askedAt + answeredAt) / 2
  return [judgeClock('GitHub clock', "GitHub's", Math.round(aheadMs), ROUNDING_MS + (answeredAt - askedAt))]
}

export function isReadable(answer: Answer | undefined): boolean {
  return answer?.kind === 'answered' && answer.status === 200
}
