// A GitHub App and its one installation: issues tokens for a JWT that the App's key has signed, and knows them again.
// The checks, their order and the messages are GitHub's.
import { randomBytes, verify } from 'node:crypto'
import { type Answer, json, parsedJson, refusal } from './answer.ts'
import { toSecond } from './run-object.ts'
import type { AppConfig } from './settings.ts'

/** `removed`: nobody knows it, and its tokens are void, also once it is back. */
export type InstallationState = 'active' | 'suspended' | 'removed'

export interface AppInstallation {
  issue(jwt: string, installationId: number | undefined): Answer
  judge(token: string): 'good' | 'suspended' | 'unknown'
  set(state: InstallationState): void
}

const USUAL_PERMISSIONS = { actions: 'write', contents: 'read', metadata: 'read' } as const
const HOUR_MS = 3_600_000
const LONGEST_JWT_SECONDS = 600
const UNDECODABLE = 'A JSON web token could not be decoded'
const WRONG_IAT =
  "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
const WRONG_EXP =
  "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
const FAR_EXP = "'Expiration time' claim ('exp') is too far in the future"

export function openInstallation(app: AppConfig, now: () => number): AppInstallation {
  const { tokenLifeMs = HOUR_MS } = app
  const issued = new Map<string, number>()
  let state: InstallationState = 'active'
  return {
    issue(jwt, installationId) {
      const claims = claimsOf(jwt, app.publicKey)
      if (!claims) return refusal(401, UNDECODABLE)
      const problem = wrongTime(claims, now() / 1000)
      if (problem) return refusal(401, problem)
      if (String(claims.iss) !== app.id) return refusal(404, 'Integration not found')
      if (installationId !== app.installationId || state === 'removed') return refusal(404, 'Not Found')
      if (state === 'suspended') return refusal(403, 'This installation has been suspended')
      // As long as GitHub's own, which have been some 520 characters since 2026.
      const token = `ghs_${app.id}_${randomBytes(384).toString('base64url')}`
      const expiresAt = Math.floor((now() + tokenLifeMs) / 1000) * 1000
      issued.set(token, expiresAt)
      return json(201, {
        token,
        expires_at: toSecond(expiresAt),
        permissions: app.permissions ?? USUAL_PERMISSIONS,
        repository_selection: 'selected',
      })
    },
    judge(token) {
      if ((issued.get(token) ?? 0) <= now()) return 'unknown'
      return state === 'suspended' ? 'suspended' : 'good'
    },
    set(changed) {
      state = changed
      if (changed === 'removed') issued.clear()
    },
  }
}

interface Claims {
  iat?: unknown
  exp?: unknown
  iss?: unknown
}

/** undefined unless it is a JWT that the App has signed, by RS256. */
function claimsOf(jwt: string, publicKey: string): Claims | undefined {
  const [header = '', payload = '', signature = '', ...more] = jwt.split('.')
  const { alg } = (decoded(header) ?? {}) as { alg?: unknown }
  if (alg !== 'RS256' || more.length > 0) return undefined
  const signed = Buffer.from(`${header}.${payload}`)
  if (!verify('RSA-SHA256', signed, publicKey, Buffer.from(signature, 'base64url'))) return undefined
  return decoded(payload) as Claims | undefined
}

function decoded(part: string): unknown {
  return parsedJson(Buffer.from(part, 'base64url').toString('utf8'))
}

function wrongTime({ iat, exp }: Claims, nowSeconds: number): string | undefined {
  if (!Number.isInteger(iat) || Number(iat) > nowSeconds) return WRONG_IAT
  if (typeof exp !== 'number' || exp <= nowSeconds) return WRONG_EXP
  return exp > nowSeconds + LONGEST_JWT_SECONDS ? FAR_EXP : undefined
}

/** '' where there is none. */
export function tokenOf(authorization: string | string[] | undefined): string {
  return /^(?:bearer|token) +(\S+)$/i.exec(String(authorization ?? ''))?.[1] ?? ''
}
