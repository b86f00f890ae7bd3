// The description of the API: of every route and of nothing else, valid, and a page that needs nothing from elsewhere.
// Each answer that the other HTTP tests get is held to it, in `http-setup.ts`.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findChromium, NO_CHROMIUM, openBrowser, person } from '../support/browser.ts'
import { mustBeDescribed } from '../support/described.ts'
import { setup } from './http-setup.ts'

interface Route {
  method: string
  path: string
  scope: string | undefined
}

/** Every route of the server, told by fastify itself as it is made. */
async function setupWithRoutes() {
  const routes: Route[] = []
  const listen = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url, config }) => {
      const path = url
        .replaceAll('::', '\0')
        .replaceAll(/:(\w+)/g, '{$1}')
        .replaceAll('\0', ':')
      for (const name of [method].flat()) routes.push({ method: name, path, scope: config?.scope })
    })
  }
  subscribe('fastify.initialization', listen)
  onTestFinished(() => void unsubscribe('fastify.initialization', listen))
  const api = await setup()
  const { body } = await api.call('GET', '/openapi.json', { token: null })
  return { api, document: body, routes }
}

const PAGES =
  /^\/((queues|assets|promotions|targets|circuits)(\/.*)?|log-(in|out)|audit|dead-letters|live|models|search)?$/

describe('the description', () => {
  test('is of every route, with the scope that it asks for, and of no other', async () => {
    const { document, routes } = await setupWithRoutes()
    // Pages are for people, and the dashboard has an API of its own behind it.
    const ours = routes.filter(({ method, path }) => method !== 'HEAD' && !PAGES.test(path))
    const described = Object.entries<Record<string, { security?: [{ token: string[] }] }>>(
      document.paths,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, { security }]) => `${method.toUpperCase()} ${path} ${security?.[0].token[0] ?? ''}`,
      ),
    )
    const there = ours.map(({ method, path, scope = '' }) => `${method} ${path} ${scope}`)
    expect(there.length).toBeGreaterThan(10)
    expect(described.toSorted()).toEqual(there.toSorted())
  })

  test('is valid OpenAPI 3.1', async () => {
    const { document } = await setupWithRoutes()
    const result = await new Validator().validate(document)
    expect([document.openapi, result.errors, result.valid]).toEqual(['3.1.0', undefined, true])
  })

  test('is what answers are held to', () => {
    const answer = (status: number, body: unknown, type = 'application/json') => ({
      status,
      headers: new Headers({ 'content-type': type }),
      body,
    })
    const check = (one: ReturnType<typeof answer>) => () => mustBeDescribed('GET', '/healthz?x=1', one)
    expect(check(answer(200, { status: 'ok' }))).not.toThrow()
    expect(check(answer(200, { status: 'ok', more: 1 }))).toThrow('additional properties')
    expect(check(answer(200, {}))).toThrow("must have required property 'status'")
    expect(check(answer(500, {}))).toThrow('which is not described')
    expect(check(answer(200, '', 'text/plain'))).toThrow('as text/plain')
    const unready = { status: 'unavailable', reason: 'x' }
    expect(() => mustBeDescribed('GET', '/readyz', answer(503, unready))).toThrow('without Retry-After')
  })
})

describe('its page', () => {
  test.skipIf(!findChromium())(
    `shows every route and schema, by itself (${NO_CHROMIUM} if skipped)`,
    async () => {
      const { api, document } = await setupWithRoutes()
      const browser = await openBrowser(findChromium() ?? '', onTestFinished)
      const page = await (await person(browser, api.url)).newPage()
      const [faults, asked]: [string[], string[]] = [[], []]
      page.on('console', (message) => faults.push(message.text()))
      page.on('request', (request) => asked.push(request.url()))
      await page.goto('/docs')

      for (const [path, methods] of Object.entries<Record<string, { operationId: string }>>(document.paths)) {
        for (const [method, { operationId }] of Object.entries(methods)) {
          const heading = (await page.locator(`#${operationId}`).textContent()) ?? ''
          expect(heading.replaceAll(/\s+/g, ' ')).toContain(`${method.toUpperCase()} ${path}`)
        }
      }
      await page.getByRole('navigation').getByRole('link', { name: 'PromotionRequest' }).click()
      expect(await page.locator('#PromotionRequest + table').textContent()).toContain('model')
      const hrefs = await page
        .locator('a[href^="#"]')
        .evaluateAll((links) => links.map((link) => String(link.getAttribute('href'))))
      const counts = await Promise.all([...new Set(hrefs)].map((href) => page.locator(href).count()))
      expect([counts.length > 20, new Set(counts)]).toEqual([true, new Set([1])])
      expect([faults, asked]).toEqual([[], [`${api.url}/docs`]])
    },
  )
})
