// A stand-in for api.github.com's Actions API: a real HTTP server that keeps its own log of requests and runs.
// That log, and not the relay, tells the tests whether a promotion was dispatched twice or out of order.
import type { Steering } from './admin.ts'
import type { ApiWorld } from './api-answer.ts'
import { apiRoute } from './api-route.ts'
import { type InstallationState, openInstallation } from './app-installation.ts'
import { createFaults, type Fault } from './faults.ts'
import { openHttpServer } from './http-server.ts'
import type { ArrivedRequest, Instants } from './instants.ts'
import { createRateLimit } from './rate-limit.ts'
import { createReceiver } from './receiver.ts'
import { type LogEntry, openRequestLog } from './request-log.ts'
import { type Life, openRunBook } from './run-book.ts'
import type { RunStatus } from './run-life.ts'
import { openRunNews } from './run-news.ts'
import {
  type SimulatorOptions,
  settle,
  settleWorkflow,
  type WebhookConfig,
  type WorkflowConfig,
} from './settings.ts'
import type { SimulatedRun } from './simulated-run.ts'
import type { Delivery } from './webhook-deliveries.ts'
import type { WebhookFault } from './webhook-faults.ts'
import { createWebhooks } from './webhooks.ts'

export type {
  ArrivedRequest,
  Delivery,
  Fault,
  InstallationState,
  Instants,
  LogEntry,
  RunStatus,
  SimulatedRun,
  SimulatorOptions,
  WebhookConfig,
  WebhookFault,
  WorkflowConfig,
}

export interface Simulator {
  /** http://127.0.0.1:PORT */
  readonly url: string
  /** Every request but the steering's, in the order of arrival. */
  readonly log: readonly LogEntry[]
  /** As they are at this moment, oldest first. Read it again to see them move. */
  readonly runs: readonly SimulatedRun[]
  /** Runs that a fault will create later. */
  readonly lateRuns: number
  /** Adds a fault; on dispatches and for one request unless it says otherwise. */
  fault(fault: Fault): void
  /** Adds a fault of deliveries: late, swapped, twice, dropped. */
  webhookFault(fault: WebhookFault): void
  /** Those of requests and those of deliveries. */
  clearFaults(): void
  /** Ends a run now, with the conclusion it was going to have if none is given. A completed run stays as it is. */
  complete(runId: number, conclusion?: string): void
  /**
   * Stops a run where it is, or in the given status, until it is completed, cancelled or released by hand.
   * Without a run: every later run, in `queued` unless told otherwise.
   */
  hold(runId?: number, status?: RunStatus): void
  /** Lets a held run go on; without a run all of them, and later ones. */
  release(runId?: number): void
  /** A reviewer lets a run start that is `waiting`. @throws where it is not */
  approve(runId: number): void
  /** The life of later runs and attempts. */
  setLife(life: LifeChange): void
  /** Disables a workflow, takes a ref away, …, from now on. */
  setWorkflow(file: string, change: Omit<WorkflowConfig, 'file'>): void
  /** Tells an address of every run from now on, as GitHub's webhooks do. @returns the hook's id */
  subscribe(hook: WebhookConfig): number
  /** Of webhooks, in the order in which they were sent. */
  readonly deliveries: readonly Delivery[]
  /** As a person does it at GitHub: the same body and guid once more. @throws where no delivery has this id */
  redeliver(deliveryId: number): Promise<Delivery>
  /** Suspends the App's installation, takes it away (its tokens are void), brings it back. */
  setInstallation(state: InstallationState): void
  /** The dispatch POSTs of the log. */
  dispatches(): LogEntry[]
  /** Ends every connection and wait. */
  close(): Promise<void>
}

export interface LifeChange {
  queuedMs?: number | undefined
  runMs?: number | undefined
  conclusion?: string | undefined
}

export async function startSimulator(
  options: SimulatorOptions = {},
  instants: Instants = {},
): Promise<Simulator> {
  const settings = settle(options)
  const now = () => Date.now() + settings.clockAheadMs
  const book = openRunBook(settings, now)
  const log = openRequestLog(settings.dataDir)
  const faults = createFaults()
  const closing = new AbortController()
  const rateLimit = createRateLimit(settings.rateLimit, settings.rateLimitWindowMs, now)
  const addresses = () => ({ pages: url, api: settings.mode === 'ghes' ? `${url}/api/v3` : url })
  const webhooks = createWebhooks({ settings, addresses, now })
  let news: { close(): void } | undefined
  const installation = settings.app && openInstallation(settings.app, now)
  const world: ApiWorld = { settings, book, rateLimit, installation, now }

  const steering: Steering = {
    get log() {
      return log.entries
    },
    get runs() {
      return book.all()
    },
    get lateRuns() {
      return book.lateRuns()
    },
    fault: faults.add,
    webhookFault: webhooks.fault,
    clearFaults: () => {
      faults.clear()
      webhooks.clearFaults()
    },
    complete: book.complete,
    hold: (runId, status) => {
      if (runId === undefined) book.life.heldAs = status ?? 'queued'
      else book.hold(runId, status)
    },
    release: book.release,
    approve: book.approve,
    subscribe: (hook) => {
      news ??= openRunNews(book, now, webhooks.tell)
      return webhooks.subscribe(hook)
    },
    deliveries: webhooks.deliveries,
    redeliver: webhooks.redeliver,
    setLife: (life) => {
      Object.assign(book.life, defined(life))
    },
    setWorkflow: (file, change) => {
      const index = settings.workflows.findIndex((workflow) => workflow.file === file)
      const workflow = settings.workflows[index]
      if (!workflow) throw new Error(`no workflow ${file}`)
      settings.workflows[index] = settleWorkflow({ ...workflow, ...change }, workflow.id)
    },
    setInstallation: (state) => {
      if (!installation) throw new Error('no App')
      installation.set(state)
    },
  }

  const receiver = createReceiver({ world, log, faults, steering, instants, closing: closing.signal })
  const server = await openHttpServer({
    host: settings.host,
    port: settings.port,
    onRequest: receiver,
    onGarbled: () => log.garbled(now()),
  }).catch((error: unknown) => {
    closeFiles()
    throw error
  })

  const url = `http://${reachable(settings.host)}:${server.port}`
  for (const hook of settings.webhooks) steering.subscribe(hook)

  function closeFiles(): void {
    book.close()
    log.close()
  }

  async function close(): Promise<void> {
    closing.abort()
    news?.close()
    await Promise.all([server.close(), webhooks.close()])
    closeFiles()
  }

  // Added to the same object, since a copy would read its log and runs only once.
  return Object.assign(steering, {
    url,
    dispatches: () => log.entries.filter(({ method, path }) => isDispatch(method, path)),
    close,
  })
}

function isDispatch(method: string, path: string): boolean {
  return apiRoute(method, path.split('?')[0] ?? '').operation === 'dispatch'
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

function defined(life: LifeChange): Partial<Life> {
  return Object.fromEntries(Object.entries(life).filter(([, value]) => value !== undefined))
}
