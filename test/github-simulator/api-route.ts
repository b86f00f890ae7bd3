// Which operation of GitHub's API a request means, from its method and path alone.

export type Operation =
  | 'dispatch'
  | 'get-run'
  | 'list-runs'
  | 'repository'
  | 'contents'
  | 'workflow'
  | 'cancel'
  | 'rerun'
  | 'rate-limit'
  | 'access-token'
  | 'unknown'

export interface ApiRoute {
  operation: Operation
  owner: string
  repo: string
  /** File or id, where the path names one. */
  workflow?: string
  runId?: number
  /** Of a file in the repository. */
  file?: string
  installationId?: number
  /** '/api/v3' when it was addressed as on an Enterprise Server. */
  prefix: string
}

const PATTERNS: [method: string, path: RegExp, operation: Operation][] = [
  ['GET', /^\/rate_limit$/, 'rate-limit'],
  ['POST', /^\/app\/installations\/(?<installation>\d+)\/access_tokens$/, 'access-token'],
  ['GET', /^\/repos\/(?<owner>[^/]+)\/(?<repo>[^/]+)$/, 'repository'],
  ['GET', /^\/repos\/(?<owner>[^/]+)\/(?<repo>[^/]+)\/contents\/(?<file>.+)$/, 'contents'],
  ['GET', inActions('workflows/(?<workflow>[^/]+)'), 'workflow'],
  ['POST', inActions('workflows/(?<workflow>[^/]+)/dispatches'), 'dispatch'],
  ['GET', inActions('workflows/(?<workflow>[^/]+)/runs'), 'list-runs'],
  ['GET', inActions('runs'), 'list-runs'],
  ['GET', inActions('runs/(?<run>\\d+)'), 'get-run'],
  ['POST', inActions('runs/(?<run>\\d+)/cancel'), 'cancel'],
  ['POST', inActions('runs/(?<run>\\d+)/rerun'), 'rerun'],
]

function inActions(rest: string): RegExp {
  return new RegExp(`^/repos/(?<owner>[^/]+)/(?<repo>[^/]+)/actions/${rest}$`)
}

export function apiRoute(method: string, pathname: string): ApiRoute {
  const prefix = /^\/api\/v3(?=\/|$)/.exec(pathname)?.[0] ?? ''
  const path = pathname.slice(prefix.length)
  for (const [wanted, pattern, operation] of PATTERNS) {
    const match = wanted === method ? pattern.exec(path) : null
    if (!match) continue
    const groups = match.groups ?? {}
    return {
      operation,
      owner: decoded(groups.owner),
      repo: decoded(groups.repo),
      prefix,
      ...(groups.workflow === undefined ? {} : { workflow: decoded(groups.workflow) }),
      ...(groups.file === undefined ? {} : { file: decoded(groups.file) }),
      ...(groups.run === undefined ? {} : { runId: Number(groups.run) }),
      ...(groups.installation === undefined ? {} : { installationId: Number(groups.installation) }),
    }
  }
  return { operation: 'unknown', owner: '', repo: '', prefix }
}

function decoded(part: string | undefined): string {
  try {
    return decodeURIComponent(part ?? '')
  } catch {
    return part ?? ''
  }
}
