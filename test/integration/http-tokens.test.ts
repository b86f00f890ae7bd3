// Named tokens: what each may do, how they come and go while the server runs, what shows of them, and how often they
// may call.
import { renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { newToken, type Scope } from '../../shared/api-tokens.ts'
import { temporaryDir } from '../support/up.ts'
import { problemOf, type SetupOptions, setup, TOKEN } from './http-setup.ts'

const V5 = { model: 'fraud-detector', version: '5' }

async function setupWithTokens(options: SetupOptions = {}) {
  const file = path.join(temporaryDir('api-tokens'), 'tokens')
  const lines: string[] = []
  /** As a careful editor does: a reader never sees half of it. */
  const write = (text: string) => {
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }
  const grant = (name: string, scopes: Scope[]): string => {
    const { token, line } = newToken(name, scopes)
    lines.push(line)
    write(lines.join('\n'))
    return token
  }
  const tokens = {
    everything: grant('everything', ['promote', 'read', 'operate']),
    ci: grant('ci', ['promote']),
    board: grant('board', ['read']),
    night: grant('night', ['operate']),
  }
  const api = await setup({ ...options, env: { RELAY_API_TOKENS_FILE: file, ...options.env } })
  return { api, file, write, lines, grant, tokens }
}

const ROUTES: [scope: Scope, method: string, path: string, body?: unknown][] = [
  ['promote', 'POST', '/v1/promotions', V5],
  ['promote', 'POST', '/v1/promotions:batch', { promotions: [V5] }],
  ['read', 'GET', '/v1/promotions'],
  ['read', 'GET', '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d'],
  ['read', 'GET', '/v1/targets'],
  ['read', 'GET', '/v1/dead-letters'],
  ['read', 'GET', '/v1/circuits'],
  ['read', 'GET', '/v1/stats'],
  ['read', 'GET', '/v1/search?text=fraud'],
  ['operate', 'POST', '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d/redrive', {}],
  ['operate', 'POST', '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d/discard', {}],
  ['operate', 'POST', '/v1/promotions/01a2079d-cf6c-7585-a09d-988039c18c8d/resolve', { absent: true }],
  ['operate', 'POST', '/v1/circuits/probe', { scope: 'acme/models' }],
  ['operate', 'POST', '/v1/targets/hold', V5],
  ['operate', 'POST', '/v1/targets/release', V5],
  ['operate', 'POST', '/v1/targets/rollback', V5],
]

describe('a named token', () => {
  test.each(ROUTES)('needs the scope %s for %s %s', async (scope, method, url, body) => {
    const { api, grant } = await setupWithTokens()
    const all: Scope[] = ['promote', 'read', 'operate']
    const call = (token: string) => api.call(method, url, { token, ...(body ? { body } : {}) })

    expect((await call(grant('with', [scope]))).status).not.toBe(403)
    const others = all.filter((one) => one !== scope)
    const refused = await call(grant('without', others))

    expect([refused.status, problemOf(refused).title]).toEqual([403, `This token lacks the scope ${scope}`])
    expect(refused.headers.get('www-authenticate')).toContain(`error="insufficient_scope", scope="${scope}"`)
    expect(refused.body.detail).toContain('without')
  })

  test('is named in the timeline of what it brought, and in the log, and never shown itself', async () => {
    const { api, tokens } = await setupWithTokens()
    const { id } = (await api.promote(V5, { token: tokens.ci })).body
    await api.promote({ ...V5, version: '6' })
    const order = { model: 'fraud-detector' }
    await api.call('POST', '/v1/targets/hold', { body: { ...order, why: 'audit' }, token: tokens.night })
    const { body } = await api.call('GET', `/v1/promotions/${id}`, { token: tokens.board })
    expect(body.timeline[0]).toMatchObject({ by: 'ci', text: 'accepted (ci), the first of its target' })
    const [target] = (await api.call('GET', '/v1/targets')).body.targets
    expect(target.hold).toMatchObject({ by: 'night', why: 'audit' })

    const told = api.lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'info')
    expect(told).toMatchObject([
      { names: ['everything', 'ci', 'board', 'night'], msg: 'The tokens of the API were read' },
      { promotionId: id, status: 'accepted', token: 'ci', msg: 'A promotion came in' },
      { status: 'accepted', token: 'RELAY_API_TOKEN' },
      { what: 'hold', of: 'production/fraud-detector', who: 'night' },
    ])
    const everything = [...api.lines, JSON.stringify(body), JSON.stringify(target)].join('\n')
    for (const token of Object.values(tokens)) expect(everything).not.toContain(token)
  })

  test('may say who it speaks for', async () => {
    const { api, tokens } = await setupWithTokens()
    await api.promote(V5)
    const body = { model: 'fraud-detector', by: 'alice' }
    await api.call('POST', '/v1/targets/hold', { body, token: tokens.night })
    const [target] = (await api.call('GET', '/v1/targets')).body.targets
    expect(target.hold.by).toBe('alice')
  })

  test('stands beside RELAY_API_TOKEN, which may do everything, or alone', async () => {
    const { api } = await setupWithTokens()
    for (const [, method, url, body] of ROUTES)
      expect([401, 403]).not.toContain((await api.call(method, url, body ? { body } : {})).status)
    const alone = await setupWithTokens({ apiToken: null, env: { RELAY_API_TOKEN: '' } })
    expect((await alone.api.promote(V5)).status).toBe(401)
    expect((await alone.api.promote(V5, { token: alone.tokens.ci })).status).toBe(202)
  })
})

