// What a simulator can be told at its start, and the workflows it keeps.
// Every default is here; the other files only see the settled form.

export interface SimulatorOptions {
  /** 0 takes any free port. */
  port?: number | undefined
  host?: string | undefined
  owner?: string | undefined
  repo?: string | undefined
  workflows?: WorkflowConfig[] | undefined
  /** `ghes`: an Enterprise Server that answers 204 only and knows neither return_run_details nor 2026-03-10. */
  mode?: 'github' | 'ghes' | undefined
  /** When set, every other token gets 401; else any non-empty token is taken, unless there is an App. */
  token?: string | undefined
  /** What answers to any but a token of the App say in `github-authentication-token-expiration`; nothing by default. */
  tokenExpiration?: string | undefined
  /** What answers to a classic token say in `x-oauth-scopes`; nothing by default, as to any other token. */
  tokenScopes?: string | undefined
  /** Whether the token may read files (Contents: read); true by default. */
  contentsReadable?: boolean | undefined
  /** The repository is archived: it can be read, and nothing runs in it. */
  archived?: boolean | undefined
  /** A GitHub App and its one installation: its tokens are taken. */
  app?: AppConfig | undefined
  /** How far GitHub's clock is ahead of this machine's, ms; 0. */
  clockAheadMs?: number | undefined
  queuedMs?: number | undefined
  runMs?: number | undefined
  conclusion?: string | undefined
  /** Runs appear in listings only this long after they were created. */
  listDelayMs?: number | undefined
  /** Runs answer 404 by id for this long after they were created. */
  getDelayMs?: number | undefined
  /** Requests in each window of `rateLimitWindowMs` (an hour). An Enterprise Server has a limit only when this is set. */
  rateLimit?: number | undefined
  rateLimitWindowMs?: number | undefined
  /** Runs are shown without what surrounds them (repository, actor, addresses): a tenth of GitHub's size, for speed. */
  bareRuns?: boolean | undefined
  /** Who is told of runs from the start. */
  webhooks?: WebhookConfig[] | undefined
  /** How long an answer to a webhook may take: 10 s, as at GitHub. */
  webhookTimeoutMs?: number | undefined
  /** Runs and log are kept there (append-only JSONL) and found again. One simulator a directory. */
  dataDir?: string | undefined
}

export interface WebhookConfig {
  url: string
  /** Signs what is sent; without it nothing is signed. */
  secret?: string | undefined
}

export interface AppConfig {
  /** Its number or client id. */
  id: string
  installationId: number
  /** PEM */
  publicKey: string
  /** Of its installation; Actions: write, Contents and Metadata: read by default. */
  permissions?: Readonly<Record<string, 'read' | 'write'>> | undefined
  /** Of an installation token: an hour when not given. GitHub shows whole seconds. */
  tokenLifeMs?: number | undefined
}

export interface WorkflowConfig {
  file: string
  state?: 'active' | 'disabled_manually' | undefined
  /** Whether the file has the workflow_dispatch trigger. */
  trigger?: boolean | undefined
  /** The declared inputs; `any` takes all. */
  inputs?: Record<string, { required?: boolean | undefined }> | 'any' | undefined
  refs?: string[] | undefined
  /** Whether the file has a `run-name` that puts the promotion id into display_title. */
  runName?: boolean | undefined
  /** Whether its first job ends a second run of the same promotion. */
  guard?: boolean | undefined
  /** Of the file, in place of what the other settings make of it. */
  text?: string | undefined
  /** Its job's environment has required reviewers: each run waits until it is approved. */
  needsApproval?: boolean | undefined
  /** The file's `concurrency`: the group that its expression makes of the inputs. */
  concurrency?: Concurrency | undefined
}

export interface Concurrency {
  group(inputs: Readonly<Record<string, string>>): string
  /** false by default: a newer run then waits, and replaces only one that waits as well. */
  cancelInProgress?: boolean | undefined
}

export interface Workflow {
  file: string
  id: number
  name: string
  state: 'active' | 'disabled_manually'
  trigger: boolean
  inputs: Record<string, { required?: boolean | undefined }> | 'any'
  refs: string[]
  runName: boolean
  guard: boolean
  text: string | undefined
  needsApproval: boolean
  concurrency: Concurrency | undefined
}

export interface Settings {
  port: number
  host: string
  owner: string
  repo: string
  workflows: Workflow[]
  mode: 'github' | 'ghes'
  token: string | undefined
  tokenExpiration: string | undefined
  tokenScopes: string | undefined
  contentsReadable: boolean
  archived: boolean
  app: AppConfig | undefined
  clockAheadMs: number
  queuedMs: number
  runMs: number
  conclusion: string
  listDelayMs: number
  getDelayMs: number
  rateLimit: number | undefined
  rateLimitWindowMs: number
  bareRuns: boolean
  webhooks: WebhookConfig[]
  webhookTimeoutMs: number
  dataDir: string | undefined
}

const FIRST_WORKFLOW_ID = 161_335_001

export function settle(options: SimulatorOptions): Settings {
  const mode = options.mode ?? 'github'
  return {
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    owner: options.owner ?? 'acme',
    repo: options.repo ?? 'models',
    workflows: (options.workflows ?? [{ file: 'cd_pipeline.yml' }]).map((config, index) =>
      settleWorkflow(config, FIRST_WORKFLOW_ID + index),
    ),
    mode,
    token: options.token,
    tokenExpiration: options.tokenExpiration,
    tokenScopes: options.tokenScopes,
    contentsReadable: options.contentsReadable ?? true,
    archived: options.archived ?? false,
    app: options.app,
    clockAheadMs: options.clockAheadMs ?? 0,
    queuedMs: options.queuedMs ?? 200,
    runMs: options.runMs ?? 800,
    conclusion: options.conclusion ?? 'success',
    listDelayMs: options.listDelayMs ?? 0,
    getDelayMs: options.getDelayMs ?? 0,
    rateLimit: options.rateLimit ?? (mode === 'ghes' ? undefined : 5000),
    rateLimitWindowMs: options.rateLimitWindowMs ?? 3_600_000,
    bareRuns: options.bareRuns ?? false,
    webhooks: (options.webhooks ?? []).map(checkedWebhook),
    webhookTimeoutMs: options.webhookTimeoutMs ?? 10_000,
    dataDir: options.dataDir,
  }
}

export function settleWorkflow(config: WorkflowConfig, id: number): Workflow {
  return {
    file: config.file,
    id,
    name: config.file.replace(/\.ya?ml$/, '').replaceAll('_', ' '),
    state: config.state ?? 'active',
    trigger: config.trigger ?? true,
    inputs: config.inputs ?? 'any',
    refs: config.refs ?? ['main'],
    runName: config.runName ?? true,
    guard: config.guard ?? true,
    text: config.text,
    needsApproval: config.needsApproval ?? false,
    concurrency: config.concurrency,
  }
}

/** @throws where nothing can be sent to its address */
export function checkedWebhook(webhook: WebhookConfig): WebhookConfig {
  if (/^https?:$/.test(new URL(webhook.url).protocol)) return webhook
  throw new Error(`a webhook's address begins with http:// or https://, not ${webhook.url}`)
}

/** A run found again in a data directory may be of a workflow that this start was not told of. */
export function workflowOf({ workflow }: { workflow: string }, { workflows }: Settings): Workflow {
  return workflows.find(({ file }) => file === workflow) ?? settleWorkflow({ file: workflow }, 0)
}
