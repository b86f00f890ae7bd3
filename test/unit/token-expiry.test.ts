// When a token ends, as GitHub's header tells it: what is read of it, shown, and said to whom.
import { describe, expect, test } from 'vitest'
import { createTokenExpiry, tokenExpiryFrom } from '../../worker/github/token-expiry.ts'
import { watchAnswers } from '../../worker/github/watch-answers.ts'

const NOW = Date.UTC(2026, 10, 23, 8)
const HOUR = 3_600_000
const DAY = 24 * HOUR

function setup() {
  const clock = { now: NOW }
  const shown: (number | undefined)[] = []
  const said: string[] = []
  const say = (level: string) => (_: object, msg?: string) => void said.push(`${level} ${msg}`)
  const log = { warn: say('warn'), error: say('error') } as unknown as Parameters<
    typeof createTokenExpiry
  >[0]['log']
  const expiry = createTokenExpiry({ show: (atMs) => void shown.push(atMs), log, now: () => clock.now })
  const answer = (status: number, endsAtMs?: number) =>
    expiry.seen({ status, headers: endsAtMs === undefined ? {} : header(endsAtMs) })
  return { expiry, answer, clock, shown, said, log }
}

function header(atMs: number): Record<string, string> {
  const text = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')
  return { 'github-authentication-token-expiration': `${text} UTC` }
}

const SOON = 'warn GITHUB_TOKEN expires soon: put a new one in its place'
const OVER = 'error GITHUB_TOKEN has expired: nothing is dispatched until there is a new one'

describe('the header', () => {
  test.each([
    ['2026-11-30 10:00:00 UTC', Date.UTC(2026, 10, 30, 10)],
    ['2026-11-30 10:00:00 +0000', Date.UTC(2026, 10, 30, 10)],
    ['2026-11-30 10:00:00 -0700', Date.UTC(2026, 10, 30, 17)],
    ['2026-11-30 10:00:00 +05:30', Date.UTC(2026, 10, 30, 4, 30)],
    ['2026-11-30T10:00:00Z', Date.UTC(2026, 10, 30, 10)],
  ])('%s', (text, atMs) => {
    expect(tokenExpiryFrom(text)).toBe(atMs)
  })

  test.each([
    '',
    'never',
    '0',
    '2026-11-30',
    '2026-13-30 10:00:00 UTC',
    '2026-11-30 10:00:00 CET',
    'x 2026-11-30 10:00:00 UTC',
  ])('%j says nothing', (text) => {
    expect(tokenExpiryFrom(text)).toBeUndefined()
  })
})

describe('the figure', () => {
  test('follows the token', () => {
    const { answer, shown } = setup()
    answer(200, NOW + 30 * DAY)
    answer(422, NOW + 30 * DAY)
    answer(200, NOW + 90 * DAY)
    expect(shown).toEqual([NOW + 30 * DAY, NOW + 90 * DAY])
  })

  test('goes with a token that has no end, but not with an error that does not tell one', () => {
    const { answer, shown } = setup()
    answer(200, NOW + 30 * DAY)
    answer(401)
    answer(502)
    expect(shown).toEqual([NOW + 30 * DAY])
    answer(204)
    expect(shown).toEqual([NOW + 30 * DAY, undefined])
  })

  test('is not led astray by an end that can not be, of a token that works', () => {
    const { expiry, answer, shown, said } = setup()
    answer(200, NOW + 30 * DAY)
    answer(200, NOW)
    answer(200, NOW - DAY)
    expiry.seen({ status: 200, headers: { 'github-authentication-token-expiration': 'soon' } })
    // By GitHub's clock, which is another one.
    const date = new Date(NOW + HOUR).toUTCString()
    expiry.seen({ status: 200, headers: { ...header(NOW + HOUR), date } })
    expect([shown, said]).toEqual([[NOW + 30 * DAY], []])
  })
})

