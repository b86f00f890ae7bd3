/**
 * Every setting, in one schema: environment variables in, typed settings or the list of every problem out.
 * Reads no environment itself and has no effect on import. Secrets come as `NAME` or `NAME_FILE`.
 */
import { accessSync, constants, readFileSync } from 'node:fs'
import { z } from 'zod'
import { isAddressRange } from './address-range.ts'
import { parseTokens } from './api-tokens.ts'
import { feedbackProblems, secretPartOf, secretProblem } from './feedback-settings.ts'
import { MLFLOW_OWN, mlflowProblems, REGISTRY_NAMES } from './mlflow-settings.ts'
import { opsProblems } from './ops-settings.ts'
import { secretsInOtlpHeaders } from './otlp-headers.ts'
import { pkcs8From } from './private-key.ts'
import { SHORTEST_SECRET } from './redact.ts'
import { type Secret, secretFromFile, secretFromValue, secretsIn } from './secret.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const flag = z
  .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], { error: 'must be true or false' })
  .transform((word) => ['true', '1', 'yes', 'on'].includes(word))
const port = z.coerce
  .number('must be a port')
  .int('must be a port')
  .min(0, 'must be a port')
  .max(65_535, 'must be a port')
const positive = (unit: string, max: number) =>
  z.coerce
    .number(`must be a number of ${unit}`)
    .positive(`must be above 0 ${unit}`)
    .max(max, `must be at most ${max} ${unit}`)
const count = (max: number) =>
  z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(max, `must be at most ${max}`)
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
  // A password in it would show, and `fetch` refuses one; a query would end up amid the path.
  .refine((url) => !/[?#@]/.test(url), 'must not hold a user, a query or a fragment')
  .transform((url) => url.replace(/\/+$/, ''))
const words = (max: number) => z.string().max(max, `must be at most ${max} characters long`)
const pathSegment = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, "may hold letters, digits, '.', '_' and '-' only")
  .refine((name) => !/^\.+$/.test(name), 'must be a name')

/** Such as `champion=production,challenger=staging`: what in the registry stands for which environment. */
const environmentsByName = z
  .string()
  .default('')
  .transform((text, context) =>
    text
      .split(',')
      .filter((pair) => pair.trim() !== '')
      .flatMap((pair) => {
        const [, name = '', environment = ''] =
          /^([^=\s]{1,255})=([A-Za-z0-9][A-Za-z0-9._-]{0,99})$/.exec(pair.trim()) ?? []
        if (name === '')
          context.addIssue({
            code: 'custom',
            message: 'must be pairs such as champion=production, separated by commas',
          })
        return name === '' ? [] : [{ name, environment }]
      }),
  )

/** Browsers send these, or proxies for another purpose. */
const NOT_THE_PROXYS = [
  'authorization',
  'cookie',
  'host',
  'origin',
  'referer',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]

/** Separated by commas, with or without space. */
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((one) => one.trim())
      .filter(Boolean),
  )

