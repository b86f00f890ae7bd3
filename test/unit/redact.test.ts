// The last gate: no known secret leaves in any form in which it travels.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRedactor, redactDeep, SHORTEST_SECRET } from '../../shared/redact.ts'
import { secretFromFile, secretFromValue } from '../../shared/secret.ts'

const TOKEN = 'ghp_0123456789abcdefABCDEF'
/** Everything that an encoding may change. */
const AWKWARD = 'p@ss "w/ö\\rd" +%&=\'(!)*~<>?\t🔑'
const PEM = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'}\n${'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'}\n-----END PRIVATE KEY-----`

function setup(...values: string[]) {
  return createRedactor(values.map((value, i) => secretFromValue(`SECRET_${i}`, value)))
}

describe('a secret is redacted', () => {
  const json = (text: string) => JSON.stringify(text).slice(1, -1)
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const base64url = (text: string) => Buffer.from(text).toString('base64url')
  const form = (text: string) => new URLSearchParams({ q: text }).toString().slice(2)
  const lowerCase = (text: string) => text.replace(/%../g, (code) => code.toLowerCase())
  const encodings: [string, (text: string) => string][] = [
    ['as it is', (text) => text],
    ['inside JSON', json],
    ['inside JSON inside JSON', (text) => json(json(text))],
    ['in an address', encodeURIComponent],
    ['in an address, in small letters', (text) => lowerCase(encodeURIComponent(text))],
    ['in an address as a whole', encodeURI],
    ['in a form', form],
    ['in base64', base64],
    ['in base64 for addresses', base64url],
    ['in base64 without its end', (text) => base64(text).replace(/=+$/, '')],
    ['in basic authentication', (text) => base64(`ops:${text}`)],
    ['in basic authentication of another user', (text) => base64(`admin:${text}`)],
    ['in basic authentication of a third', (text) => base64(`x-access-token:${text}`)],
    ['as the user of basic authentication', (text) => base64(`${text}:x-oauth-basic`)],
    ['amid base64 for addresses', (text) => base64url(`{"token":"${text}"}`)],
  ]
  for (const [name, secret] of Object.entries({ token: TOKEN, 'awkward password': AWKWARD, key: PEM })) {
    test.each(encodings)(`a ${name} %s`, (_, encode) => {
      const form = encode(secret)
      const [, first, second] =
        /^before (.+) behind, (.+)\.$/s.exec(setup(secret)(`before ${form} behind, ${form}.`)) ?? []
      // What is left is what stood around it, and in base64 the characters shared with that.
      const around = encode('').length + 4
      for (const clean of [first, second]) {
        expect(clean).toContain('[redacted]')
        expect(clean?.replaceAll('[redacted]', '').length).toBeLessThanOrEqual(around)
      }
    })
  }

  test('each line of a key by itself, as a log cut by lines shows it', () => {
    const redact = setup(PEM)
    for (const line of PEM.split('\n')) expect(redact(`> ${line}`)).toBe('> [redacted]')
  })

  test('each line of a key with the line ends of Windows, without them', () => {
    const redact = setup(PEM.replaceAll('\n', '\r\n'))
    for (const line of PEM.split('\n')) expect(redact(`> ${line}`)).toBe('> [redacted]')
  })

  test('the longer one first, where one secret begins like another', () => {
    const redact = setup('ghp_01234567', `ghp_01234567${'89abcdef'}`)
    expect(redact('x ghp_0123456789abcdef y ghp_01234567 z')).toBe('x [redacted] y [redacted] z')
  })

  test('side by side with another one', () => {
    expect(setup('first-secret', 'other-secret')('first-secretother-secret')).toBe('[redacted][redacted]')
  })

  test('with a $ in it, to the letter', () => {
    expect(setup('pa$$word$&')('my pa$$word$& is')).toBe('my [redacted] is')
  })
})

describe('a secret that came at run time', () => {
  const nth = (n: number) => `ghs_${String(n).repeat(36).slice(0, 36)}`

  test('is redacted once it is told of, in each form, and others as before', () => {
    const redact = setup(TOKEN)
    expect(redact(nth(1))).toBe(nth(1))
    redact.learn(nth(1))
    const inBase64 = Buffer.from(`x-access-token:${nth(1)}`).toString('base64')
    expect(redact(`${nth(1)} ${TOKEN}`)).toBe('[redacted] [redacted]')
    expect(redact(inBase64)).toContain('[redacted]')
  })

  test('stays so while nine others follow, and for good while it is told of again', () => {
    const redact = setup(TOKEN)
    redact.learn(nth(10))
    redact.learn(nth(11))
    for (let n = 12; n < 30; n++) {
      redact.learn(nth(n))
      expect(redact(nth(10))).toBe('[redacted]')
      redact.learn(nth(10))
    }
    for (const n of [10, 21, 29]) expect([n, redact(nth(n))]).toEqual([n, '[redacted]'])
    expect(redact(`${nth(11)} ${nth(20)}`)).toBe(`${nth(11)} ${nth(20)}`)
    expect(redact(TOKEN)).toBe('[redacted]')
  })

  test('too short to be one is not', () => {
    const redact = setup()
    redact.learn('main')
    expect(redact('main')).toBe('main')
  })
})

