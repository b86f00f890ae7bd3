/** Whether a request comes from our own pages: browsers say so, and other sites can't make them say otherwise. */
import type { FastifyRequest } from 'fastify'
import type { Arrival } from './proxy.ts'

/** `unsaid`: no browser of this decade; whoever sends this adds his log-in himself, or has none. */
export type Origin = 'own' | 'foreign' | 'unsaid'

export function originOf({ headers }: Pick<FastifyRequest, 'headers'>, { host, isTls }: Arrival): Origin {
  const { 'sec-fetch-site': site, origin } = headers
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'foreign'
  if (origin !== undefined) return isOf(origin, host, isTls) ? 'own' : 'foreign'
  return site === undefined ? 'unsaid' : 'own'
}

function isOf(origin: string, host: string, isTls: boolean): boolean {
  const from = URL.parse(origin)
  if (!from || (from.protocol !== 'https:' && (from.protocol !== 'http:' || isTls))) return false
  // The port that a scheme has by itself is in one and not in the other.
  return from.host === URL.parse(`${from.protocol}//${host}`)?.host
}
