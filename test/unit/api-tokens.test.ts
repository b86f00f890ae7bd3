// The file of named tokens: what a line says, what is told of one that can't be read, and what a fresh one looks like.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { newToken, parseTokens } from '../../shared/api-tokens.ts'

const DIGEST = 'a'.repeat(64)

describe('a file of tokens', () => {
  test('has a line for each: its name, its scopes, its digest', () => {
    const text = [
      '# who may what',
      '',
      `ci promote,read sha256:${DIGEST}`,
      `  ops.night\tread,operate   sha256:${'b'.repeat(64)}\r`,
    ].join('\n')
    expect(parseTokens(text)).toEqual({
      tokens: [
        { name: 'ci', scopes: ['promote', 'read'], digest: DIGEST },
        { name: 'ops.night', scopes: ['read', 'operate'], digest: 'b'.repeat(64) },
      ],
      problems: [],
    })
  })

  test('may hold two of one name, while one takes the place of the other', () => {
    const { tokens } = parseTokens(`ci read sha256:${DIGEST}\nci read sha256:${'b'.repeat(64)}`)
    expect(tokens.map(({ name }) => name)).toEqual(['ci', 'ci'])
  })

  test.each([
    ['ci read', 'is not `name scopes sha256:digest`'],
    [`ci read write sha256:${DIGEST}`, 'is not `name scopes sha256:digest`'],
    [`c/i read sha256:${DIGEST}`, "has no name: it must be 1 to 100 letters, digits, '.', '_' and '-'"],
    [
      `ci write sha256:${DIGEST}`,
      'has no scopes: they must be of promote, read, operate, with a comma between them',
    ],
    ['ci read relay_sentinel', 'has no digest: it must be sha256: and 64 hexadecimal digits in lower case'],
    [`two read sha256:${DIGEST}`, 'has the token of an earlier line'],
  ])('leaves %s out, and says why by its number alone', (line, problem) => {
    const { tokens, problems } = parseTokens(`one read sha256:${DIGEST}\n${line}`)
    expect(tokens.map(({ name }) => name)).toEqual(['one'])
    expect(problems).toEqual([`line 2 ${problem}`])
  })
})

describe('a fresh token', () => {
  test('is long, another one each time, and known by its line', () => {
    const [first, second] = [newToken('ci', ['promote', 'read']), newToken('ci', ['promote', 'read'])]
    expect(first.token).toMatch(/^relay_[\w-]{43}$/)
    expect(second.token).not.toBe(first.token)
    const digest = createHash('sha256').update(first.token).digest('hex')
    expect(first.line).toBe(`ci promote,read sha256:${digest}`)
    expect(parseTokens(first.line).problems).toEqual([])
  })
})
