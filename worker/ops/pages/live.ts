/**
 * Server-sent events: who looks at a page is told when what it shows has changed, and reads it anew. A page is looked
 * at once a second for all who look at it; nobody looks, nothing is done.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { nextPage } from '../log-in/next-page.ts'

const LOOK_EVERY_MS = 1_000
/** Proxies cut off what is silent. */
const SIGN_OF_LIFE_MS = 20_000
/** Pages that are looked at by all, and windows of one person. */
const MOST_PAGES = 200
const MOST_STREAMS = 500

interface Watched {
  streams: Set<FastifyReply['raw']>
  seen?: string
}

export interface LiveDeps {
  /** What the page at this path shows; undefined where there is none. @throws while it can't be told */
  dataOf(path: string, request: FastifyRequest): Promise<unknown>
}

export function liveRoute(app: FastifyInstance, { dataOf }: LiveDeps): void {
  const watched = new Map<string, Watched & { request: FastifyRequest }>()
  let streams = 0
  let timer: NodeJS.Timeout | undefined
  let ended = false

  async function look(path: string, page: Watched & { request: FastifyRequest }) {
    const data = await dataOf(path, page.request)
    const digest = createHash('sha256')
      .update(JSON.stringify(data) ?? '')
      .digest('hex')
    const { seen } = page
    page.seen = digest
    if (seen !== undefined && seen !== digest)
      for (const stream of page.streams) stream.write('event: changed\ndata: \n\n')
  }

  /** One after another: ever so many windows are no load on Redis. */
  async function round() {
    for (const [path, page] of watched) await look(path, page).catch(() => {})
    timer = watched.size > 0 && !ended ? setTimeout(round, LOOK_EVERY_MS) : undefined
  }

  app.addHook('preClose', async () => {
    ended = true
    clearTimeout(timer)
    for (const { streams: open } of watched.values()) for (const stream of open) stream.end()
  })

  app.get('/live', async (request: FastifyRequest<{ Querystring: { page?: unknown } }>, reply) => {
    const path = nextPage(request.query.page)
    if (streams >= MOST_STREAMS || (watched.size >= MOST_PAGES && !watched.has(path)))
      return reply.code(503).header('retry-after', '30').send({ error: 'Too many pages are followed' })
    const page = watched.get(path) ?? { streams: new Set(), request }
    watched.set(path, page)
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    raw.write('retry: 3000\nevent: following\ndata: \n\n')
    page.streams.add(raw)
    streams++
    const beat = setInterval(() => raw.write(': here\n\n'), SIGN_OF_LIFE_MS)
    raw.on('close', () => {
      clearInterval(beat)
      streams--
      page.streams.delete(raw)
      if (page.streams.size === 0) watched.delete(path)
    })
    if (!timer) timer = setTimeout(round, 0)
  })
}
