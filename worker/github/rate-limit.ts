/** What GitHub's headers say of its primary rate limit. Source: GitHub's REST documentation, "Rate limits". */

export interface RateLimit {
  /** One of GitHub's names, or `other`: it becomes a label. */
  resource: string
  limit: number
  remaining: number
  /** ms since the epoch */
  resetAtMs: number
}

const RESOURCES: readonly string[] = [
  'core',
  'search',
  'code_search',
  'graphql',
  'integration_manifest',
  'source_import',
  'code_scanning_upload',
  'code_scanning_autofix',
  'actions_runner_registration',
  'scim',
  'dependency_snapshots',
  'dependency_sbom',
  'audit_log',
  'audit_log_streaming',
]

/** undefined where there is no limit, as on an Enterprise Server, or it can't be read. */
export function rateLimitFrom(headers: Readonly<Record<string, string>>): RateLimit | undefined {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) => {
    const text = headers[`x-ratelimit-${name}`] ?? ''
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  })
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined
  const resource = headers['x-ratelimit-resource'] ?? 'core'
  return {
    resource: RESOURCES.includes(resource) ? resource : 'other',
    limit,
    remaining,
    resetAtMs: reset * 1000,
  }
}
