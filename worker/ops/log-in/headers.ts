/** Headers that every page and answer has. */
import type { FastifyReply } from 'fastify'

const USUAL = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // A form's Origin stays whole within our pages, and no other site learns their addresses.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
}

const A_YEAR_S = 365 * 24 * 3600

export function setUsualHeaders(reply: FastifyReply, { isTls }: { isTls: boolean }): void {
  reply.headers(USUAL)
  if (isTls) reply.header('strict-transport-security', `max-age=${A_YEAR_S}`)
}
