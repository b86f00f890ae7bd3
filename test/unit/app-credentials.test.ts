// The tokens of a GitHub App, over real HTTP: when one is asked for, how long it is used, what happens when GitHub
// gives none, and that nothing of it shows.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRedactor } from '../../shared/redact.ts'
import { type Secret, secretFromFile, secretFromValue } from '../../shared/secret.ts'
import { type AppOptions, appCredentials } from '../../worker/github/app-credentials.ts'
import { TokenRefused } from '../../worker/github/credentials.ts'
import { type Simulator, type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'
import { APP_KEY } from '../support/app-key.ts'
import { listening } from '../support/listening.ts'
import { until } from '../support/until.ts'

const APP = { id: '17', installationId: 4711, publicKey: APP_KEY.public }
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

type Overrides = Partial<AppOptions> & { simulator?: SimulatorOptions; tokenLifeMs?: number }

async function setup({ simulator: options, tokenLifeMs, ...overrides }: Overrides = {}) {
  const simulator = await startSimulator({ app: { ...APP, tokenLifeMs }, ...options })
  onTestFinished(simulator.close)
  return { simulator, ...credentialsAt(simulator.url, overrides), asked: () => tokenRequests(simulator) }
}

function credentialsAt(baseUrl: string, overrides: Partial<AppOptions> = {}) {
  const privateKey = overrides.privateKey ?? secretFromValue('GITHUB_APP_PRIVATE_KEY', APP_KEY.pkcs1)
  const redact = createRedactor([privateKey])
  const lines: object[] = []
  const note = (line: object, msg: string) => void lines.push({ ...line, msg })
  const credentials = appCredentials({
    appId: APP.id,
    installationId: String(APP.installationId),
    privateKey,
    baseUrl,
    redact,
    log: { debug: note, info: note, warn: note, error: note, fatal: note } as unknown as AppOptions['log'],
    pauseMs: 30,
    ...overrides,
  })
  const token = () => credentials.token(AbortSignal.timeout(10_000))
  const refused = (one: string) => credentials.refused(one, AbortSignal.timeout(10_000))
  return { credentials, token, refused, redact, lines }
}

function tokenRequests(simulator: Simulator): number[] {
  return simulator.log.filter(({ path }) => path.endsWith('/access_tokens')).map(({ status }) => status)
}

function accepts(simulator: Simulator, token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` }
  return fetch(`${simulator.url}/repos/acme/models`, { headers }).then(({ status }) => status === 200)
}

/** A GitHub of which only the answer for a token is known. */
const answering = (react: http.RequestListener) => listening(http.createServer(react))

function keyFile(text: string): { path: string; secret: Secret } {
  const folder = mkdtempSync(join(tmpdir(), 'app-key-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'key.pem')
  writeFileSync(path, text)
  return { path, secret: secretFromFile('GITHUB_APP_PRIVATE_KEY', path) }
}

describe('a token', () => {
  test('is asked for when it is first needed, and used by all from then on', async () => {
    const { simulator, token, asked } = await setup()
    expect(asked()).toEqual([])
    const first = await token()
    expect(await accepts(simulator, first)).toBe(true)
    expect([await token(), await token()]).toEqual([first, first])
    expect(asked()).toEqual([201])
  })

  test('is asked for once, however many wait for it', async () => {
    const { token, asked } = await setup()
    const tokens = await Promise.all(Array.from({ length: 20 }, token))
    expect(new Set(tokens).size).toBe(1)
    expect(asked()).toEqual([201])
  })

  test('is asked for at an Enterprise Server under its path, and with the client id of the App', async () => {
    const simulator = await startSimulator({ mode: 'ghes', app: { ...APP, id: 'Iv23liABC' } })
    onTestFinished(simulator.close)
    const { token } = credentialsAt(`${simulator.url}/api/v3`, { appId: 'Iv23liABC' })
    expect(await accepts(simulator, await token())).toBe(true)
    expect(simulator.log[0]?.path).toBe('/api/v3/app/installations/4711/access_tokens')
  })

  test('is signed for with a key in PKCS#8 too', async () => {
    const privateKey = secretFromValue('GITHUB_APP_PRIVATE_KEY', APP_KEY.pkcs8)
    const { token, asked } = await setup({ privateKey })
    await token()
    expect(asked()).toEqual([201])
  })

  test('is renewed in the background while it is good, and nobody waits', async () => {
    const { simulator, token, asked } = await setup({ tokenLifeMs: 5_000 })
    const first = await token()
    simulator.fault({ kind: 'slow', on: 'access-token', delayMs: 300 })
    await until('it is being renewed', async () => {
      expect(await token()).toBe(first)
      return asked().length === 2
    })
    expect(await accepts(simulator, first)).toBe(true)
    await until('the new one is used', async () => (await token()) !== first)
    expect(asked()).toEqual([201, 201])
  })

  test('that could not be renewed is used to its end, and that is told', async () => {
    const { simulator, token, lines } = await setup({ tokenLifeMs: 12_000 })
    const first = await token()
    simulator.fault({ kind: 'reset-before', on: 'access-token', times: 3 })
    await until('three attempts failed', async () => {
      expect(await token()).toBe(first)
      return lines.filter((line) => JSON.stringify(line).includes('could not be renewed')).length === 3
    })
    await until('the new one is used', async () => (await token()) !== first, 15_000)
  })

  test('is not used beyond its end: the next one is waited for', async () => {
    const { simulator, token, asked } = await setup({ tokenLifeMs: 3_000 })
    const first = await token()
    await until('it is void', async () => !(await accepts(simulator, first)))
    expect(await accepts(simulator, await token())).toBe(true)
    expect(asked()).toEqual([201, 201])
  })
})

describe('a clock that differs from GitHub’s', () => {
  test.each([
    ['5 minutes behind', 5 * MINUTE_MS, [201]],
    ['5 minutes ahead', -5 * MINUTE_MS, [401, 201]],
    ['2 hours behind', 2 * HOUR_MS, [401, 201]],
    ['2 hours ahead', -2 * HOUR_MS, [401, 201]],
  ])('%s does no harm, and is told of', async (_, clockAheadMs, statuses) => {
    const { simulator, token, asked, lines } = await setup({ simulator: { clockAheadMs, app: APP } })
    const first = await token()
    expect(await accepts(simulator, first)).toBe(true)
    expect(await token()).toBe(first)
    expect(asked()).toEqual(statuses)
    expect(lines).toContainEqual({
      aheadSeconds: expect.closeTo(-clockAheadMs / 1000, -1),
      msg: "The clock of this machine differs from GitHub's",
    })
  })

  test('does not make a token outlive its hour', async () => {
    const app = { ...APP, tokenLifeMs: 3_000 }
    const { simulator, token } = await setup({ simulator: { clockAheadMs: 2 * HOUR_MS, app } })
    const first = await token()
    await until('it is void', async () => !(await accepts(simulator, first)))
    expect(await accepts(simulator, await token())).toBe(true)
  })

  test('by some seconds is not worth a word', async () => {
    const { token, lines } = await setup({ simulator: { clockAheadMs: 20_000, app: APP } })
    await token()
    expect(JSON.stringify(lines)).not.toContain('clock')
  })
})

describe('a token that GitHub answers 401 to', () => {
  test('is thrown away, and another one is at hand', async () => {
    const { simulator, token, refused, asked } = await setup()
    const first = await token()
    expect(await refused(first)).toBe(true)
    const second = await token()
    expect(second).not.toBe(first)
    expect(await accepts(simulator, second)).toBe(true)
    expect(asked()).toHaveLength(2)
  })

  test('by many at once is replaced once', async () => {
    const { token, refused, asked } = await setup()
    const first = await token()
    expect(await Promise.all([1, 2, 3, 4].map(() => refused(first)))).toEqual([true, true, true, true])
    expect(await refused(first)).toBe(true)
    expect(asked()).toHaveLength(2)
  })

  test('after another one in a row: it is not the token that is wrong', async () => {
    const { token, refused, asked } = await setup()
    await refused(await token())
    expect(await refused(await token())).toBe(false)
    expect(asked()).toHaveLength(2)
    // And the next one begins anew.
    expect(await refused(await token())).toBe(true)
  })

  test('after one that GitHub knew at a dispatch is replaced again', async () => {
    const { credentials, token, refused } = await setup()
    await refused(await token())
    const second = await token()
    credentials.known(second)
    expect(await refused(second)).toBe(true)
  })

  test('has no successor where GitHub gives none', async () => {
    const { simulator, token, refused, asked } = await setup()
    const first = await token()
    simulator.setInstallation('removed')
    expect(await refused(first)).toBe(false)
    expect(asked()).toEqual([201, 404])
  })
})

describe('where GitHub gives none', () => {
  const refusedWith = (status: number, message: string) => ({ answer: { status, body: { message } } })

  test.each([
    [
      'the installation is gone',
      (simulator: Simulator) => simulator.setInstallation('removed'),
      404,
      'Not Found',
    ],
    [
      'the installation is suspended',
      (simulator: Simulator) => simulator.setInstallation('suspended'),
      403,
      'This installation has been suspended',
    ],
    [
      'GitHub has a fault',
      (simulator: Simulator) => simulator.fault({ kind: 'status-before', on: 'access-token', status: 502 }),
      502,
      'Server Error',
    ],
  ])('since %s, its words are told', async (_, spoil, status, message) => {
    const { simulator, token } = await setup()
    spoil(simulator)
    const error = await token().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TokenRefused)
    expect(error).toMatchObject(refusedWith(status, message))
    expect(error).toMatchObject({
      message: `no token of the GitHub App: GitHub answered ${status}: ${message}`,
    })
  })

  test.each([
    ['the key is another one’s', { privateKey: 'other' }, 401, 'A JSON web token could not be decoded'],
    ['the App is another one', { appId: '18' }, 404, 'Integration not found'],
    ['the installation is another App’s', { installationId: '12' }, 404, 'Not Found'],
  ])('since %s, its words are told', async (_, change, status, message) => {
    const { privateKey, ...others } = change as Partial<
      Record<'privateKey' | 'appId' | 'installationId', string>
    >
    const { generateKeyPairSync } = await import('node:crypto')
    const other = () =>
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' })
    const secret = privateKey && { privateKey: secretFromValue('GITHUB_APP_PRIVATE_KEY', other().toString()) }
    const { token } = await setup({ ...others, ...(secret || {}) })
    await expect(token()).rejects.toMatchObject(refusedWith(status, message))
  })

  test('it is not asked again before a pause is over, and then with success', async () => {
    const { simulator, token, asked } = await setup({ pauseMs: 200 })
    simulator.setInstallation('suspended')
    await expect(token()).rejects.toThrow('suspended')
    simulator.setInstallation('active')
    for (let n = 0; n < 5; n++) await expect(token()).rejects.toThrow('suspended')
    expect(asked()).toEqual([403])
    await until('there is one', () => token().catch(() => undefined))
    expect(asked()).toEqual([403, 201])
  })

  test('for as long as GitHub says', async () => {
    const headers = { 'retry-after': '1' }
    const { simulator, token, asked } = await setup()
    simulator.fault({ kind: 'status-before', on: 'access-token', status: 429, headers })
    const began = performance.now()
    await expect(token()).rejects.toMatchObject({ answer: { status: 429 } })
    await until('there is one', () => token().catch(() => undefined))
    expect(performance.now() - began).toBeGreaterThan(990)
    expect(asked()).toEqual([429, 201])
  })

  test('a broken network is told as such, and the next one asks again', async () => {
    const { simulator, token, asked } = await setup({ pauseMs: 60_000 })
    simulator.fault({ kind: 'reset-before', on: 'access-token' })
    await expect(token()).rejects.toMatchObject({ name: 'Error', code: 'ECONNRESET' })
    await token()
    expect(asked()).toEqual([0, 201])
  })

  test('nobody waits longer than he can; the request goes on for others', async () => {
    const { simulator, credentials, token, asked } = await setup()
    simulator.fault({ kind: 'slow', on: 'access-token', delayMs: 400 })
    const patient = token()
    await expect(credentials.token(AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'NO_TOKEN' })
    await expect(credentials.token(AbortSignal.abort())).rejects.toMatchObject({ code: 'NO_TOKEN' })
    expect(await accepts(simulator, await patient)).toBe(true)
    expect(asked()).toEqual([201])
  })

  test('a request that is not answered ends, and the next one asks again', async () => {
    const { simulator, token, asked } = await setup({ withinMs: 1_000 })
    simulator.fault({ kind: 'hang-before', on: 'access-token' })
    await expect(token()).rejects.toMatchObject({ code: 'NETWORK' })
    await token()
    expect(asked()).toEqual([0, 201])
  })

  test.each<[string, http.RequestListener]>([
    [
      'a page',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Log in'),
    ],
    [
      'null',
      (_, response) => void response.writeHead(201, { 'content-type': 'application/json' }).end('null'),
    ],
    [
      'a token that no header holds',
      (_, response) =>
        void response.writeHead(201, { 'content-type': 'application/json' }).end('{"token": "a\\nb"}'),
    ],
    ['a redirect', (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ])('%s is no token', async (_, react) => {
    const asked: string[] = []
    const url = await answering((request, response) => {
      asked.push(request.url ?? '')
      react(request, response)
    })
    await expect(credentialsAt(url).token()).rejects.toMatchObject({ code: 'TOKEN_REFUSED' })
    expect(asked).toHaveLength(1)
  })

  test('a life that can not be read is taken for an hour', async () => {
    let n = 0
    const url = await answering((_, response) => {
      const body = { token: `ghs_token-number-${++n}`, expires_at: 'soon' }
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    const { token } = credentialsAt(url)
    expect([await token(), await token()]).toEqual(['ghs_token-number-1', 'ghs_token-number-1'])
  })
})

describe('the key', () => {
  test('in a file is read again for each token', async () => {
    const { path, secret } = keyFile('-----BEGIN NOTHING-----\n')
    const { token, asked } = await setup({ privateKey: secret })
    await expect(token()).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: 'GITHUB_APP_PRIVATE_KEY is no RSA private key',
    })
    writeFileSync(path, `${APP_KEY.pkcs8}\n`)
    await token()
    expect(asked()).toEqual([201])
  })

  test('in a file that has gone is a fault of credentials', async () => {
    const { path, secret } = keyFile(APP_KEY.pkcs1)
    const { token, asked } = await setup({ privateKey: secret })
    rmSync(path)
    await expect(token()).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: "GITHUB_APP_PRIVATE_KEY can't be read: ENOENT",
    })
    expect(asked()).toEqual([])
  })
})

describe('nothing of it shows', () => {
  test('the token is known to the redactor, and what asks for it too', async () => {
    const { simulator, token, redact, lines } = await setup()
    const echo = '{{authorization}}'
    simulator.fault({
      kind: 'status-before',
      on: 'access-token',
      status: 422,
      body: { message: echo, [echo]: 1 },
    })
    const error = (await token().catch((thrown: unknown) => thrown)) as TokenRefused
    expect(error.message).toBe('no token of the GitHub App: GitHub answered 422: bearer [redacted]')
    expect(JSON.stringify(error.answer)).not.toMatch(/eyJ/)
    const first = await until('there is one', () => token().catch(() => undefined))
    expect(redact(`Bearer ${first}!`)).toBe('Bearer [redacted]!')
    expect(JSON.stringify(lines)).not.toMatch(/ghs_|eyJ/)
  })
})
