// One POST of an event, as GitHub makes it: signed over the body's bytes, on a connection of its own, no redirect
// followed, ten seconds for an answer, never repeated by itself.
import { createHmac } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'

export interface WebhookPost {
  url: string
  headers: Record<string, string>
  body: string
  timeoutMs: number
  /** Gives it up. */
  signal: AbortSignal
}

export interface PostEnd {
  /** 0 where no answer came. */
  statusCode: number
  /** As GitHub's list of deliveries says it: `OK`, or what went wrong. */
  status: string
}

export function postWebhook({ url, headers, body, timeoutMs, signal }: WebhookPost): Promise<PostEnd> {
  const tooLate = AbortSignal.timeout(timeoutMs)
  const { request } = url.startsWith('https:') ? https : http
  return new Promise((resolve) => {
    const sending = request(url, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.any([tooLate, signal]),
    })
    const failed = () =>
      resolve({ statusCode: 0, status: tooLate.aborted ? 'timed out' : 'failed to connect to host' })
    sending.on('error', failed)
    sending.on('response', (response) => {
      const { statusCode = 0 } = response
      const isOk = statusCode >= 200 && statusCode < 300
      response.on('error', failed)
      response.on('end', () =>
        resolve({ statusCode, status: isOk ? 'OK' : `Invalid HTTP Response: ${statusCode}` }),
      )
      response.resume()
    })
    sending.end(body)
  })
}

/** The value of `X-Hub-Signature-256`: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}
