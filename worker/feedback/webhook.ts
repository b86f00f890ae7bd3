/**
 * A webhook of the user's own, signed as https://www.standardwebhooks.com has it: the same id over all retries, the
 * time of the attempt, and with two secrets, while one takes the other's place, two signatures.
 */
import { createHmac } from 'node:crypto'
import { type Secret, secretsIn } from '../../shared/secret.ts'
import { bodyFor } from './cd-event.ts'
import type { News } from './news.ts'
import { type Post, type Reply, toldFrom } from './post.ts'
import type { Sink } from './sink.ts'

export interface WebhookDeps {
  url: string
  secret: Secret
  publicOnly: boolean
  withinMs: number
  wants(news: News): boolean
  post(call: Post): Promise<Reply>
  now(): number
}

export function createWebhook(deps: WebhookDeps): Sink {
  const { url, secret, publicOnly, withinMs, wants, post, now } = deps
  return {
    name: 'webhook',
    wants,
    address: () => url,
    async tell(news, signal) {
      const body = bodyFor(news)
      const timestamp = Math.floor(now() / 1000)
      const headers = {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'webhook-id': news.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signatures(secretsIn(secret.read()), `${news.id}.${timestamp}.${body}`),
      }
      const reply = await post({ url, headers, body, withinMs, signal, publicOnly })
      if (reply.kind === 'answered' && reply.status === 410)
        return { kind: 'gone', why: 'answered 410: nothing is sent to this address any more' }
      return toldFrom(reply)
    },
  }
}

function signatures(secrets: readonly string[], signed: string): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
      return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
    })
    .join(' ')
}
