// The repository's webhooks: whom they tell of its runs, and how. What is told of one run follows in order, each after
// the answer to the one before, unless a fault says otherwise; between runs there is no order.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Addresses } from './addresses.ts'
import { createFaultQueue } from './fault-queue.ts'
import { REPOSITORY_ID } from './repository-object.ts'
import type { RunNews } from './run-news.ts'
import { checkedWebhook, type Settings, type WebhookConfig } from './settings.ts'
import { createDeliveries, type Delivery, type Hook, type HookEvent } from './webhook-deliveries.ts'
import type { WebhookFault } from './webhook-faults.ts'
import { webhookPayload } from './webhook-payload.ts'

export interface Webhooks {
  readonly deliveries: readonly Delivery[]
  /** @returns the hook's id */
  subscribe(hook: WebhookConfig): number
  tell(news: RunNews): void
  fault(fault: WebhookFault): void
  clearFaults(): void
  /** Sends the same body and guid again. @throws where no delivery has this id */
  redeliver(deliveryId: number): Promise<Delivery>
  /** Ends what is being sent or waits to be. */
  close(): Promise<void>
}

export interface WebhooksDeps {
  settings: Settings
  addresses(): Addresses
  now(): number
}

const FIRST_HOOK_ID = 442_000_001
const DEFAULT_DELAY_MS = 1000

export function createWebhooks({ settings, addresses, now }: WebhooksDeps): Webhooks {
  const closing = new AbortController()
  const deliveries = createDeliveries({
    targetId: REPOSITORY_ID,
    timeoutMs: settings.webhookTimeoutMs,
    now,
    closing: closing.signal,
  })
  const hooks: Hook[] = []
  const faults = createFaultQueue<WebhookFault>()
  const underWay = new Set<Promise<unknown>>()
  /** By run and hook: the last one to be sent, and what a fault holds back until the next one was. */
  const lastOf = new Map<string, Promise<unknown>>()
  const heldBack = new Map<string, HookEvent[]>()

  function deliver(hook: Hook, event: HookEvent, fault: WebhookFault | undefined): void {
    const key = `${event.runId}/${hook.id}`
    const send = () => deliveries.send(hook, event)
    if (fault?.kind === 'dropped') deliveries.dropped(hook, event)
    else if (fault?.kind === 'late') track(later(fault.delayMs ?? DEFAULT_DELAY_MS, send))
    else if (fault?.kind === 'swapped') inOrder(key, async () => heldBack.set(key, [...heldFor(key), event]))
    else {
      inOrder(key, async () => {
        await send()
        if (fault?.kind === 'twice') await send()
        const older = heldFor(key)
        heldBack.delete(key)
        for (const one of older) await deliveries.send(hook, one)
      })
    }
  }

  function heldFor(key: string): HookEvent[] {
    return heldBack.get(key) ?? []
  }

  function inOrder(key: string, step: () => Promise<unknown>): void {
    const next = (lastOf.get(key) ?? Promise.resolve()).then(() =>
      closing.signal.aborted ? undefined : step(),
    )
    lastOf.set(key, next)
    track(next)
  }

  async function later(delayMs: number, step: () => Promise<unknown>): Promise<void> {
    await delay(delayMs, undefined, { signal: closing.signal }).catch(() => {})
    if (!closing.signal.aborted) await step()
  }

  function track(promise: Promise<unknown>): void {
    underWay.add(promise)
    void promise.finally(() => underWay.delete(promise))
  }

  return {
    deliveries: deliveries.entries,
    subscribe: (hook) => {
      const id = FIRST_HOOK_ID + hooks.length
      hooks.push({ ...checkedWebhook(hook), id })
      return id
    },
    tell: (news) => {
      const { id: runId, runAttempt, inputs } = news.run
      const body = JSON.stringify(webhookPayload(news, settings, addresses()))
      const event: HookEvent = { guid: randomUUID(), action: news.action, runId, runAttempt, body }
      for (const hook of hooks) {
        const fault = faults.take((one) => applies(one, news.action, inputs))
        deliver(hook, event, fault)
      }
    },
    fault: faults.add,
    clearFaults: faults.clear,
    redeliver: (deliveryId) => {
      const old = deliveries.entries.find(({ id }) => id === deliveryId)
      const hook = hooks.find(({ id }) => id === old?.hookId)
      if (!old || !hook) throw new Error(`no delivery ${deliveryId}`)
      const sent = deliveries.send(hook, old, true)
      track(sent)
      return sent
    },
    close: async () => {
      closing.abort()
      await Promise.all(underWay)
    },
  }
}

function applies(
  { action, promotionId }: WebhookFault,
  told: RunNews['action'],
  inputs: Readonly<Record<string, string>>,
): boolean {
  return (
    (action === undefined || action === told) &&
    (promotionId === undefined || promotionId === inputs.promotion_id)
  )
}
