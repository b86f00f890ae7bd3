// Every delivery of a webhook that was made, in the order in which they were sent, with what came of it.
import type { RunAction } from './run-news.ts'
import type { WebhookConfig } from './settings.ts'
import { postWebhook, signatureOf } from './webhook-post.ts'

export interface Delivery {
  /** Of this one delivery. */
  readonly id: number
  /** `X-GitHub-Delivery`: of the event, the same for every hook and in a redelivery. */
  readonly guid: string
  readonly hookId: number
  readonly action: RunAction
  readonly runId: number
  readonly runAttempt: number
  readonly redelivery: boolean
  /** When it was sent, ms since the epoch. */
  readonly at: number
  /** `sending`, then as GitHub lists it: `OK`, or what went wrong. `dropped`: a fault kept it from being sent. */
  readonly status: string
  /** 0 where no answer came. */
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Hook extends WebhookConfig {
  readonly id: number
}

/** One event, as every hook is told of it. */
export type HookEvent = Pick<Delivery, 'guid' | 'action' | 'runId' | 'runAttempt' | 'body'>

export interface Deliveries {
  readonly entries: readonly Delivery[]
  send(hook: Hook, event: HookEvent, redelivery?: boolean): Promise<Delivery>
  dropped(hook: Hook, event: HookEvent): void
}

export interface DeliveriesDeps {
  /** The repository's. */
  targetId: number
  timeoutMs: number
  now(): number
  /** Gives up what is being sent. */
  closing: AbortSignal
}

const FIRST_ID = 91_000_000_001

export function createDeliveries({ targetId, timeoutMs, now, closing }: DeliveriesDeps): Deliveries {
  const entries: Delivery[] = []

  function note(hook: Hook, event: HookEvent, status: string, redelivery: boolean): Delivery {
    const { guid, action, runId, runAttempt, body } = event
    const entry: Delivery = {
      id: FIRST_ID + entries.length,
      guid,
      hookId: hook.id,
      action,
      runId,
      runAttempt,
      redelivery,
      at: now(),
      status,
      statusCode: 0,
      headers: headersOf(hook, event),
      body,
    }
    entries.push(entry)
    return entry
  }

  function headersOf(hook: Hook, { guid, body }: HookEvent): Record<string, string> {
    return {
      accept: '*/*',
      'content-type': 'application/json',
      'user-agent': 'GitHub-Hookshot/simulated',
      'x-github-event': 'workflow_run',
      'x-github-delivery': guid,
      'x-github-hook-id': String(hook.id),
      'x-github-hook-installation-target-id': String(targetId),
      'x-github-hook-installation-target-type': 'repository',
      ...(hook.secret ? { 'x-hub-signature-256': signatureOf(body, hook.secret) } : {}),
      'x-simulated': 'true',
    }
  }

  return {
    entries,
    send: async (hook, event, redelivery = false) => {
      const { url } = hook
      const entry = note(hook, event, 'sending', redelivery)
      const { headers, body } = entry
      const ended = { ...entry, ...(await postWebhook({ url, headers, body, timeoutMs, signal: closing })) }
      entries[entries.indexOf(entry)] = ended
      return ended
    },
    dropped: (hook, event) => {
      note(hook, event, 'dropped', false)
    },
  }
}
