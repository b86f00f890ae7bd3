// What a whole relay stands on at GitHub: tokens of a GitHub App that end, are taken away and come back, a clock that
// is off, a token file that is rotated; and what it is told of limits and of a token's end.
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { InstallationState } from '../github-simulator/simulator.ts'
import { APP_KEY } from '../support/app-key.ts'
import { type Relay, type RelayOptions, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

const MINUTE_MS = 60_000
const APP = { id: '17', installationId: 4711, publicKey: APP_KEY.public }
const AS_APP = {
  GITHUB_TOKEN: undefined,
  GITHUB_APP_ID: '17',
  GITHUB_APP_PRIVATE_KEY: APP_KEY.pkcs1.replaceAll('\n', '\\n'),
  GITHUB_APP_INSTALLATION_ID: '4711',
}

function startAsApp({ simulator, env, ...options }: RelayOptions = {}): Promise<Relay> {
  return startRelay({
    simulator: { app: APP, ...simulator },
    // A fault of credentials must not spend attempts: with two of them it would be seen at once.
    env: { ...AS_APP, DISPATCH_MAX_ATTEMPTS: '2', ...env },
    ...options,
    pauses: { circuitPauseMs: 20, ...options.pauses },
  })
}

const tokenRequests = ({ simulator }: Relay) =>
  simulator.log.filter(({ path }) => path.endsWith('/access_tokens')).map(({ status }) => status)

const dispatched = ({ simulator }: Relay) => simulator.dispatches().map(({ status }) => status)

async function flowsAgain(relay: Relay, ...ids: string[]): Promise<void> {
  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', deadLetters: 0 })
  expect(await relay.reader.openCircuits()).toEqual([])
  await until('its entry is gone', async () => (await relay.queues.deadLetters.getFailedCount()) === 0)
  expect(relay.simulator.runs).toHaveLength(ids.length)
}

async function probedOften(relay: Relay): Promise<void> {
  await until('the circuit was probed more often than attempts are allowed', () => {
    return relay.lines.filter(({ msg }) => msg === 'A circuit was probed').length >= 4
  })
}

/** Nothing that would let anybody in, whatever form it has. */
async function showsNoSecret(relay: Relay): Promise<void> {
  const ids = [
    ...new Set(relay.lines.flatMap(({ promotionId }) => (promotionId ? [String(promotionId)] : []))),
  ]
  const timelines = await Promise.all(ids.map((id) => relay.reader.timeline(id)))
  const jobs = await relay.queues.deadLetters.getJobs(['failed', 'completed'])
  const text = JSON.stringify([relay.lines, timelines, jobs.map((job) => job.toJSON())])
  expect(text.length).toBeGreaterThan(500)
  expect(text).not.toMatch(/ghs_|eyJ/)
  for (const line of APP_KEY.pkcs1.split('\n').slice(1, -2)) expect(text).not.toContain(line.slice(0, 20))
}

test('with a GitHub App a promotion goes live, on one token for all requests', async () => {
  const relay = await startAsApp()

  expect(await relay.ends(await relay.promote('5'))).toMatchObject({ state: 'deployed' })
  expect(await relay.ends(await relay.promote('6'))).toMatchObject({ state: 'deployed' })

  expect(tokenRequests(relay)).toEqual([201])
  await showsNoSecret(relay)
})

test('also on an Enterprise Server, whose API has a path', async () => {
  const relay = await startAsApp({ simulator: { mode: 'ghes' }, workers: 0 })
  await relay.startWorker({ env: { GITHUB_API_URL: `${relay.simulator.url}/api/v3` } })

  expect(await relay.ends(await relay.promote('5'))).toMatchObject({ state: 'deployed' })

  expect(relay.simulator.log.every(({ path }) => path.startsWith('/api/v3/'))).toBe(true)
})

test('a token that has come to its end is renewed, and nobody notices', async () => {
  const relay = await startAsApp({ simulator: { app: { ...APP, tokenLifeMs: 2_000 }, runMs: 2_500 } })
  const first = await relay.promote('5')
  await relay.ends(first)
  const second = await relay.promote('6')
  await relay.ends(second)

  await flowsAgain(relay, first, second)
  expect(tokenRequests(relay).length).toBeGreaterThanOrEqual(3)
  expect(relay.simulator.log.every(({ status }) => status < 400)).toBe(true)
  expect(relay.counted.attempts).toEqual(['dispatched', 'dispatched'])
})

test.each([
  ['behind', 5 * MINUTE_MS],
  ['ahead of', -5 * MINUTE_MS],
])('a clock 5 minutes %s GitHub’s does no harm', async (_, clockAheadMs) => {
  const relay = await startAsApp({ simulator: { app: APP, clockAheadMs } })

  await flowsAgain(relay, await relay.promote('5'))

  expect(dispatched(relay)).toEqual([200])
  expect(relay.counted.attempts).toEqual(['dispatched'])
  const told = relay.lines.find(({ msg }) => msg.includes("differs from GitHub's"))
  expect(Number(told?.aheadSeconds) / -60).toBeCloseTo(clockAheadMs / MINUTE_MS, 0)
})

test.each<[InstallationState, boolean, RegExp]>([
  ['removed', true, /GitHub answered 401: Bad credentials/],
  ['removed', false, /no token of the GitHub App: GitHub answered 404: Not Found/],
  ['suspended', true, /GitHub answered 403: This installation has been suspended/],
  [
    'suspended',
    false,
    /no token of the GitHub App: GitHub answered 403: This installation has been suspended/,
  ],
])(
  'an installation that is %s (had a token: %j) makes promotions wait, until it is back',
  async (state, had, says) => {
    const relay = await startAsApp()
    const ids: string[] = []
    if (had) {
      ids.push(await relay.promote('4'))
      await relay.ends(ids[0] ?? '')
    }
    const before = dispatched(relay).length
    relay.simulator.setInstallation(state)
    ids.push(await relay.promote('5'), await relay.promote('1', { model: 'churn' }))
    const waiting = ids.slice(-2)

    const entry = await relay.circuitParked()
    expect(entry.failedReason).toMatch(/^acme\/models: credentials \(/)
    await probedOften(relay)
    for (const id of waiting) {
      expect((await relay.waitsFor(id, 'circuit')).deadLetters).toBe(0)
      expect(await relay.redis.hget(`{relay:0}:promotion:${id}`, 'spent')).toBe('0')
    }
    const [first] = relay.lines.filter(({ outcome }) => outcome === 'repository_fault')
    expect(first?.detail).toMatch(says)
    // One that had a token may have tried with it, once for each of the two that went at the same time.
    expect(dispatched(relay).length - before).toBeLessThanOrEqual(had ? 2 : 0)

    relay.simulator.setInstallation('active')

    await flowsAgain(relay, ...ids)
    await showsNoSecret(relay)
  },
)

test('a token that was taken away is replaced, and the promotion goes with the next one: no circuit opens', async () => {
  const relay = await startAsApp()
  const first = await relay.promote('5')
  await relay.ends(first)
  await relay.idle()
  // Its tokens are void, and it gives new ones.
  relay.simulator.setInstallation('removed')
  relay.simulator.setInstallation('active')

  relay.simulator.hold()
  const second = await relay.promote('6')
  await relay.reaches(second, 'dispatched')
  expect(await relay.redis.hget(`{relay:0}:promotion:${second}`, 'spent')).toBe('0')
  relay.simulator.release()

  await flowsAgain(relay, first, second)
  expect(dispatched(relay)).toEqual([200, 401, 200])
  expect(relay.counted.attempts).toEqual(['dispatched', 'transient', 'dispatched'])
  expect(tokenRequests(relay)).toEqual([201, 201])
  expect(relay.lines.filter(({ msg }) => msg === 'A circuit was probed')).toEqual([])
})

test('a GitHub that refuses every token it gives is no endless loop: the circuit opens', async () => {
  const relay = await startAsApp()
  relay.simulator.fault({ kind: 'status-before', status: 401, times: Number.POSITIVE_INFINITY })
  relay.simulator.fault({
    kind: 'status-before',
    status: 401,
    on: 'repository',
    times: Number.POSITIVE_INFINITY,
  })
  const id = await relay.promote('5')

  expect((await relay.circuitParked()).failedReason).toMatch(
    /credentials \(GitHub answered 401: Bad credentials/,
  )
  await relay.waitsFor(id, 'circuit')
  expect(dispatched(relay)).toEqual([401, 401])

  relay.simulator.clearFaults()
  await flowsAgain(relay, id)
})

test('where GitHub does not answer for a token nothing is sent, nobody waits past the send deadline, and it heals', async () => {
  const relay = await startAsApp({
    env: { DISPATCH_MAX_ATTEMPTS: '8' },
    pauses: { sendDeadlineMs: 200, faultPauseMs: 20 },
  })
  relay.simulator.fault({ kind: 'hang-before', on: 'access-token' })
  relay.simulator.fault({
    kind: 'status-before',
    on: 'access-token',
    status: 502,
    times: Number.POSITIVE_INFINITY,
  })
  const id = await relay.promote('5')

  await until('a first attempt', () => relay.counted.attempts.length >= 1)
  const [attempt] = relay.lines.filter(({ outcome }) => outcome === 'transient')
  expect(attempt?.detail).toBe('nothing was sent: GitHub gave no token of the App in time')
  expect(Number(attempt?.tookMs)).toBeLessThan(1_000)
  expect((await relay.circuitParked()).failedReason).toMatch(/^acme\/models: outage \(/)
  expect((await relay.waitsFor(id, 'circuit')).deadLetters).toBe(0)
  expect(dispatched(relay)).toEqual([])

  relay.simulator.clearFaults()
  // The first request hangs until its own limit.
  await flowsAgain(relay, id)
})

test('a limit on tokens is waited for, as long as GitHub says', async () => {
  const relay = await startAsApp()
  const headers = { 'retry-after': '1' }
  relay.simulator.fault({ kind: 'status-before', on: 'access-token', status: 429, headers })
  const id = await relay.promote('5')

  expect((await relay.circuitParked()).failedReason).toMatch(/^acme\/models: throttled \(nothing was sent/)
  await flowsAgain(relay, id)
  const [limited, given] = relay.simulator.log.filter(({ path }) => path.endsWith('/access_tokens'))
  expect(Number(given?.at) - Number(limited?.at)).toBeGreaterThanOrEqual(990)
})

test('no secret of the App is in a log line, a timeline or a job, though GitHub echoes what it is sent', async () => {
  const relay = await startAsApp()
  const body = { message: 'you sent {{authorization}}', '{{authorization}}': ['{{authorization}}'] }
  relay.simulator.fault({ kind: 'status-before', on: 'access-token', status: 403, body })
  const first = await relay.promote('5')
  await relay.ends(first)
  relay.simulator.fault({ kind: 'status-before', status: 422, body, headers: { 'x-github-request-id': 'x' } })
  const second = await relay.promote('6')
  await relay.parked(second)

  const text = JSON.stringify(relay.lines)
  expect(text).toContain('you sent bearer [redacted]')
  expect(text).toContain('you sent Bearer [redacted]')
  await showsNoSecret(relay)
})

test('a token rotated on disk while the circuit is open is used by the next probe, though its file looks as before', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'relay-token-')), 'token')
  onTestFinished(() => rmSync(join(file, '..'), { recursive: true }))
  const write = (text: string, like?: { atime: Date; mtime: Date }) => {
    writeFileSync(file, text)
    if (like) utimesSync(file, like.atime, like.mtime)
  }
  write('ghp_expired-token-1\n')
  write('ghp_expired-token-1\n', statSync(file))
  const before = statSync(file)
  const relay = await startRelay({
    simulator: { token: 'ghp_renewed-token-2' },
    env: { GITHUB_TOKEN: undefined, GITHUB_TOKEN_FILE: file },
    pauses: { circuitPauseMs: 20 },
  })
  const id = await relay.promote('5')
  expect((await relay.circuitParked()).failedReason).toMatch(/credentials \(GitHub answered 401/)
  await probedOften(relay)

  write('ghp_renewed-token-2\n', before)
  const { mtimeMs, size, ino } = statSync(file)
  expect([mtimeMs, size, ino]).toEqual([before.mtimeMs, before.size, before.ino])

  await flowsAgain(relay, id)
  expect(dispatched(relay)).toEqual([401, 200])
})

test('the rate limit and the end of the token are told from GitHub’s answers; of the end a warning comes a week ahead', async () => {
  const relay = await startRelay({
    simulator: { rateLimit: 1_000, tokenExpiration: `${inDays(6)} UTC` },
  })
  await relay.ends(await relay.promote('5'))
  await relay.ends(await relay.promote('6'))

  expect(relay.told.limits[0]).toEqual({
    resource: 'core',
    limit: 1_000,
    remaining: 999,
    resetAtMs: expect.closeTo(Date.now() + 3_600_000, -5),
  })
  expect(relay.told.expiries).toHaveLength(1)
  expect(relay.told.expiries[0]).toBeCloseTo(Date.now() + 6 * 86_400_000, -5)
  const warnings = relay.lines.filter(({ msg }) => msg.startsWith('GITHUB_TOKEN expires soon'))
  expect(warnings).toMatchObject([{ level: 'warn', daysLeft: 5 }])
})

test('a token of a GitHub App is renewed by itself: nobody is warned of its end', async () => {
  const relay = await startAsApp({ simulator: { app: APP, tokenExpiration: `${inDays(1)} UTC` } })
  await relay.ends(await relay.promote('5'))

  expect(relay.told.expiries).toEqual([])
  expect(JSON.stringify(relay.lines)).not.toContain('expires soon')
})

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19).replace('T', ' ')
}
