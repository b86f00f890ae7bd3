/** What somebody is told who does not get what he asked for: a page for a browser's window, else JSON. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { html } from '../../../shared/html.ts'
import { PAGE_SECURITY, page } from '../pages/layout.ts'

export interface Refusal {
  status: number
  title: string
  detail?: string
}

/** A window asks for a page; a script, curl or an image does not. */
export function wantsPage({ headers, method }: Pick<FastifyRequest, 'headers' | 'method'>): boolean {
  return (method === 'GET' || method === 'POST') && (headers.accept ?? '').includes('text/html')
}

export function sendRefusal(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, title, detail }: Refusal,
  simulated: boolean,
): FastifyReply {
  reply.code(status).header('cache-control', 'no-store')
  // `error` and `message` are what the Bull dashboard shows.
  if (!wantsPage(request))
    return reply
      .type('application/problem+json')
      .send(JSON.stringify({ type: 'about:blank', title, status, detail, error: title, message: detail }))
  const main = html`<h1>${title}</h1>${detail && html`<p>${detail}</p>`}<p><a href="/">To the board</a></p>`
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', PAGE_SECURITY)
    .send(page({ title, person: request.person, simulated }, main))
}
