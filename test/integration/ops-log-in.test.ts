// Who gets in at the pages for ops, by form, by Basic and through a proxy; and who does not, whatever they send.
import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAudit } from '../../shared/ledger/audit.ts'
import { newUserLine } from '../../shared/ops-users.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { temporaryDir } from '../support/up.ts'
import { type Api, OPS_PASSWORD, type Reply, setup, TOKEN } from './http-setup.ts'
import { basic, cookieOf, HTML, logIn, logInForm, ownPage, usersFile } from './ops-setup.ts'

const VERA = 'a password of vera'
const OTTO = 'a password of otto'
const PAGE = '/queues'
const CHANGE = '/queues/api/queues/promotions/pause'

async function withPeople(env: object = {}) {
  const people = await usersFile([
    ['vera', 'viewer', VERA],
    ['otto', 'operator', OTTO],
  ])
  const server = await setup({ env: { OPS_USERS_FILE: people.file, ...env } })
  return { server, people }
}

const isPaused = (server: Api) => server.queue.isPaused()
const sessions = (server: Api) => server.redis.keys(`${KEY_PREFIX}:session:*`)
const deeds = async (server: Api) => (await createAudit({ redis: server.redis }).newest(50)).deeds

describe('without a log-in', () => {
  test.each(['/queues', '/queues/queue/promotions?status=failed'])(
    'a browser’s window at %s is sent to the form, and back after it',
    async (where) => {
      const server = await setup()
      const sent = await server.call('GET', where, { token: null, headers: HTML })
      const form = sent.headers.get('location') ?? ''
      expect([sent.status, form]).toEqual([303, `/log-in?next=${encodeURIComponent(where)}`])
      const shown = await server.call('GET', form, { token: null, headers: HTML })
      expect(shown.status).toBe(200)
      expect(shown.text).toContain(`name="next" value="${where.replaceAll('&', '&amp;')}"`)
      const reply = await logInForm(server, { user: 'ops', password: OPS_PASSWORD, next: where })
      expect([reply.status, reply.headers.get('location')]).toEqual([303, where])
    },
  )

  const wrong: [what: string, headers: Record<string, string>][] = [
    ['nothing', {}],
    ['a wrong password', basic('ops', 'wrong')],
    ['a wrong user', basic('root', OPS_PASSWORD)],
    ['an empty password', basic('ops', '')],
    ['the token of the API', { authorization: `Bearer ${TOKEN}` }],
    ['no base64', { authorization: 'Basic %%%' }],
    ['a session that nobody has', { cookie: `relay_session=${'A'.repeat(43)}` }],
    ['a session id with tricks', { cookie: 'relay_session=../../target' }],
    ['an empty session', { cookie: 'relay_session=' }],
    ['the name of a header that no proxy sets here', { 'x-forwarded-user': 'ops' }],
  ]
  test.each(wrong)('%s is answered with 401, and changes nothing', async (_what, headers) => {
    const server = await setup()
    for (const [method, where] of [
      ['GET', '/queues/'],
      ['GET', '/queues/api/queues'],
      ['GET', '/queues/static/favicon.ico'],
      ['PUT', CHANGE],
    ] as const) {
      const reply = await server.call(method, where, {
        token: null,
        headers: { ...headers, ...ownPage(server) },
      })
      expect([where, reply.status, reply.body.title]).toEqual([where, 401, 'A log-in is needed'])
      // Else a browser would ask for a password by itself, and send it along from then on.
      expect(reply.headers.get('www-authenticate')).toBeNull()
    }
    expect(await isPaused(server)).toBe(false)
  })

  test('it does not open the API, nor the token of the API these pages', async () => {
    const server = await setup()
    const { cookie } = await logIn(server, 'ops', OPS_PASSWORD)
    for (const headers of [{ cookie }, basic('ops', OPS_PASSWORD)]) {
      expect((await server.call('GET', '/v1/promotions', { token: null, headers })).status).toBe(401)
    }
  })
})

