/** What each setting may be, what it is where it is not given, and what it becomes: one schema, secrets left out. */
import { z } from 'zod'
import { isAddressRange } from './address-range.ts'

export const flag = z
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

export const settingsSchema = z.object({
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