describe('the warning', () => {
  test('comes a week ahead, and not before', () => {
    const { answer, said } = setup()
    answer(200, NOW + 7 * DAY)
    expect(said).toEqual([])
    answer(200, NOW + 7 * DAY - 1_000)
    expect(said).toEqual([SOON])
  })

  test('comes once a day, however much is asked', () => {
    const { answer, clock, said } = setup()
    for (let hour = 0; hour < 48; hour++) {
      clock.now = NOW + hour * HOUR
      answer(200, NOW + 5 * DAY)
      answer(200, NOW + 5 * DAY)
    }
    expect(said).toEqual([SOON, SOON])
  })

  test('comes at once when the token has expired, and once a day from then on', () => {
    const { answer, clock, said } = setup()
    answer(200, NOW + HOUR)
    clock.now = NOW + HOUR + 1
    answer(401)
    answer(401)
    expect(said).toEqual([SOON, OVER])
    clock.now = NOW + DAY + 2 * HOUR
    answer(401)
    expect(said).toEqual([SOON, OVER, OVER])
  })

  test('comes without an answer too, where nothing is dispatched', () => {
    const { expiry, answer, clock, said } = setup()
    answer(200, NOW + 30 * DAY)
    clock.now = NOW + 25 * DAY
    expiry.look()
    clock.now = NOW + 31 * DAY
    expiry.look()
    expect(said).toEqual([SOON, OVER])
  })

  test('ends with a new token', () => {
    const { answer, clock, said } = setup()
    answer(200, NOW + DAY)
    answer(200, NOW + 90 * DAY)
    clock.now = NOW + 3 * DAY
    answer(200, NOW + 90 * DAY)
    expect(said).toEqual([SOON])
  })
})

describe('what is read off every answer', () => {
  function watching(ofApp = false) {
    const { clock, log, said } = setup()
    const shown: unknown[] = []
    const show = (seen: unknown) => void shown.push(seen)
    const watch = watchAnswers({
      metrics: { rateLimit: show, tokenExpiry: show },
      log,
      ofApp,
      now: () => clock.now,
    })
    return { watch, clock, shown, said }
  }
  const limit = (change: Record<string, string> = {}) => ({
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '4990',
    'x-ratelimit-reset': '1795420800',
    'x-ratelimit-resource': 'core',
    ...change,
  })

  test('the limit, as GitHub tells it', () => {
    const { watch, shown } = watching()
    watch.observe({ status: 403, headers: limit() })
    expect(shown).toEqual([{ resource: 'core', limit: 5000, remaining: 4990, resetAtMs: 1_795_420_800_000 }])
  })

  test('a resource that GitHub may invent is counted as other: labels stay few', () => {
    const { watch, shown } = watching()
    for (const name of ['core', 'graphql', 'x'.repeat(1_000), '', 'brand_new'])
      watch.observe({ status: 200, headers: limit({ 'x-ratelimit-resource': name }) })
    expect(shown.map((seen) => (seen as { resource: string }).resource)).toEqual([
      'core',
      'graphql',
      'other',
      'other',
      'other',
    ])
  })

  test.each([
    {},
    limit({ 'x-ratelimit-limit': '' }),
    limit({ 'x-ratelimit-remaining': '-1' }),
    limit({ 'x-ratelimit-reset': 'Infinity' }),
    limit({ 'x-ratelimit-reset': '9'.repeat(400) }),
  ])('no limit, or one that can not be read, shows nothing: %j', (headers) => {
    const { watch, shown } = watching()
    watch.observe({ status: 200, headers })
    expect(shown).toEqual([])
  })

  test('the end of a token, but not of a GitHub App’s, which is renewed', () => {
    const plain = watching()
    plain.watch.observe({ status: 200, headers: header(NOW + DAY) })
    expect([plain.shown, plain.said]).toEqual([[NOW + DAY], [SOON]])
    const app = watching(true)
    app.watch.observe({ status: 200, headers: header(NOW + DAY) })
    expect([app.shown, app.said]).toEqual([[], []])
  })

  test('where nothing was answered for six hours it is asked, so that an end is not missed', async () => {
    const { watch, clock } = watching()
    let asked = 0
    const ask = async () => {
      asked++
      watch.observe({ status: 200, headers: {} })
    }
    for (let hour = 0; hour <= 24; hour++) {
      clock.now = NOW + hour * HOUR
      await watch.look(ask)
    }
    expect(asked).toBe(4)
    const app = watching(true)
    app.clock.now = NOW + DAY
    await app.watch.look(ask)
    expect(asked).toBe(4)
  })
})
