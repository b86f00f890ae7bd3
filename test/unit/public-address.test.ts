// Which addresses news may be sent to, in every form in which one can be written or answered for a name.
import { expect, test } from 'vitest'
import {
  isPublic,
  publicLookup,
  RefusedAddress,
  refuseLiteral,
} from '../../worker/feedback/public-address.ts'

test.each([
  '8.8.8.8',
  '140.82.121.4',
  '2606:4700::1111',
  '2a00:1450:4001:81b::200e',
  '::ffff:8.8.8.8',
  // NAT64, of a public one.
  '64:ff9b::808:808',
])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true)
})

test.each([
  [
    'loopback',
    ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::7f00:1'],
  ],
  ['unspecified', ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0']],
  ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '::ffff:10.0.0.1']],
  ['a carrier', ['100.64.0.1', '100.127.255.255']],
  ['link-local and metadata', ['169.254.169.254', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.169.254']],
  ['unique local, site-local', ['fc00::1', 'fd12:3456::1', 'fec0::1', 'fd00:ec2::254']],
  [
    'translated',
    ['64:ff9b::7f00:1', '64:ff9b::a00:1', '64:ff9b:1::808:808', '::ffff:0:10.0.0.1', '2002:a00:1::'],
  ],
  ['a tunnel', ['2001::1']],
  [
    'reserved',
    ['192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '240.0.0.1', '2001:db8::1'],
  ],
  ['multicast, broadcast', ['224.0.0.1', '255.255.255.255', 'ff02::1']],
  ['not given out', ['4000::1', '5f00::1', '100::1']],
  ['none at all', ['', 'localhost', '10.0.0', '1.2.3.4.5', '::g']],
])('what is %s is not', (_, addresses) => {
  expect(addresses.filter(isPublic)).toEqual([])
})

test.each([
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://0/',
  'http://[::1]/',
  'http://[::ffff:10.0.0.1]/',
  'http://[fd00::1]:8080/',
])('%s is refused: in the place of a name, nothing looks it up', (url) => {
  expect(() => refuseLiteral(new URL(url))).toThrow(RefusedAddress)
})

test('names and public addresses are not refused before they are looked up', () => {
  for (const url of [
    'https://localhost/',
    'https://example.com/',
    'https://8.8.8.8/',
    'https://[2606:4700::1]/',
  ])
    refuseLiteral(new URL(url))
})

type Addresses = { address: string; family: number }[]

/** Looks a name up that is answered by these addresses; what the connection gets. */
function looked(addresses: Addresses | Error, all: boolean) {
  const answering = (_: string, __: object, done: (error: Error | null, found?: Addresses) => void) =>
    addresses instanceof Error ? done(addresses) : done(null, addresses)
  return new Promise((resolve) =>
    publicLookup(answering as never)('example.com', { all }, (error, found, family) =>
      resolve(error ?? (all ? found : [found, family])),
    ),
  )
}
const GOOD = { address: '8.8.8.8', family: 4 }

test('the connection gets the addresses that were checked', async () => {
  expect(await looked([GOOD, { address: '2606:4700::1', family: 6 }], true)).toHaveLength(2)
  expect(await looked([GOOD], false)).toEqual(['8.8.8.8', 4])
})

test('one address that is not public refuses the name; so does none, and a fault is told as it is', async () => {
  const bad = { address: '::ffff:10.0.0.1', family: 6 }
  for (const all of [true, false]) {
    expect(await looked([GOOD, bad], all)).toBeInstanceOf(RefusedAddress)
    expect(await looked([], all)).toBeInstanceOf(RefusedAddress)
    expect(await looked(new Error('ENOTFOUND'), all)).toMatchObject({ message: 'ENOTFOUND' })
  }
})