describe('what is no secret stays', () => {
  test('other text comes through unchanged', () => {
    const text = 'fraud-detector 5 → production: GitHub answered 422 [redacted?]'
    expect(setup(TOKEN, AWKWARD, PEM)(text)).toBe(text)
  })

  test('a value too short to be a secret would blank out ordinary words', () => {
    const short = 'x'.repeat(SHORTEST_SECRET - 1)
    expect(setup('', 'a', 'main', short)(`main a ${short}`)).toBe(`main a ${short}`)
  })

  test('the shortest secret is redacted', () => {
    expect(setup('x'.repeat(SHORTEST_SECRET))('xxxxxx')).toBe('[redacted]')
  })

  test('without secrets nothing changes', () => {
    expect(createRedactor([])('anything')).toBe('anything')
  })
})

describe('a secret in a file', () => {
  function file(content: string) {
    const folder = mkdtempSync(join(tmpdir(), 'redact-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'token')
    writeFileSync(path, content)
    return { path, secret: secretFromFile('GITHUB_TOKEN', path) }
  }

  test('is redacted under its new value as soon as it is rotated, and under its old one ever after', () => {
    const { path, secret } = file('old-token-value\n')
    const redact = createRedactor([secret])
    expect(redact('old-token-value new-token-value!')).toBe('[redacted] new-token-value!')
    writeFileSync(path, 'new-token-value!\n')
    expect(redact('old-token-value new-token-value!')).toBe('[redacted] [redacted]')
    writeFileSync(path, 'third-token-value-of-it')
    expect(redact('old-token-value new-token-value! third-token-value-of-it')).toBe(
      '[redacted] [redacted] [redacted]',
    )
  })

  test('that has gone is still redacted, and breaks nothing', () => {
    const { path, secret } = file('old-token-value')
    const redact = createRedactor([secret])
    redact('')
    rmSync(path)
    expect(redact('old-token-value')).toBe('[redacted]')
  })

  test('that was never there breaks nothing', () => {
    const redact = createRedactor([
      secretFromFile('GITHUB_TOKEN', '/nowhere/token'),
      secretFromValue('X', TOKEN),
    ])
    expect(redact(TOKEN)).toBe('[redacted]')
  })
})

describe('a secret never shows by itself', () => {
  test('printed, logged or serialised', () => {
    const secret = secretFromValue('GITHUB_TOKEN', TOKEN)
    const shown = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }),
      inspect(secret),
    ]
    for (const text of shown) {
      expect(text).toContain('[secret]')
      expect(text).not.toContain(TOKEN)
    }
  })

  test('nor does it by being copied or listed', () => {
    const secret = secretFromValue('GITHUB_TOKEN', TOKEN)
    expect(inspect({ ...secret }, { depth: 9, showHidden: true })).not.toContain(TOKEN)
    expect(Object.values(secret)).not.toContain(TOKEN)
  })
})

describe('redactDeep', () => {
  test('reaches every text and every name', () => {
    const redact = setup(TOKEN)
    const value = { list: [TOKEN, { [TOKEN]: `Bearer ${TOKEN}` }], [`x-${TOKEN}`]: null, n: 5, no: false }
    expect(redactDeep(value, redact)).toEqual({
      list: ['[redacted]', { '[redacted]': 'Bearer [redacted]' }],
      'x-[redacted]': null,
      n: 5,
      no: false,
    })
  })

  test('leaves what it was given as it was', () => {
    const value = { a: [TOKEN] }
    redactDeep(value, setup(TOKEN))
    expect(value).toEqual({ a: [TOKEN] })
  })

  test.each([null, undefined, 0, true, 5n, ''])('gives %s back', (value) => {
    expect(redactDeep(value, setup(TOKEN))).toBe(value)
  })

  test('cuts off what is nested without end, its secret with it', () => {
    let nested: unknown = TOKEN
    for (let i = 0; i < 100_000; i++) nested = i % 2 ? [nested] : { nested }
    const clean = JSON.stringify(redactDeep(nested, setup(TOKEN)))
    expect(clean).toContain('[cut off]')
    expect(clean).not.toContain(TOKEN)
  })

  test('a __proto__ from JSON stays a name', () => {
    const clean = redactDeep(JSON.parse(`{"__proto__": {"a": "${TOKEN}"}}`), setup(TOKEN))
    expect(Object.getPrototypeOf(clean)).toBe(Object.prototype)
    expect(JSON.stringify(clean)).toBe('{"__proto__":{"a":"[redacted]"}}')
  })
})
