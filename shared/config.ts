/**
 * Every setting: environment variables in, typed settings or the list of every problem out. Reads no environment itself
 * and has no effect on import. Secrets come as `NAME` or `NAME_FILE`.
 */
import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { parseTokens } from './api-tokens.ts'
import { type Environment, given } from './environment.ts'
import { feedbackProblems } from './feedback-settings.ts'
import { MLFLOW_OWN, mlflowProblems, REGISTRY_NAMES } from './mlflow-settings.ts'
import { opsProblems } from './ops-settings.ts'
import { pkcs8From } from './private-key.ts'
import { SHORTEST_SECRET } from './redact.ts'
import type { Secret } from './secret.ts'
import { SECRET_NAMES, type SecretName, secretOf } from './secret-settings.ts'
import { flag, settingsSchema } from './settings-schema.ts'

export type { Environment } from './environment.ts'
export { secretsOf } from './secret-settings.ts'

export type Settings = z.output<typeof settingsSchema> & Readonly<Partial<Record<SecretName, Secret>>>

const APP_NAMES = ['GITHUB_APP_ID', 'GITHUB_APP_PRIVATE_KEY', 'GITHUB_APP_INSTALLATION_ID'] as const

/** What a process needs of the settings; asked for by the command that starts it. */
export type Need = 'redis' | 'server' | 'dispatch'

export type LoadedSettings = { ok: true; settings: Settings } | { ok: false; problems: string[] }

/** Names of every setting, `NAME_FILE` forms left out. */
export const SETTING_NAMES: readonly string[] = [...Object.keys(settingsSchema.shape), ...SECRET_NAMES]

/** Settings that speak of GitHub: with none of them set, `up` uses the simulator. */
const GITHUB_NAMES = SETTING_NAMES.filter((name) => /^(GITHUB|CD_WORKFLOW|ENABLE_CD)_/.test(name))

export function anyGithubSetting(env: Environment): boolean {
  return GITHUB_NAMES.some(
    (name) => given(env, name) !== undefined || given(env, `${name}_FILE`) !== undefined,
  )
}

/**
 * Loads the settings that the given needs ask for.
 * @returns every problem at once, each naming its setting, never its value if it is a secret.
 */
export function loadSettings(all: Environment, needs: readonly Need[]): LoadedSettings {
  const problems: string[] = []
  const isOn = (name: 'ENABLE_CD_TRIGGER' | 'MLFLOW_FEEDBACK' | 'FEEDBACK_ALLOW_PRIVATE') =>
    flag.safeParse(given(all, name)).data ?? false
  const isFollowed = REGISTRY_NAMES.some((name) => given(all, name) !== undefined)
  const isUsed = (name: string) => isOn('MLFLOW_FEEDBACK') || isFollowed || !MLFLOW_OWN.test(name)
  const env: Environment = Object.fromEntries(Object.entries(all).filter(([name]) => isUsed(name)))
  const parsed = settingsSchema.safeParse(
    Object.fromEntries(Object.keys(settingsSchema.shape).map((name) => [name, given(env, name)])),
  )
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join('.')} ${issue.message}`)
  }
  const secrets: Partial<Record<SecretName, Secret>> = {}
  for (const name of SECRET_NAMES) {
    const secret = secretOf(env, name, problems, isOn('FEEDBACK_ALLOW_PRIVATE'))
    if (secret) secrets[name] = secret
  }
  const has = (name: string) => given(env, name) !== undefined || given(env, `${name}_FILE`) !== undefined
  const ask = (name: string, why: string) => {
    if (!has(name)) problems.push(`${name} is missing: ${why}`)
  }
  if (needs.includes('redis'))
    ask('REDIS_URL', 'where the queue and the ledger live, e.g. redis://localhost:6379')
  if (needs.includes('server')) {
    if (!has('RELAY_API_TOKENS_FILE')) ask('RELAY_API_TOKEN', 'the token that callers of the API send')
    if (!has('OPS_USERS_FILE') && !has('OPS_PROXY_USER_HEADER'))
      ask('OPS_PASSWORD', 'the log-in of the dashboard at /queues')
  }
  problems.push(...opsProblems({ has, text: (name) => given(env, name) }))
  problems.push(...problemsOfTokens(given(env, 'RELAY_API_TOKENS_FILE')))
  if (needs.includes('server') || needs.includes('dispatch')) {
    const mappings = parsed.success ? REGISTRY_NAMES.flatMap((name) => parsed.data[name]) : []
    const isTold = isOn('MLFLOW_FEEDBACK') && needs.includes('dispatch')
    problems.push(...mlflowProblems({ isTold, isFollowed, mappings, has }))
  }
  if (needs.includes('dispatch')) {
    const text = (name: string) => given(env, name)
    problems.push(...feedbackProblems({ allowPrivate: isOn('FEEDBACK_ALLOW_PRIVATE'), has, text }))
  }
  if (needs.includes('dispatch') && isOn('ENABLE_CD_TRIGGER')) {
    const why = 'ENABLE_CD_TRIGGER is on'
    ask('GITHUB_REPO_OWNER', why)
    ask('GITHUB_REPO_NAME', why)
    if (!APP_NAMES.some(has)) ask('GITHUB_TOKEN', why)
    else {
      if (has('GITHUB_TOKEN')) problems.push('GITHUB_TOKEN and a GitHub App are both set: use one')
      for (const name of APP_NAMES) ask(name, 'a GitHub App needs all three of its settings')
    }
    const key = secrets.GITHUB_APP_PRIVATE_KEY?.read()
    if (key !== undefined && key.length >= SHORTEST_SECRET && pkcs8From(key) === undefined) {
      problems.push('GITHUB_APP_PRIVATE_KEY must be an RSA private key in PEM format, as GitHub gives it')
    }
  }
  if (problems.length > 0 || !parsed.success) return { ok: false, problems }
  return { ok: true, settings: { ...parsed.data, ...secrets } }
}

/** At the start each line must be right; one that is spoilt later is left out, and the log says so. */
function problemsOfTokens(path: string | undefined): string[] {
  if (path === undefined) return []
  try {
    return parseTokens(readFileSync(path, 'utf8')).problems.map(
      (problem) => `RELAY_API_TOKENS_FILE ${problem}`,
    )
  } catch (error) {
    return [
      `RELAY_API_TOKENS_FILE can't be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`,
    ]
  }
}
