/** Addresses and ranges of them (CIDR), of IPv4 and IPv6. */
import ipaddr from 'ipaddr.js'

type Range = [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

export function isAddressRange(text: string): boolean {
  return rangeFrom(text) !== undefined
}

/** @param ranges each an address such as 10.0.0.7, or a range such as 10.0.0.0/8 */
export function createIsWithin(ranges: readonly string[]): (address: string | undefined) => boolean {
  const parsed = ranges.map(rangeFrom).filter((range) => range !== undefined)
  return (address) => {
    if (address === undefined || parsed.length === 0 || !ipaddr.isValid(address)) return false
    // An IPv4 address comes within IPv6 where a server listens to both: ::ffff:10.0.0.7.
    const one = ipaddr.process(address)
    return parsed.some(([network, bits]) => network.kind() === one.kind() && one.match(network, bits))
  }
}

function rangeFrom(text: string): Range | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  // The library takes 10 and 0x7f.1 for addresses, too.
  if (!ipaddr.IPv6.isValid(text) && !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
