/** Settings that are secrets: what each may be, where it is read from, and which parts of it must never show either. */
import { accessSync, constants } from 'node:fs'
import type { Settings } from './config.ts'
import { type Environment, given } from './environment.ts'
import { secretPartOf, secretProblem } from './feedback-settings.ts'
import { secretsInOtlpHeaders } from './otlp-headers.ts'
import { SHORTEST_SECRET } from './redact.ts'
import { type Secret, secretFromFile, secretFromValue, secretsIn } from './secret.ts'

/** Settings that may come as `NAME_FILE` and never show. */
export const SECRET_NAMES = [
  'GITHUB_TOKEN',
  'GITHUB_APP_PRIVATE_KEY',
  'GITHUB_WEBHOOK_SECRET',
  'MLFLOW_TRACKING_TOKEN',
  'MLFLOW_TRACKING_PASSWORD',
  'FEEDBACK_WEBHOOK_SECRET',
  'CHAT_WEBHOOK_URL',
  'REDIS_URL',
  'RELAY_API_TOKEN',
  'OPS_PASSWORD',
  'MLFLOW_WEBHOOK_SECRET',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
] as const
/** Two, separated by a comma, while one takes the other's place. */
const WEBHOOK_SECRETS: readonly string[] = ['GITHUB_WEBHOOK_SECRET', 'MLFLOW_WEBHOOK_SECRET']
export type SecretName = (typeof SECRET_NAMES)[number]
/** Headers with keys in them, in a form of their own. */
const OTLP_HEADERS = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const
const OTLP_ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const

/** Says what is wrong with it in `problems`, without the value. */
export function secretOf(
  env: Environment,
  name: SecretName,
  problems: string[],
  allowPrivate: boolean,
): Secret | undefined {
  const value = given(env, name)
  const path = given(env, `${name}_FILE`)
  if (value !== undefined && path !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: use one`)
    return undefined
  }
  const secret =
    path !== undefined
      ? readableFile(name, path, problems)
      : value !== undefined
        ? secretFromValue(name, name === 'GITHUB_APP_PRIVATE_KEY' ? withLineEnds(value) : value)
        : undefined
  if (!secret) return undefined
  const text = secret.read()
  if (OTLP_HEADERS.some((one) => one === name)) return secret
  if (text.length < SHORTEST_SECRET)
    problems.push(`${name} must be at least ${SHORTEST_SECRET} characters long`)
  else if (name === 'REDIS_URL' && !/^rediss?:\/\//.test(text))
    problems.push('REDIS_URL must begin with redis:// or rediss://')
  else if (name !== 'GITHUB_APP_PRIVATE_KEY' && /[\s\p{Cc}]/u.test(text))
    problems.push(`${name} must not hold white space`)
  else if (WEBHOOK_SECRETS.includes(name)) {
    const each = secretsIn(text)
    if (each.length > 2) problems.push(`${name} must be one secret, or two separated by a comma`)
    else if (each.some((one) => one.length < SHORTEST_SECRET))
      problems.push(`each secret in ${name} must be at least ${SHORTEST_SECRET} characters long`)
  } else {
    const problem = secretProblem(name, text, allowPrivate)
    if (problem) problems.push(`${name} ${problem}`)
  }
  return secret
}

/** In a variable, which holds one line, those of a key are written as `\n`. */
function withLineEnds(key: string): string {
  return key.replaceAll('\\n', '\n').trim()
}

function readableFile(name: SecretName, path: string, problems: string[]): Secret | undefined {
  try {
    accessSync(path, constants.R_OK)
    const secret = secretFromFile(name, path)
    secret.read()
    return secret
  } catch (error) {
    problems.push(`${name}_FILE can't be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`)
    return undefined
  }
}

/** All secrets that are set, for the redactor; also by itself each that is part of a setting. */
export function secretsOf(settings: Settings): Secret[] {
  const given = SECRET_NAMES.flatMap((name) => settings[name] ?? [])
  const endpoints = OTLP_ENDPOINTS.flatMap((name) => {
    const url = settings[name]
    return url === undefined ? [] : partsOf({ name, read: () => url }, 1, (text) => [passwordIn(text)])
  })
  const keysIn = (text: string) => secretsIn(text).map((secret) => secret.replace(/^whsec_/, ''))
  return [
    ...given,
    ...partsOf(settings.REDIS_URL, 1, (url) => [passwordIn(url)]),
    ...partsOf(settings.GITHUB_WEBHOOK_SECRET, 2, secretsIn),
    ...partsOf(settings.MLFLOW_WEBHOOK_SECRET, 2, secretsIn),
    ...partsOf(settings.FEEDBACK_WEBHOOK_SECRET, 2, secretsIn),
    ...partsOf(settings.FEEDBACK_WEBHOOK_SECRET, 2, keysIn),
    ...partsOf(settings.CHAT_WEBHOOK_URL, 1, (url) => [secretPartOf(url)]),
    ...OTLP_HEADERS.flatMap((name) => partsOf(settings[name], MOST_OTLP_SECRETS, secretsInOtlpHeaders)),
    ...endpoints,
  ]
}

/** Of five headers: more than anybody who receives traces asks for. */
const MOST_OTLP_SECRETS = 15

/** Read anew each time, as the whole is. */
function partsOf(whole: Secret | undefined, most: number, partsIn: (text: string) => string[]): Secret[] {
  if (!whole) return []
  return Array.from({ length: most }, (_, place) => ({
    name: `part ${place + 1} of ${whole.name}`,
    read: () => partsIn(whole.read())[place] ?? '',
  }))
}

function passwordIn(url: string): string {
  const password = URL.parse(url)?.password ?? ''
  try {
    return decodeURIComponent(password)
  } catch {
    // A bare % stands for itself.
    return password
  }
}
