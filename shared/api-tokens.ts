/**
 * Named tokens of the API, each with scopes: a file with one line a token, `name scopes sha256:…`. It holds digests
 * alone. A token is 256 random bits: nobody can guess it or try them all, so plain SHA-256 is enough, and quick; the
 * slow digests of passwords are for what people make up.
 */
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'

/** promote: put promotions in; read: see promotions and targets; operate: hold, release and roll back. */
export const SCOPES = ['promote', 'read', 'operate'] as const
export type Scope = (typeof SCOPES)[number]

export interface ApiToken {
  /** Shown in timelines and log lines. Two tokens may share it while one takes the other's place. */
  name: string
  scopes: readonly Scope[]
  /** SHA-256 in hex. */
  digest: string
}

export const tokenNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "must be 1 to 100 letters, digits, '.', '_' and '-'")

export const scopesSchema = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(SCOPES, { error: `must be of ${SCOPES.join(', ')}, with a comma between them` })))

const DIGEST = /^sha256:([0-9a-f]{64})$/

/** @returns every line that can be read, and what is wrong with each of the others, never with its text. */
export function parseTokens(text: string): { tokens: ApiToken[]; problems: string[] } {
  const tokens: ApiToken[] = []
  const problems: string[] = []
  text.split(/\r?\n/).forEach((line, i) => {
    const words = line.trim().split(/\s+/)
    if (words[0] === '' || words[0]?.startsWith('#')) return
    const read = words.length === 3 ? tokenFrom(words) : 'is not `name scopes sha256:digest`'
    const problem =
      typeof read !== 'string'
        ? tokens.some(({ digest }) => digest === read.digest) && 'has the token of an earlier line'
        : read
    if (problem) problems.push(`line ${i + 1} ${problem}`)
    else tokens.push(read as ApiToken)
  })
  return { tokens, problems }
}

function tokenFrom([name, scopeText, digestText = '']: string[]): ApiToken | string {
  const [named, scopes] = [tokenNameSchema.safeParse(name), scopesSchema.safeParse(scopeText)]
  const digest = DIGEST.exec(digestText)?.[1]
  if (!named.success) return `has no name: it ${named.error.issues[0]?.message}`
  if (!scopes.success) return `has no scopes: they ${scopes.error.issues[0]?.message}`
  if (digest === undefined) return 'has no digest: it must be sha256: and 64 hexadecimal digits in lower case'
  return { name: named.data, scopes: [...new Set(scopes.data)], digest }
}

/** A fresh token, which is to be shown once, and its line for the file. */
export function newToken(name: string, scopes: readonly Scope[]): { token: string; line: string } {
  const token = `relay_${randomBytes(32).toString('base64url')}`
  return { token, line: `${name} ${scopes.join(',')} sha256:${digestOf(token)}` }
}

/** SHA-256 in hex. */
export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