const settingsSchema = z.object({
  ENABLE_CD_TRIGGER: flag.default(false),
  GITHUB_REPO_OWNER: pathSegment.optional(),
  GITHUB_REPO_NAME: pathSegment.optional(),
  CD_WORKFLOW_NAME: pathSegment.default('cd_pipeline.yml'),
  CD_WORKFLOW_REF: words(255).default('main'),
  GITHUB_API_URL: httpUrl.default('https://api.github.com'),
  GITHUB_API_VERSION: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a date such as 2022-11-28')
    .default('2022-11-28'),
  GITHUB_APP_ID: z
    .string()
    .regex(/^[A-Za-z0-9.]{1,100}$/, 'must be the number or the client id of a GitHub App')
    .optional(),
  GITHUB_APP_INSTALLATION_ID: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'must be the number of an installation')
    .optional(),
  REDIS_WAIT_REPLICAS: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(0, 'must be 0 or more')
    .max(10, 'must be at most 10')
    .default(0),
  PORT: port.default(8080),
  HOST: z.string().default('127.0.0.1'),
  WORKER_PORT: port.default(8081),
  WORKER_CONCURRENCY: count(1000).default(16),
  RELAY_API_TOKENS_FILE: z.string().optional(),
  API_RATE_PER_MINUTE: count(1_000_000).default(600),
  OPS_USER: words(100).default('ops'),
  OPS_USERS_FILE: z.string().optional(),
  OPS_TRUSTED_PROXIES: list
    .refine(
      (all) => all.every(isAddressRange),
      'must be addresses or ranges such as 10.0.0.0/8, separated by commas',
    )
    .refine((all) => !all.some((one) => /\/0+$/.test(one)), 'must not be every address there is'),
  OPS_PROXY_USER_HEADER: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header such as x-forwarded-user')
    .toLowerCase()
    .refine((name) => !NOT_THE_PROXYS.includes(name), 'must be a header that only the proxy sets')
    .optional(),
  OPS_PROXY_OPERATORS: list,
  DISPATCH_RATE_PER_SECOND: positive('dispatches per second', 10_000).default(1),
  DISPATCH_MAX_ATTEMPTS: count(100).default(8),
  DISPATCH_BACKOFF_BASE_SECONDS: positive('seconds', 3600).default(2),
  DISPATCH_BACKOFF_MAX_SECONDS: positive('seconds', 86_400).default(300),
  RESOLVE_PATIENCE_SECONDS: positive('seconds', 86_400).default(120),
  TRACK_INTERVAL_SECONDS: positive('seconds', 3600).default(5),
  DEPLOY_TIMEOUT_MINUTES: positive('minutes', 50_000).default(60),
  CANCEL_WAITING_RUNS: flag.default(true),
  ROLLBACK_ON_FAILURE: flag.default(false),
  LATENCY_WITHOUT_APPROVAL: flag.default(false),
  MLFLOW_ALIASES: environmentsByName,
  MLFLOW_STAGES: environmentsByName,
  MLFLOW_TAGS: environmentsByName,
  MLFLOW_ACCURACY_METRIC: words(250).default('accuracy'),
  REGISTRY_INTERVAL_SECONDS: positive('seconds', 86_400).default(60),
  MLFLOW_FEEDBACK: flag.default(false),
  MLFLOW_TRACKING_URI: httpUrl.optional(),
  MLFLOW_TRACKING_USERNAME: words(255).optional(),
  MLFLOW_DEPLOYED_ALIAS: z
    .string()
    .regex(
      /^(?:[A-Za-z0-9_-]|\{environment\}){1,200}$/,
      "may hold letters, digits, '_', '-' and {environment} only",
    )
    .refine((alias) => !/^(latest|v\d+)$/i.test(alias), 'is a name that MLflow keeps for itself')
    .optional(),
  FEEDBACK_WEBHOOK_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http(s) address' })
    .refine((url) => !/^[^/]*\/\/[^/]*@|#/.test(url), 'must not hold a user or a fragment')
    .optional(),
  FEEDBACK_ALLOW_PRIVATE: flag.default(false),
  FEEDBACK_AT_DISPATCH: flag.default(false),
  DATA_DIR: z.string().min(1).default('.relay'),
  SPOOL_DIR: z.string().min(1).optional(),
  METRICS_TARGET_LABELS: flag.default(false),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  // OpenTelemetry's own, often there for other programs too: what is wrong in them is told of and stops nothing.
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.string().default('http/protobuf'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: z.string().optional(),
  OTEL_SERVICE_NAME: z.string().default('promotion-relay'),
  OTEL_RESOURCE_ATTRIBUTES: z.string().optional(),
  OTEL_TRACES_SAMPLER: z.string().default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.string().optional(),
  OTEL_TRACES_EXPORTER: z.string().default('otlp'),
  OTEL_SDK_DISABLED: z.string().default('false'),
})

/** Settings that may come as `NAME_FILE` and never show. */
const SECRET_NAMES = [
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
type SecretName = (typeof SECRET_NAMES)[number]
/** Headers with keys in them, in a form of their own. */
const OTLP_HEADERS = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const
const OTLP_ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const

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

function secretOf(
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

/** An empty variable counts as not given: compose files and CI pass empty ones along. */
function given(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
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
