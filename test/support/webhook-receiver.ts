/** Who is told of runs by webhooks: keeps what came, and answers as it is told to. */
import http from 'node:http'
import type { RunAction } from '../github-simulator/run-news.ts'
import type { Delivery, SimulatorOptions } from '../github-simulator/simulator.ts'
import { listening } from './listening.ts'
import { eventually, LONG, simulatorOf } from './simulator.ts'

export const SECRET = 'hook secret'

export interface Received {
  headers: http.IncomingHttpHeaders
  text: string
  payload: Payload
}

export interface Payload {
  action: RunAction
  workflow_run: Record<string, unknown> & { id: number; status: string; conclusion: string | null }
}

export interface WebhookReceiver {
  readonly url: string
  readonly received: readonly Received[]
  /** The status of the answers to come; 202 at first. */
  answers: number | 'never'
}

export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = []
  const receiver = { received, url: '', answers: 202 as WebhookReceiver['answers'] }
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    received.push({ headers: request.headers, text, payload: JSON.parse(text) })
    if (receiver.answers !== 'never')
      response.writeHead(receiver.answers, { location: '/again' }).end('thanks')
  })
  receiver.url = `${await listening(server)}/hook`
  return receiver
}

/** A simulator that tells a receiver of its runs, which are in progress at once and stay so. */
export async function simulatorWithWebhook(options: SimulatorOptions = {}) {
  const receiver = await openWebhookReceiver()
  const here = await simulatorOf({ ...LONG, webhooks: [{ url: receiver.url, secret: SECRET }], ...options })
  const { simulator } = here
  const told = () => receiver.received.map(({ payload }) => tellingOf(payload))
  /** Waits until so many deliveries are over. */
  const over = async (count: number): Promise<readonly Delivery[]> => {
    await eventually(() => simulator.deliveries.filter(({ status }) => status !== 'sending').length).toBe(
      count,
    )
    return simulator.deliveries
  }
  return { ...here, receiver, told, over }
}

export function tellingOf({ action, workflow_run: { status, conclusion } }: Payload): string {
  return `${action}: ${conclusion ?? status}`
}
