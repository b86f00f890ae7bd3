// What the log-in of ops stands on: hashes of passwords, lines of people, addresses of proxies, counting of tries.
import { describe, expect, test } from 'vitest'
import { createIsWithin, isAddressRange } from '../../shared/address-range.ts'
import { fitsHash, hashPassword, newUserLine, parseUsers } from '../../shared/ops-users.ts'
import { createAttempts } from '../../worker/ops/log-in/attempts.ts'

describe('a hash', () => {
  test('fits its password alone, is another each time, and holds what it costs', async () => {
    const [one, other] = [await hashPassword('a password of vera'), await hashPassword('a password of vera')]
    expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(one).not.toBe(other)
    expect(await fitsHash('a password of vera', one)).toBe(true)
    expect(await fitsHash('a password of Vera', one)).toBe(false)
    expect(await fitsHash('', one)).toBe(false)
  })

  test('fits the same letters typed on another keyboard', async () => {
    expect(await fitsHash('pässwörd of vera'.normalize('NFD'), await hashPassword('pässwörd of vera'))).toBe(
      true,
    )
  })

  test('made elsewhere with other costs fits too', async () => {
    // Python: hashlib.scrypt(b'correct horse battery', salt=b'0123456789abcdef', n=2**14, r=8, p=1, dklen=32)
    const salt = Buffer.from('0123456789abcdef').toString('base64').replace(/=+$/, '')
    const hash = 'ebnHHTApWa0oNoXTYCCHxLXDaejcvcTRQhZaD1OJNCE'
    expect(await fitsHash('correct horse battery', `$scrypt$ln=14,r=8,p=1$${salt}$${hash}`)).toBe(true)
  })

  test.each([
    ['too cheap', 'ln=10,r=8,p=1'],
    ['dearer than the machine can bear', 'ln=25,r=8,p=1'],
    ['without end', 'ln=99,r=99,p=99'],
    ['without costs', 'ln=,r=,p='],
  ])('%s is none, and fits nothing', async (_what, costs) => {
    const [, , , ...rest] = (await hashPassword('a password of vera')).split('$')
    const hash = ['', 'scrypt', costs, ...rest].join('$')
    expect(await fitsHash('a password of vera', hash)).toBe(false)
    expect(parseUsers(`vera viewer ${hash}`).problems).toEqual([
      'line 1 has no hash: `promotion-relay user` makes the line',
    ])
  })
})

test('of a file of people every good line counts, and no problem tells the text of a bad one', async () => {
  const line = await newUserLine('vera@example.com', 'viewer', 'a password of vera')
  const [, , hash] = line.split(' ')
  const { users, problems } = parseUsers(
    `# people\r\n\r\n${line}\r\n  otto   operator\t${hash}\nvera@example.com operator ${hash}\n<b>sentinel viewer ${hash}\nsentinel root ${hash}\nsentinel viewer ${hash} more`,
  )
  expect(users.map(({ name, role }) => [name, role])).toEqual([
    ['vera@example.com', 'viewer'],
    ['otto', 'operator'],
  ])
  expect(problems.map((text) => text.slice(0, 15))).toEqual([
    'line 5 has the ',
    'line 6 has no n',
    'line 7 has no r',
    'line 8 is not `',
  ])
  expect(problems.join()).not.toContain('sentinel')
})

describe('an address', () => {
  test.each([
    ['10.0.0.7', '10.0.0.7', true],
    ['10.0.0.7', '10.0.0.8', false],
    ['10.0.0.0/8', '10.255.1.2', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['fd00::/8', 'fd12::1', true],
    ['fd00::/8', '10.0.0.1', false],
    ['::1', '::1', true],
    ['10.0.0.0/8', 'a name', false],
    ['10.0.0.0/8', '', false],
  ])('within %s: %s is %s', (range, address, isWithin) => {
    expect(createIsWithin([range])(address)).toBe(isWithin)
  })

  test.each(['10', '0x7f.1', '10.0.0.0/33', '10.0.0', 'localhost', '10.0.0.1:80', '', '::1/129'])(
    '%j is none',
    (text) => {
      expect(isAddressRange(text)).toBe(false)
    },
  )
})

describe('tries', () => {
  test('are so many in a window, and one that is given back does not count', () => {
    let now = 0
    const attempts = createAttempts({ max: 2, windowMs: 60_000, now: () => now })
    expect([attempts.take('a'), attempts.take('a'), attempts.take('a')]).toEqual([undefined, undefined, 60])
    attempts.giveBack('a')
    expect([attempts.take('a'), attempts.take('a'), attempts.take('b')]).toEqual([undefined, 60, undefined])
    now = 45_500
    expect(attempts.take('a')).toBe(15)
    now = 60_000
    expect(attempts.take('a')).toBeUndefined()
  })
})
