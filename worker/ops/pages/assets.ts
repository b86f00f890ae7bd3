/** Style, script and sign of the pages: read once, their addresses change with what is in them. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

const TYPES = {
  'style.css': 'text/css; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

export type AssetName = keyof typeof TYPES

const A_YEAR_S = 365 * 24 * 3600

const assets = new Map(
  (Object.keys(TYPES) as AssetName[]).map((name) => {
    const body = readFileSync(new URL(`./assets/${name}`, import.meta.url), 'utf8')
    const digest = createHash('sha256').update(body).digest('hex').slice(0, 12)
    return [name, { body, url: `/assets/${digest}/${name}` }] as const
  }),
)

export function assetUrl(name: AssetName): string {
  return assets.get(name)?.url ?? ''
}

/** Nobody has to be logged in for them: they say nothing. */
export function assetRoutes(app: FastifyInstance): void {
  for (const [name, { url, body }] of assets) {
    app.get(url, async (_request, reply) =>
      reply
        .type(TYPES[name])
        .header('cache-control', `public, max-age=${A_YEAR_S}, immutable`)
        .header('x-content-type-options', 'nosniff')
        .send(body),
    )
  }
}