describe('the form', () => {
  test('gives a cookie that no script reads and no other site sends, and opens the dashboard', async () => {
    const server = await setup()
    const reply = await logInForm(server, { user: 'ops', password: OPS_PASSWORD })
    const [cookie = ''] = reply.headers.getSetCookie()
    expect(cookie).toMatch(/^relay_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
    const page = await server.call('GET', PAGE, {
      token: null,
      headers: { cookie: cookieOf(reply), ...HTML },
    })
    expect(page.status).toBe(200)
    expect(page.headers.get('cache-control')).toBe('no-store')
  })

  test('says the same of a wrong name and of a wrong password', async () => {
    const { server } = await withPeople()
    const replies = [
      await logInForm(server, { user: 'vera', password: 'not hers at all' }),
      await logInForm(server, { user: 'ops', password: 'not hers at all' }),
      await logInForm(server, { user: 'vira', password: 'not hers at all' }),
    ]
    const words = replies.map(({ status, text }) => [
      status,
      text.replaceAll(/value="(vera|ops|vira)"/g, ''),
      text.includes('Name or password is wrong.'),
    ])
    expect(words).toEqual([words[0], words[0], words[0]])
    expect(words[0]?.[0]).toBe(401)
    expect(replies.flatMap(({ headers }) => headers.getSetCookie())).toEqual([])
  })

  test('Redis keeps a digest of the session, not the session, and nothing of the password', async () => {
    const server = await setup()
    const { cookie } = await logIn(server, 'ops', OPS_PASSWORD)
    const [key = ''] = await sessions(server)
    const kept = `${key} ${await server.redis.get(key)}`
    expect(kept).not.toContain(cookie.split('=')[1])
    expect(kept).not.toContain(OPS_PASSWORD)
    expect(await server.redis.pttl(key)).toBeGreaterThan(11 * 3_600_000)
    expect(await server.redis.pttl(key)).toBeLessThanOrEqual(12 * 3_600_000)
  })

  test('a log-in ends the session that the browser had, and makes another', async () => {
    const server = await setup()
    const first = await logIn(server, 'ops', OPS_PASSWORD)
    const again = await logInForm(
      server,
      { user: 'ops', password: OPS_PASSWORD },
      { ...ownPage(server), cookie: first.cookie },
    )
    expect(cookieOf(again)).not.toBe(first.cookie)
    expect((await first.get(PAGE)).status).toBe(401)
    expect(await sessions(server)).toHaveLength(1)
  })

  test.each<[what: string, headers: Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['nowhere', {}],
  ])('sent from %s logs nobody in, though name and password are right', async (_what, headers) => {
    const server = await setup()
    const reply = await logInForm(server, { user: 'ops', password: OPS_PASSWORD }, headers)
    expect(reply.status).toBe(403)
    expect(reply.headers.getSetCookie()).toEqual([])
    expect(await sessions(server)).toEqual([])
  })

  const ELSEWHERE = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '/..//evil.example',
    '/.//evil.example/x',
    '/\t/evil.example',
    'javascript:alert(1)',
    'queues',
    '/log-out',
    '/log-in?next=/log-in',
    `/${'a'.repeat(3_000)}`,
    '',
  ]
  test('goes on to the board where it is told to go elsewhere', async () => {
    const server = await setup()
    for (const next of ELSEWHERE) {
      const reply = await logInForm(server, { user: 'ops', password: OPS_PASSWORD, next })
      expect([next, reply.status, reply.headers.get('location')]).toEqual([next, 303, '/'])
    }
  })

  test('shows what was typed as text, whatever it is', async () => {
    const server = await setup()
    const script = '"><script>alert(1)</script>'
    const shown = await logInForm(server, { user: script, password: 'x', next: `/search?q=${script}` })
    expect(shown.text).toContain('&quot;&gt;&lt;script&gt;')
    expect(shown.text).not.toContain('<script>')
    expect(shown.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  test.each([
    ['JSON', 'application/json', '{"user":"ops"}'],
    ['nothing', 'application/x-www-form-urlencoded', ''],
    ['what is far too long', 'application/x-www-form-urlencoded', `user=${'a'.repeat(20_000)}`],
  ])('takes %s for no log-in', async (_what, type, body) => {
    const server = await setup()
    const reply = await server.call('POST', '/log-in', {
      token: null,
      body,
      headers: { ...ownPage(server), 'content-type': type },
    })
    expect([400, 401, 413, 415]).toContain(reply.status)
    expect(reply.headers.getSetCookie()).toEqual([])
  })
})

describe('too many tries', () => {
  const TOO_MANY = 10

  async function tryWrongly(server: Api, times: number, user = 'ops'): Promise<Reply[]> {
    const replies: Reply[] = []
    for (let i = 0; i < times; i++) replies.push(await logInForm(server, { user, password: `wrong ${i}` }))
    return replies
  }

  test('from one address are refused, also with the right password, by form and by Basic', async () => {
    const server = await setup()
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    const statuses = (await tryWrongly(server, TOO_MANY)).map(({ status }) => status)
    expect(statuses).toEqual(Array.from({ length: TOO_MANY }, () => 401))
    const byForm = await logInForm(server, { user: 'ops', password: OPS_PASSWORD })
    const byBasic = await server.call('GET', PAGE, { token: null, headers: basic('ops', OPS_PASSWORD) })
    expect([byForm.status, byBasic.status]).toEqual([429, 429])
    for (const { headers } of [byForm, byBasic]) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    // Who is in stays in.
    expect((await session.get(PAGE)).status).toBe(200)
  })

  test('at once get no further than in turn', async () => {
    const server = await setup()
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, i) => logInForm(server, { user: `u${i}`, password: 'wrong password' })),
    )
    expect(all.filter(({ status }) => status === 401)).toHaveLength(TOO_MANY)
    expect(all.filter(({ status }) => status === 429)).toHaveLength(30 - TOO_MANY)
  })

  test('right ones do not count', async () => {
    const server = await setup()
    for (let i = 0; i < TOO_MANY + 5; i++) {
      const reply = await server.call('GET', PAGE, { token: null, headers: basic('ops', OPS_PASSWORD) })
      expect(reply.status).toBe(200)
    }
  })

  // Thirty passwords are compared, each at a cost that guessing is meant to have.
  test('of one name are counted wherever they come from', { timeout: 120_000 }, async () => {
    const server = await setup({ env: { OPS_TRUSTED_PROXIES: '127.0.0.1' } })
    const statuses: number[] = []
    for (let i = 0; i < 40; i++) {
      const headers = { ...ownPage(server), 'x-forwarded-for': `203.0.113.${i}` }
      statuses.push((await logInForm(server, { user: 'ops', password: 'wrong' }, headers)).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(3 * TOO_MANY)
    expect(new Set(statuses.slice(3 * TOO_MANY))).toEqual(new Set([429]))
  })

  test('push nothing out of the audit, and it does not keep what was typed for a name', async () => {
    const server = await setup()
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    await session.change('PUT', CHANGE)
    await tryWrongly(server, 4, 'my-password-in-the-wrong-field')
    const kept = await deeds(server)
    expect(kept.slice(0, 4).map(({ who, what }) => [who, what])).toEqual(
      Array.from({ length: 4 }, () => ['an unknown name', 'refused log-in']),
    )
    expect(kept.slice(4).map(({ who, what }) => [who, what])).toEqual([
      ['ops', 'pause queue'],
      ['ops', 'log-in'],
    ])
    expect(JSON.stringify(kept)).not.toContain('wrong-field')
    expect(server.lines.join('')).not.toContain('wrong-field')
  })
})

describe('a session ends', () => {
  test('at log-out, for whoever still has the cookie', async () => {
    const server = await setup()
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    const out = await session.change('POST', '/log-out')
    expect([out.status, out.headers.get('location')]).toEqual([303, '/log-in?out'])
    expect(out.headers.getSetCookie()[0]).toMatch(/^relay_session=; Max-Age=0; /)
    expect((await session.get(PAGE)).status).toBe(401)
    expect(await sessions(server)).toEqual([])
    expect((await deeds(server)).map(({ what }) => what)).toEqual(['log-out', 'log-in'])
  })

  test('not by a link or a form of another site', async () => {
    const server = await setup()
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    expect((await session.get('/log-out', HTML)).text).toContain('<form action="/log-out" method="post">')
    const headers = { origin: 'https://evil.example' }
    expect((await session.ask('POST', '/log-out', { headers })).status).toBe(403)
    expect((await session.get(PAGE)).status).toBe(200)
  })

  test('when its password is another one, its role, or it has no line any more; the others’ go on', async () => {
    const { server, people } = await withPeople()
    const [vera, otto, ops] = [
      await logIn(server, 'vera', VERA),
      await logIn(server, 'otto', OTTO),
      await logIn(server, 'ops', OPS_PASSWORD),
    ]
    const seen = () => Promise.all([vera, otto, ops].map(async ({ get }) => (await get(PAGE)).status))
    expect(await seen()).toEqual([200, 200, 200])
    await people.write([
      ['vera', 'viewer', 'another password of vera'],
      ['otto', 'viewer', OTTO],
    ])
    expect(await seen()).toEqual([401, 401, 200])
    expect(await sessions(server)).toHaveLength(1)
    expect((await (await logIn(server, 'otto', OTTO)).change('PUT', CHANGE)).status).toBe(403)
    await people.write([])
    expect(await seen()).toEqual([401, 401, 200])
  })

  test('of several servers on one Redis, at all of them', async () => {
    const one = await setup()
    const other = await setup({ redisUrl: one.redis.options.db === undefined ? '' : redisUrlOf(one) })
    const session = await logIn(one, 'ops', OPS_PASSWORD)
    const there = () => other.call('GET', PAGE, { token: null, headers: { cookie: session.cookie } })
    expect((await there()).status).toBe(200)
    await session.change('POST', '/log-out')
    expect((await there()).status).toBe(401)
  })

  test('7 days after log-in, however much it is used', async () => {
    const server = await setup()
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    const [key = ''] = await sessions(server)
    const kept = JSON.parse((await server.redis.get(key)) ?? '')
    const since = (ago: number) =>
      server.redis.set(key, JSON.stringify({ ...kept, since: kept.since - ago }), 'PX', 3_600_000)
    const week = 7 * 24 * 3_600_000
    await since(week - 60_000)
    expect((await session.get(PAGE)).status).toBe(200)
    expect(await server.redis.pttl(key)).toBeLessThanOrEqual(3_600_000)
    await since(week + 60_000)
    expect((await session.get(PAGE)).status).toBe(401)
    expect(await sessions(server)).toEqual([])
  })
})

function redisUrlOf({ redis }: Api): string {
  const { host, port, db } = redis.options
  return `redis://${host}:${port}/${db}`
}

describe('the file of people', () => {
  test('is read again when it changes; a bad line is left out and told of without its text', async () => {
    const { server, people } = await withPeople()
    await logIn(server, 'vera', VERA)
    const lines = [
      'broken viewer $scrypt$not-a-hash-sentinel',
      `nobody admin ${'x'.repeat(30)}`,
      await newUserLine('uma', 'viewer', 'a password of uma'),
      await newUserLine('uma', 'operator', 'another of uma'),
    ]
    await writeFile(`${people.file}.new`, lines.join('\n'))
    await rename(`${people.file}.new`, people.file)
    await logIn(server, 'uma', 'a password of uma')
    expect((await logInForm(server, { user: 'vera', password: VERA })).status).toBe(401)
    expect((await logInForm(server, { user: 'uma', password: 'another of uma' })).status).toBe(401)
    const told = server.lines.filter((line) => line.includes('lines that are left out')).join('')
    for (const words of [
      'line 1 has no hash',
      'line 2 has no role',
      'line 4 has the name of an earlier line',
    ])
      expect(told).toContain(words)
    expect(told).not.toContain('sentinel')
  })

  test('gone for a moment, it is told as such, and OPS_USER gets in', async () => {
    const { server, people } = await withPeople()
    const vera = await logIn(server, 'vera', VERA)
    await rename(people.file, path.join(temporaryDir('ops-users'), 'elsewhere'))
    const reply = await vera.get(PAGE, HTML)
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '5'])
    expect(reply.text).not.toMatch(/ENOENT|node_modules|\.ts\b/)
    await logIn(server, 'ops', OPS_PASSWORD)
  })
})

