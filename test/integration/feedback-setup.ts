// A relay with all three sinks, each a real server beside it.
import { randomBytes } from 'node:crypto'
import type { Job } from 'bullmq'
import { Webhook } from 'standardwebhooks'
import { expect } from 'vitest'
import type { Environment } from '../../shared/config.ts'
import { feedbackJobId } from '../../shared/queues.ts'
import type { SinkName } from '../../worker/feedback/sink.ts'
import { PAUSES, type Pauses } from '../../worker/pauses.ts'
import { openMlflow, openReceiver, type Received } from '../support/receiver.ts'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

export const CHAT_PATH = '/services/T0001/B0001/sentinel-of-the-chat-0001'
export const MLFLOW_TOKEN = 'sentinel-of-mlflow-0002'

export const signingSecret = () => `whsec_${randomBytes(32).toString('base64')}`

/** Quick, and so many retries that they are over soon. */
export const SWIFT: Pauses['feedback'] = { ...PAUSES.feedback, drainMs: 20, retryMs: 1, busyMs: 10 }

export async function openSinks() {
  const [mlflow, webhook, chat] = await Promise.all([openMlflow(), openReceiver(), openReceiver()])
  const secret = signingSecret()
  const env: Environment = {
    MLFLOW_FEEDBACK: 'true',
    MLFLOW_TRACKING_URI: mlflow.url,
    MLFLOW_TRACKING_TOKEN: MLFLOW_TOKEN,
    MLFLOW_DEPLOYED_ALIAS: 'deployed-{environment}',
    FEEDBACK_WEBHOOK_URL: `${webhook.url}/hook?of=relay`,
    FEEDBACK_WEBHOOK_SECRET: secret,
    FEEDBACK_ALLOW_PRIVATE: 'true',
    CHAT_WEBHOOK_URL: `${chat.url}${CHAT_PATH}`,
  }
  return { mlflow, webhook, chat, secret, env }
}

export async function setup(options: RelayOptions = {}) {
  const sinks = await openSinks()
  const relay = await startRelay({
    ...options,
    env: { ...sinks.env, ...options.env },
    pauses: { feedback: SWIFT, ...options.pauses },
  })
  return { ...sinks, relay }
}

/** The event, once its signature is found good by the library of the standard. */
export function verified(secret: string, { text, headers }: Received) {
  const event = new Webhook(secret).verify(text, headers) as {
    id: string
    type: string
    data: { customData: { promotion: Record<string, unknown> } }
  }
  expect(headers['webhook-id']).toBe(event.id)
  return event
}

export function textOf({ text }: Received): string {
  return JSON.parse(text).text
}

/** Waits until nothing is left to tell: neither in the outbox nor in the queue. */
export async function told(relay: Relay): Promise<void> {
  await relay.idle()
  await until('everything is told', async () => {
    if ((await relay.redis.zcard('{relay:0}:news')) > 0) return false
    const counts = await relay.queues.feedback.getJobCounts('waiting', 'active', 'delayed')
    return Object.values(counts).every((jobs) => jobs === 0)
  })
}

/** Waits until the telling has failed for good. */
export function failed(relay: Relay, sink: SinkName, news: string): Promise<Job> {
  const jobId = feedbackJobId(sink, news)
  return until(`${jobId} is under Failed`, async () => {
    const state = await relay.queues.feedback.getJobState(jobId)
    return state === 'failed' && relay.queues.feedback.getJob(jobId)
  })
}
