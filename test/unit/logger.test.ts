// The logger: one JSON object a line, and no secret in any part of it.
import { describe, expect, test } from 'vitest'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { type Secret, secretFromValue } from '../../shared/secret.ts'

const TOKEN = 'ghp_0123456789abcdefABCDEF'
const AWKWARD = 'p@ss "w/ö\\rd"\n+%&='

function setup({
  level = 'trace',
  base,
  secrets,
}: {
  level?: string
  base?: object
  secrets?: Secret[]
} = {}) {
  const written: string[] = []
  const known = secrets ?? [secretFromValue('GITHUB_TOKEN', TOKEN), secretFromValue('OPS_PASSWORD', AWKWARD)]
  const log = createLogger({
    level,
    redact: createRedactor(known),
    destination: { write: (line) => void written.push(line) },
    ...(base ? { base: base as Record<string, unknown> } : {}),
  })
  return {
    log,
    written,
    /** The only line, parsed. */
    line() {
      expect(written).toHaveLength(1)
      return JSON.parse(String(written[0])) as Record<string, unknown>
    },
  }
}

describe('a line', () => {
  test('is one JSON object with level, time, fields and message', () => {
    const { log, written, line } = setup()
    log.info({ promotionId: 'p-1', attempt: 2 }, 'Successfully triggered CD pipeline')
    expect(line()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      promotionId: 'p-1',
      attempt: 2,
      msg: 'Successfully triggered CD pipeline',
    })
    expect(String(written[0]).match(/\n/g)).toHaveLength(1)
  })

  test('carries the fields of every line', () => {
    const { log, line } = setup({ base: { role: 'worker' } })
    log.warn('x')
    expect(line()).toMatchObject({ role: 'worker', level: 'warn' })
  })

  test('below the level is not written', () => {
    const { log, written } = setup({ level: 'warn' })
    log.debug('a')
    log.info('b')
    log.error('c')
    expect(written).toHaveLength(1)
  })

  test("leaves out a command's arguments, which ioredis adds to what Redis refuses", () => {
    const { log, line } = setup()
    const command = { name: 'auth', args: [Buffer.from('right-horse-battery')] }
    log.error({ err: Object.assign(new Error('ERR invalid password'), { command }) }, 'It broke')
    expect(line().err).toMatchObject({ message: 'ERR invalid password' })
    expect(line().err).not.toHaveProperty('command')
  })

  test('tells an error with its stack and what caused it', () => {
    const { log, line } = setup()
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'It broke')
    expect(line().err).toMatchObject({ type: 'Error', message: 'outer: inner' })
    expect((line().err as { stack: string }).stack).toMatch(
      /outer[\s\S]+logger\.test\.ts[\s\S]+caused by: Error: inner/,
    )
  })

  test('stays a line whatever a field holds', () => {
    const { log, line } = setup()
    log.info({ detail: 'a\n{"level":"fatal"}\r\u2028b\u0000\ud800' }, 'one\ntwo')
    expect(line()).toMatchObject({ level: 'info', msg: 'one\ntwo' })
  })
})

describe('no secret comes through', () => {
  type Log = ReturnType<typeof createLogger>
  const failure = (secret: string) =>
    Object.assign(
      new AggregateError([new Error(`first ${secret}`)], `outer ${secret}`, {
        cause: Object.assign(new TypeError(`inner ${secret}`), { cause: new Error(`innermost ${secret}`) }),
      }),
      { request: { headers: { authorization: `Bearer ${secret}` } }, code: secret },
    )
  const places: [string, (log: Log, secret: string) => void][] = [
    ['in the message', (log, secret) => log.info(`token is ${secret}`)],
    ['in an argument of the message', (log, secret) => log.info('token is %s', secret)],
    ['in an object of the message', (log, secret) => log.info('token is %j', { secret })],
    ['in a field', (log, secret) => log.info({ secret }, 'x')],
    ['in a name', (log, secret) => log.info({ [secret]: 1 }, 'x')],
    ['deep in a field', (log, secret) => log.info({ a: [{ b: { [secret]: [secret] } }] }, 'x')],
    ['in JSON in a field', (log, secret) => log.info({ body: JSON.stringify({ secret }) }, 'x')],
    ['in an address', (log, secret) => log.info({ url: `https://x/?t=${encodeURIComponent(secret)}` }, 'x')],
    ['in basic authentication', (log, secret) => log.info({ h: `Basic ${btoa64(`ops:${secret}`)}` }, 'x')],
    ['in an error', (log, secret) => log.error({ err: failure(secret) }, 'x')],
    ['in an error that is the line', (log, secret) => log.error(failure(secret))],
    ['in an error under another name', (log, secret) => log.error({ reason: failure(secret) }, 'x')],
    ['in the fields of a child', (log, secret) => log.child({ secret, [secret]: 1 }).info('x')],
    ['in a toJSON', (log, secret) => log.info({ a: { toJSON: () => ({ secret }) } }, 'x')],
    ['in a line of debug', (log, secret) => log.debug({ secret }, secret)],
    ['in a fatal line', (log, secret) => log.fatal({ secret }, secret)],
  ]
  for (const secret of [TOKEN, AWKWARD]) {
    test.each(places)(`%s (${secret.slice(0, 4)}…)`, (_, write) => {
      const { log, written, line } = setup()
      write(log, secret)
      const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), btoa64(secret)]
      for (const form of forms) expect(written.join()).not.toContain(form)
      expect(written.join()).not.toContain(btoa64(`ops:${secret}`).slice(8, 24))
      expect(line()).toHaveProperty('level')
    })
  }

  test('as a setting’s own object', () => {
    const token = secretFromValue('GITHUB_TOKEN', TOKEN)
    const { log, line } = setup({ secrets: [] })
    log.info({ token, settings: { token } }, `${token}`)
    expect(line()).toMatchObject({ token: '[secret]', settings: { token: '[secret]' }, msg: '[secret]' })
  })

  test('in the fields of every line', () => {
    const { log, written } = setup({ base: { role: TOKEN } })
    log.info('x')
    expect(written.join()).not.toContain(TOKEN)
  })

  test('also after it was rotated', () => {
    let value = 'old-token-value'
    const { log, written } = setup({ secrets: [{ name: 'GITHUB_TOKEN', read: () => value }] })
    log.info('start')
    value = 'new-token-value'
    log.info('old-token-value new-token-value')
    expect(JSON.parse(String(written[1])).msg).toBe('[redacted] [redacted]')
  })

  function btoa64(text: string): string {
    return Buffer.from(text).toString('base64')
  }
})