describe('while Redis is away', () => {
  test('a session, the form and Basic are answered quickly, without a stack; it goes on by itself', async () => {
    const redis = await startPrivateRedis()
    onTestFinished(redis.stop)
    const server = await setup({ redisUrl: redis.url })
    const session = await logIn(server, 'ops', OPS_PASSWORD)
    await redis.kill()
    const from = performance.now()
    const replies = [
      await session.get(PAGE, HTML),
      await session.get('/queues/api/queues'),
      await session.change('PUT', CHANGE),
      await logInForm(server, { user: 'ops', password: OPS_PASSWORD }),
      await server.call('GET', '/queues/api/queues', { token: null, headers: basic('ops', OPS_PASSWORD) }),
    ]
    expect(performance.now() - from).toBeLessThan(10_000)
    expect(replies.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
    for (const { text } of replies) expect(text).not.toMatch(/ECONNREFUSED|node_modules|\.ts\b|\n +at /)
    expect(replies[0]?.text).toContain('can not be looked up now')
    await redis.restart()
    await expect.poll(async () => (await session.get(PAGE, HTML)).status, { timeout: 10_000 }).toBe(200)
  })
})

describe('behind a proxy', () => {
  const PROXY = {
    OPS_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1',
    OPS_PROXY_USER_HEADER: 'X-Forwarded-User',
    OPS_PROXY_OPERATORS: 'olga@example.com',
  }
  const olga = { 'x-forwarded-user': 'olga@example.com' }

  test('whom it names is in: an operator by the list, else a viewer', async () => {
    const server = await setup({ env: PROXY })
    const ask = (method: string, where: string, headers: Record<string, string>) =>
      server.call(method, where, { token: null, headers: { ...ownPage(server), ...headers } })
    expect((await ask('GET', PAGE, olga)).status).toBe(200)
    expect((await ask('GET', PAGE, { 'x-forwarded-user': 'vic' })).status).toBe(200)
    expect((await ask('PUT', CHANGE, { 'x-forwarded-user': 'vic' })).status).toBe(403)
    expect(await isPaused(server)).toBe(false)
    expect((await ask('PUT', CHANGE, olga)).status).toBe(200)
    expect(await isPaused(server)).toBe(true)
    expect((await deeds(server))[0]).toMatchObject({ who: 'olga@example.com', what: 'pause queue' })
  })

  test.each<[what: string, env: object, headers: Record<string, string>]>([
    ['an address that is none of them', { OPS_TRUSTED_PROXIES: '10.0.0.0/8' }, olga],
    [
      'one that says it came by a trusted one',
      { OPS_TRUSTED_PROXIES: '10.0.0.0/8' },
      { ...olga, 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1', forwarded: 'for=10.0.0.1' },
    ],
    ['a proxy that adds its header to another’s', {}, { 'x-forwarded-user': 'olga@example.com, vic' }],
    ['a proxy that names nobody', {}, { 'x-forwarded-user': ' ' }],
  ])('the header of %s logs nobody in', async (_what, env, headers) => {
    const server = await setup({ env: { ...PROXY, ...env } })
    const reply = await server.call('GET', PAGE, { token: null, headers })
    expect(reply.status).toBe(401)
  })

  test.each<[what: string, headers: Record<string, string>]>([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['plain HTTP, where the proxy speaks TLS', { origin: 'http://relay.example.com' }],
    ['nowhere', {}],
  ])(
    'a change from %s is refused: the proxy’s cookie is sent by the browser itself',
    async (_what, headers) => {
      const server = await setup({ env: PROXY })
      const reply = await server.call('PUT', CHANGE, {
        token: null,
        headers: {
          ...olga,
          'x-forwarded-host': 'relay.example.com',
          'x-forwarded-proto': 'https',
          ...headers,
        },
      })
      expect(reply.status).toBe(403)
      expect(await isPaused(server)).toBe(false)
    },
  )

  const TLS = { 'x-forwarded-host': 'relay.example.com:443', 'x-forwarded-proto': 'https' }

  test('that ends TLS, the address in the browser counts, and the cookie goes by TLS alone', async () => {
    const server = await setup({ env: { OPS_TRUSTED_PROXIES: '127.0.0.1' } })
    const headers = { ...TLS, origin: 'https://relay.example.com', 'sec-fetch-site': 'same-origin' }
    const reply = await logInForm(server, { user: 'ops', password: OPS_PASSWORD }, headers)
    expect(reply.headers.getSetCookie()[0]).toMatch(
      /^__Host-relay_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    )
    expect(reply.headers.get('strict-transport-security')).toMatch(/^max-age=\d+$/)
    const cookie = cookieOf(reply)
    const ask = (more: Record<string, string>) =>
      server.call('PUT', CHANGE, { token: null, headers: { ...headers, ...more } })
    // A sister site could have set one without the prefix.
    expect((await ask({ cookie: cookie.replace('__Host-', '') })).status).toBe(401)
    expect((await ask({ cookie })).status).toBe(200)
  })

  test('that is not trusted, what it says of host and TLS counts for nothing', async () => {
    const server = await setup()
    const headers = { ...TLS, origin: 'https://relay.example.com' }
    expect((await logInForm(server, { user: 'ops', password: OPS_PASSWORD }, headers)).status).toBe(403)
    const plain = await logInForm(
      server,
      { user: 'ops', password: OPS_PASSWORD },
      { ...ownPage(server), 'x-forwarded-proto': 'https' },
    )
    expect(plain.headers.getSetCookie()[0]).not.toContain('Secure')
    expect(plain.headers.get('strict-transport-security')).toBeNull()
  })
})

test('every page and answer has the usual headers', async () => {
  const server = await setup()
  const { cookie } = await logIn(server, 'ops', OPS_PASSWORD)
  for (const where of [
    '/log-in',
    '/queues',
    '/docs',
    '/healthz',
    '/nothing',
    '/v1/promotions',
    '/openapi.json',
  ]) {
    const { headers } = await server.call('GET', where, { headers: where === '/log-in' ? {} : { cookie } })
    expect({ where, ...Object.fromEntries(headers) }).toMatchObject({
      where,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': expect.stringMatching(/^(same-origin|no-referrer)$/),
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()'),
    })
    expect(headers.get('strict-transport-security')).toBeNull()
    if (headers.get('content-type')?.includes('html')) {
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(/default-src '(none|self)'/)
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/script-src[^;]*unsafe/)
    }
  }
})
