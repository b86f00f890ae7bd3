/**
 * Server-sent events: who looks at a page is told when what it shows has changed, and reads it anew. A page is looked
 * at once a second, for all who look at it, or less often where that takes long; nobody looks, nothing is done.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { nextPage } from '../log-in/next-page.ts'

const LOOK_EVERY_MS = 1_000
/** Proxies cut off what is silent. */
const SIGN_OF_LIFE_MS = 20_000
/** Somebody may have logged out meanwhile. */
const LONGEST_MS = 5 * 60_000
const MOST_PAGES = 200
/** Windows on one page. */
const MOST_STREAMS = 100

interface Watched {
  /** Of who looked at it first. */
  request: FastifyRequest
  /** By what each of them has seen. */
  streams: Map<FastifyReply['raw'], string>
}

export interface LiveDeps {
  /** What the page at this path shows; undefined where there is none. @throws while it can't be told */
  dataOf(path: string, request: FastifyRequest): Promise<unknown>
}

/** Of what a page shows: it goes with the page, and comes back with whoever follows it. */
export function digestOf(data: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(data) ?? '')
    .digest('base64url')
    .slice(0, 16)
}

export function liveRoute(app: FastifyInstance, { dataOf }: LiveDeps): void {
  const watched = new Map<string, Watched>()
  let timer: NodeJS.Timeout | undefined
  let ended = false

  async function look(path: string, { request, streams }: Watched) {
    const digest = digestOf(await dataOf(path, request))
    for (const [stream, seen] of streams) {
      if (seen === digest) continue
      streams.set(stream, digest)
      stream.write('event: changed\ndata: \n\n')
    }
  }

  /** One after another, and with pauses nine times as long as the looks: ever so many windows are no load. */
  async function round() {
    const began = performance.now()
    for (const [path, page] of watched) await look(path, page).catch(() => {})
    const pauseMs = Math.max(LOOK_EVERY_MS, 9 * (performance.now() - began))
    timer = watched.size > 0 && !ended ? setTimeout(round, pauseMs) : undefined
  }

  app.addHook('preClose', async () => {
    ended = true
    clearTimeout(timer)
    for (const { streams } of watched.values()) for (const stream of streams.keys()) stream.end()
  })

  app.get(
    '/live',
    async (request: FastifyRequest<{ Querystring: { page?: unknown; seen?: unknown } }>, reply) => {
      const path = nextPage(request.query.page)
      const page = watched.get(path) ?? { streams: new Map(), request }
      if (page.streams.size >= MOST_STREAMS || (watched.size >= MOST_PAGES && !watched.has(path)))
        return reply.code(503).header('retry-after', '30').send({ error: 'Too many pages are followed' })
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
      page.streams.set(raw, String(request.query.seen))
      const beat = setInterval(() => raw.write(': here\n\n'), SIGN_OF_LIFE_MS)
      // Who may see the page is looked at again when it comes back, which it does by itself.
      const over = setTimeout(() => raw.end(), LONGEST_MS)
      raw.on('close', () => {
        clearInterval(beat)
        clearTimeout(over)
        page.streams.delete(raw)
        if (page.streams.size === 0) watched.delete(path)
      })
      timer ??= setTimeout(round, 0)
    },
  )
}
