/** What about the settings of log-in is wrong that no single one of them shows. */
import { readFileSync } from 'node:fs'
import { parseUsers } from './ops-users.ts'

interface Given {
  has(name: string): boolean
  text(name: string): string | undefined
}

export function opsProblems({ has, text }: Given): string[] {
  const problems: string[] = []
  if (has('OPS_PROXY_USER_HEADER') && !has('OPS_TRUSTED_PROXIES'))
    problems.push(
      'OPS_TRUSTED_PROXIES is missing: OPS_PROXY_USER_HEADER counts only from a proxy named there',
    )
  if (has('OPS_PROXY_OPERATORS') && !has('OPS_PROXY_USER_HEADER'))
    problems.push(
      'OPS_PROXY_USER_HEADER is missing: without it no proxy names anybody of OPS_PROXY_OPERATORS',
    )
  const path = text('OPS_USERS_FILE')
  const owner = has('OPS_PASSWORD') ? (text('OPS_USER') ?? 'ops') : undefined
  return path === undefined ? problems : [...problems, ...problemsOfUsers(path, owner)]
}

/** At the start each line must be right; one that is spoilt later is left out, and the log says so. */
function problemsOfUsers(path: string, owner: string | undefined): string[] {
  try {
    const { users, problems } = parseUsers(readFileSync(path, 'utf8'))
    const taken = users.some(({ name }) => name === owner)
      ? ['has a line for OPS_USER, whose password is OPS_PASSWORD']
      : []
    return [...problems, ...taken].map((problem) => `OPS_USERS_FILE ${problem}`)
  } catch (error) {
    return [`OPS_USERS_FILE can't be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`]
  }
}
