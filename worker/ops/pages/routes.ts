/** The pages for ops, each at its address, behind the guard that its caller has put around them. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { html } from '../../../shared/html.ts'
import type { Logger } from '../../../shared/logger.ts'
import type { Operate } from '../../../shared/operate.ts'
import type { Person } from '../log-in/person.ts'
import { sendRefusal } from '../log-in/refusal.ts'
import { auditPage } from './audit.ts'
import { type BoardDeps, board } from './board.ts'
import { type DeadLettersDeps, deadLetters } from './dead-letters.ts'
import { takeFlash } from './flash.ts'
import { page } from './layout.ts'
import { digestOf, liveRoute } from './live.ts'
import { orderRoutes } from './orders.ts'
import { type PromotionDeps, promotionPage } from './promotion.ts'
import { modelPage, type PromotionsDeps, promotionsPage, searchPage } from './promotions.ts'
import type { Shown, Viewer } from './shown.ts'

export interface PagesDeps {
  reader: BoardDeps['reader'] & PromotionDeps['reader'] & PromotionsDeps['reader']
  listing: BoardDeps['listing'] & PromotionsDeps['listing']
  desk: BoardDeps['desk'] & DeadLettersDeps['desk'] & PromotionsDeps['desk']
  audit: Parameters<typeof auditPage>[0]['audit']
  operate: Operate
  simulated: boolean
  log: Logger
}

type Query = Record<string, unknown>
/** Nothing: there is no such page. */
type Answer = Shown | { goTo: string } | undefined

const NOBODY: Person = { name: 'nobody', role: 'viewer' }

export async function pages(app: FastifyInstance, deps: PagesDeps): Promise<void> {
  const { simulated, log } = deps

  /** Each page by its path; an id stands in one. */
  async function shownAt(path: string, query: Query, viewer: Viewer): Promise<Answer> {
    switch (path) {
      case '/':
        return board(deps, viewer, query)
      case '/promotions':
        return promotionsPage(deps, query)
      case '/models':
        return modelPage(deps, viewer, query)
      case '/dead-letters':
        return deadLetters(deps, viewer, query)
      case '/search':
        return searchPage(deps, query)
      case '/audit':
        return auditPage(deps, query)
      default: {
        const [, id] = /^\/promotions\/([^/]+)$/.exec(path) ?? []
        return id === undefined ? undefined : promotionPage(deps, viewer, id)
      }
    }
  }

  async function show(request: FastifyRequest, reply: FastifyReply) {
    const { pathname, searchParams } = new URL(request.url, 'http://relay.invalid')
    const person = request.person ?? NOBODY
    const viewer = { person, path: request.url }
    const shown = await shownAt(pathname, Object.fromEntries(searchParams), viewer)
    if (!shown) return sendRefusal(request, reply, { status: 404, title: 'There is no such page' }, simulated)
    if ('goTo' in shown) return reply.redirect(shown.goTo, 303)
    const flash = takeFlash(request, reply)
    const main = html`${flash && html`<p class="note ${flash.tone}" role="${flash.tone === 'good' ? 'status' : 'alert'}" id="flash">${flash.text}.</p>`}${shown.main}`
    return reply
      .type('text/html; charset=utf-8')
      .send(page({ ...shown, person, simulated, live: digestOf(shown.data) }, main))
  }

  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const { statusCode = 500 } = error
    if (statusCode < 500)
      return sendRefusal(
        request,
        reply,
        { status: statusCode, title: 'The request can not be read' },
        simulated,
      )
    log.error({ err: error, url: request.routeOptions.url }, 'A page could not be shown')
    reply.header('retry-after', '5')
    const detail = 'The ledger can not be read, or written, now. Nothing is lost by it; try again soon.'
    return sendRefusal(
      request,
      reply,
      { status: 503, title: 'Redis can not be reached now', detail },
      simulated,
    )
  })

  for (const path of ['/', '/promotions', '/promotions/:id', '/models', '/dead-letters', '/search', '/audit'])
    app.get(path, show)
  orderRoutes(app, deps)
  liveRoute(app, {
    async dataOf(address, request) {
      const { pathname, searchParams } = new URL(address, 'http://relay.invalid')
      const viewer = { person: request.person ?? NOBODY, path: address }
      const shown = await shownAt(pathname, Object.fromEntries(searchParams), viewer)
      return shown && 'data' in shown ? shown.data : undefined
    },
  })
}
