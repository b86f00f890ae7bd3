/**
 * Is an address one of the public Internet? Whoever can set where news go, or answer for a name in the DNS, must not
 * reach what is inside: loopback, link-local (also a cloud's metadata), private and carrier networks, in every form
 * that IPv6 has for them.
 */
import { lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

export class RefusedAddress extends Error {
  readonly code = 'REFUSED_ADDRESS'
  constructor(host: string) {
    super(`${host} is no public address (FEEDBACK_ALLOW_PRIVATE)`)
  }
}

export function isPublic(address: string): boolean {
  if (isIP(address) === 0) return false
  // Also of an IPv4 address within IPv6 (::ffff:10.0.0.1).
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast'
  const [first = 0, second = 0, ...rest] = parsed.parts
  // NAT64's own prefix, 64:ff9b::/96: the IPv4 address at its end is where it leads.
  if (first === 0x64 && second === 0xff9b && rest.slice(0, 4).every((part) => part === 0)) {
    const bytes = parsed.toByteArray().slice(12)
    return isPublic(bytes.join('.'))
  }
  // 2000::/3 is all that is given out; below it lie forms such as ::127.0.0.1.
  return parsed.range() === 'unicast' && (first & 0xe000) === 0x2000
}

/** @throws RefusedAddress for an address in the place of a name: nothing looks that one up. */
export function refuseLiteral(url: URL): void {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) !== 0 && !isPublic(host)) throw new RefusedAddress(host)
}

/**
 * The connection's own name resolution: what was checked is what is connected to, so that a name that is answered
 * differently the next time passes nothing. One address that is not public refuses the name.
 */
export function publicLookup(lookup: typeof systemLookup = systemLookup): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '')
      const [first] = addresses
      if (!first || addresses.some(({ address }) => !isPublic(address)))
        return done(new RefusedAddress(hostname), '')
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }
}
