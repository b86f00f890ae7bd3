// A GitHub App in the simulator: what it checks before it gives an installation token, and what its tokens are good for.
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { SimulatorOptions } from '../github-simulator/simulator.ts'
import { APP_KEY } from '../support/app-key.ts'
import { eventually, REPO, simulatorOf } from '../support/simulator.ts'

const OTHER_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

describe('a GitHub App', () => {
  const APP = { id: '17', installationId: 4711, publicKey: APP_KEY.public }
  const TOKENS = '/app/installations/4711/access_tokens'
  const now = () => Math.floor(Date.now() / 1000)

  function jwt(claims: object = {}, { key = APP_KEY.pkcs8, alg = 'RS256' } = {}): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${part({ alg, typ: 'JWT' })}.${part({ iat: now() - 60, exp: now() + 540, iss: '17', ...claims })}`
    return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`
  }
  async function withApp(options: SimulatorOptions = {}, tokenLifeMs?: number) {
    const one = await simulatorOf({ app: { ...APP, tokenLifeMs }, ...options })
    const installationToken = async () => {
      const { text } = await one.post(TOKENS, { token: jwt() })
      return JSON.parse(text) as { token: string; expires_at: string }
    }
    const repository = async (token: string) => {
      const { status, json } = await one.get(REPO, { token })
      return status === 200 ? 200 : `${status} ${json.message}`
    }
    return { ...one, installationToken, repository }
  }

  test('gives a token for what its key has signed, which is good for an hour', async () => {
    const { installationToken, dispatch } = await withApp()
    const { token, expires_at } = await installationToken()
    expect(token).toMatch(/^ghs_17_/)
    expect(Date.parse(expires_at) / 1000 - now()).toBeGreaterThanOrEqual(3_598)
    expect(expires_at).toMatch(/:\d\dZ$/)
    expect((await dispatch({}, { token })).status).toBe(204)
  })

  test('is known under the path of an Enterprise Server too', async () => {
    const { post } = await withApp({ mode: 'ghes' })
    expect((await post(`/api/v3${TOKENS}`, { token: jwt() })).status).toBe(201)
  })

  test('leaves other tokens out, but for the one that was set', async () => {
    const { repository } = await withApp({ token: 'ghp_set' })
    expect(await repository('ghp_set')).toBe(200)
    expect(await repository('ghp_other')).toBe('401 Bad credentials')
    expect(await repository(jwt())).toBe('401 Bad credentials')
    expect(await (await withApp()).repository('ghp_any')).toBe('401 Bad credentials')
  })

  const IAT =
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
  const EXP =
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
  test.each<[string, () => string, string]>([
    ['of nobody', () => 'x.y.z', 'A JSON web token could not be decoded'],
    ['of another algorithm', () => jwt({}, { alg: 'none' }), 'A JSON web token could not be decoded'],
    ['of another key', () => jwt({}, { key: OTHER_KEY }), 'A JSON web token could not be decoded'],
    ['from the future', () => jwt({ iat: now() + 30, exp: now() + 90 }), IAT],
    ['without its time', () => jwt({ iat: undefined }), IAT],
    ['that is over', () => jwt({ iat: now() - 900, exp: now() - 1 }), EXP],
    [
      'for too long',
      () => jwt({ exp: now() + 700 }),
      "'Expiration time' claim ('exp') is too far in the future",
    ],
  ])('refuses a JWT %s', async (_, make, message) => {
    const { post } = await withApp()
    const reply = await post(TOKENS, { token: make() })
    expect([reply.status, reply.json.message]).toEqual([401, message])
  })

  test('another App, another installation and a GitHub without Apps are not found', async () => {
    const { post } = await withApp()
    const message = async (path: string, token: string) => (await post(path, { token })).json.message
    expect(await message(TOKENS, jwt({ iss: '18' }))).toBe('Integration not found')
    expect(await message('/app/installations/12/access_tokens', jwt())).toBe('Not Found')
    expect((await (await simulatorOf()).post(TOKENS, { token: jwt() })).status).toBe(404)
  })

  test('tokens end when their life does', async () => {
    const { installationToken, repository } = await withApp({}, 1_500)
    const { token } = await installationToken()
    expect(await repository(token)).toBe(200)
    await eventually(() => repository(token)).toBe('401 Bad credentials')
  })

  test('suspended, it is told so, and its tokens are good again afterwards', async () => {
    const { simulator, installationToken, repository, post } = await withApp()
    const { token } = await installationToken()
    await post('/_simulator/installation', { body: { state: 'suspended' } })
    expect(await repository(token)).toBe('403 This installation has been suspended')
    expect((await post(TOKENS, { token: jwt() })).json.message).toBe('This installation has been suspended')
    simulator.setInstallation('active')
    expect(await repository(token)).toBe(200)
  })

  test('removed, it is not found, and its tokens are void for good', async () => {
    const { simulator, installationToken, repository, post } = await withApp()
    const { token } = await installationToken()
    simulator.setInstallation('removed')
    expect(await repository(token)).toBe('401 Bad credentials')
    expect((await post(TOKENS, { token: jwt() })).json.message).toBe('Not Found')
    simulator.setInstallation('active')
    expect(await repository(token)).toBe('401 Bad credentials')
    expect(await repository((await installationToken()).token)).toBe(200)
  })

  test('a clock of GitHub’s that is ahead shows everywhere', async () => {
    const clockAheadMs = 300_000
    const { post, get, start } = await simulatorOf({ app: APP, token: 'secret-1', clockAheadMs })
    const id = await start()
    const { headers, json } = await get(`${REPO}/actions/runs/${id}`)
    for (const time of [headers.get('date') ?? '', json.created_at])
      expect(Math.abs(Date.parse(time) - Date.now() - clockAheadMs)).toBeLessThan(10_000)
    expect((await post(TOKENS, { token: jwt({ iat: now() + 200, exp: now() + 800 }) })).status).toBe(201)
    expect((await post(TOKENS, { token: jwt({ iat: now() - 300, exp: now() + 299 }) })).json.message).toBe(
      EXP,
    )
  })
})

test('tells the end of a token where asked to, but not of a wrong one', async () => {
  const tokenExpiration = '2026-11-30 10:00:00 UTC'
  const { get } = await simulatorOf({ tokenExpiration, token: 'secret-1' })
  const told = async (token: string) =>
    (await get(REPO, { token })).headers.get('github-authentication-token-expiration')
  expect([await told('secret-1'), await told('other')]).toEqual([tokenExpiration, null])
})
