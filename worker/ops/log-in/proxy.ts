/**
 * A proxy that people come through. What it says is believed only where the other end of the connection is one of
 * the named addresses, never because a header such as X-Forwarded-For says so.
 */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { createIsWithin } from '../../../shared/address-range.ts'
import type { Person } from './person.ts'

export interface ProxySettings {
  /** Addresses and CIDRs. */
  trusted: readonly string[]
  /** The header in which it names who is logged in there; without one it logs nobody in. */
  userHeader?: string | undefined
  /** Who of them may change things. */
  operators: readonly string[]
}

/** How a request came here, as far as can be known. */
export interface Arrival {
  /** What the browser has in its address bar, e.g. relay.example.com:8443. */
  host: string
  /** The browser speaks TLS. Not known, and false, where a proxy ends it that is not trusted. */
  isTls: boolean
  /** The browser's, as a trusted proxy has seen it; else that of the other end. */
  address: string
  /** Whom a trusted proxy has logged in. */
  person?: Person
}

export type Arrive = (request: FastifyRequest) => Arrival

export function createArrive({ trusted, userHeader, operators }: ProxySettings): Arrive {
  const isTrusted = createIsWithin(trusted)
  return ({ headers, socket }) => {
    const peer = socket.remoteAddress ?? ''
    const own = {
      host: headers.host ?? '',
      isTls: 'encrypted' in socket && socket.encrypted === true,
      address: peer,
    }
    if (!isTrusted(peer)) return own
    const said = (name: string) => onlyText(headers[name])
    const name = userHeader === undefined ? undefined : said(userHeader.toLowerCase())
    return {
      host: said('x-forwarded-host') ?? own.host,
      isTls: own.isTls || said('x-forwarded-proto')?.toLowerCase() === 'https',
      address: firstStranger(said('x-forwarded-for')) ?? peer,
      ...(name !== undefined &&
        NAME.test(name) && {
          person: { name, role: operators.includes(name) ? ('operator' as const) : ('viewer' as const) },
        }),
    }
  }

  /** Each proxy adds whom it has seen at the end; what stands before the first that is not ours, anybody may write. */
  function firstStranger(forwardedFor: string | undefined): string | undefined {
    const hops = forwardedFor?.split(',').map((hop) => hop.trim())
    const stranger = hops?.findLast((hop) => !isTrusted(hop))
    return stranger !== undefined && isIP(stranger) !== 0 ? stranger : undefined
  }
}

/** Two headers of a name come joined by a comma: then it is not the proxy's alone. */
const NAME = /^[\x21-\x2b\x2d-\x7e](?:[\x20-\x2b\x2d-\x7e]{0,198}[\x21-\x2b\x2d-\x7e])?$/

function onlyText(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? undefined : header?.trim()
  return text === '' ? undefined : text
}