describe('the file of tokens', () => {
  test('is read again when it changes: a token comes, takes the place of another, and goes', async () => {
    const { api, grant, write, lines } = await setupWithTokens()
    const status = async (token: string) => (await api.call('GET', '/v1/targets', { token })).status
    const former = grant('reader', ['read'])
    expect(await status(former)).toBe(200)

    const next = grant('reader', ['read'])
    expect([await status(former), await status(next)]).toEqual([200, 200])
    lines.splice(lines.length - 2, 1)
    write(lines.join('\n'))

    expect([await status(former), await status(next)]).toEqual([401, 200])
  })

  test('with a line that is spoilt lets in whom its other lines name, and the log tells its number', async () => {
    const { api, tokens, write, lines } = await setupWithTokens()
    write([lines[1], 'board read relay_sentinel', lines[3]].join('\n'))

    expect((await api.promote(V5, { token: tokens.ci })).status).toBe(202)
    expect((await api.call('GET', '/v1/targets', { token: tokens.board })).status).toBe(401)

    const errors = api.lines.filter((line) => line.includes('"level":"error"'))
    expect(errors).toEqual([expect.stringContaining('line 2 has no digest')])
    expect(errors.join()).not.toContain('sentinel')
  })

  test('that is gone locks nobody out for good: they are told to come again, and RELAY_API_TOKEN gets in', async () => {
    const { api, file, tokens, write, lines } = await setupWithTokens()
    await rm(file)

    const refused = await api.promote(V5, { token: tokens.ci })
    expect([refused.status, problemOf(refused).title]).toEqual([
      503,
      "RELAY_API_TOKENS_FILE can't be read now",
    ])
    expect(refused.headers.get('retry-after')).toBe('5')
    expect((await api.promote(V5, { token: TOKEN })).status).toBe(202)
    write(lines.join('\n'))
    expect((await api.promote(V5, { token: tokens.ci })).status).toBe(202)
  })
})

describe('who calls too often', () => {
  const env = { API_RATE_PER_MINUTE: '3' }

  test('is told to come back, each token for itself', async () => {
    const { api, tokens } = await setupWithTokens({ env })
    const read = (token: string | null) => api.call('GET', '/v1/targets', { token })
    for (let n = 0; n < 3; n++) expect((await read(tokens.board)).status).toBe(200)

    const refused = await read(tokens.board)

    expect([refused.status, problemOf(refused).title]).toEqual([429, 'Too many requests'])
    const seconds = Number(refused.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    expect((await read(tokens.everything)).status).toBe(200)
    expect((await read(TOKEN)).status).toBe(200)
  })

  test('without a valid token is counted by address, and takes nothing from those who have one', async () => {
    const { api } = await setupWithTokens({ env })
    const read = (token: string | null) => api.call('GET', '/v1/targets', { token })
    expect([(await read('wrong')).status, (await read(null)).status]).toEqual([401, 401])
    expect([(await read('other')).status, (await read('another')).status]).toEqual([401, 429])
    expect((await read(TOKEN)).status).toBe(200)
    expect((await api.call('GET', '/healthz', { token: null })).status).toBe(200)
  })
})
