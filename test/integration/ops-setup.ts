/** People at the pages for ops, as browsers have them: a cookie, an origin, and forms. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { newUserLine, type Role } from '../../shared/ops-users.ts'
import { temporaryDir } from '../support/up.ts'
import type { Api, Reply } from './http-setup.ts'

export const HTML = { accept: 'text/html,application/xhtml+xml' }

export interface Ask {
  headers?: Record<string, string>
  body?: unknown
}

/** What a browser sends with a form of our own pages. */
export function ownPage(server: Pick<Api, 'url'>): Record<string, string> {
  return { origin: new URL(server.url).origin, 'sec-fetch-site': 'same-origin' }
}

export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${user}:${password}`)}` }
}

export function logInForm(
  server: Api,
  fields: Record<string, string>,
  headers: Record<string, string> = ownPage(server),
): Promise<Reply> {
  return server.call('POST', '/log-in', {
    token: null,
    body: new URLSearchParams(fields).toString(),
    headers: { ...HTML, ...headers, 'content-type': 'application/x-www-form-urlencoded' },
  })
}

/** `name=value` of the cookie that was set. */
export function cookieOf(reply: Reply): string {
  return reply.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

/** Somebody who has logged in by the form. */
export async function logIn(server: Api, user: string, password: string) {
  const reply = await logInForm(server, { user, password })
  if (reply.status !== 303) throw new Error(`no log-in: ${reply.status} ${reply.text}`)
  const cookie = cookieOf(reply)
  const ask = (method: string, where: string, { headers = {}, body }: Ask = {}) =>
    server.call(method, where, { token: null, body, headers: { cookie, ...headers } })
  return {
    cookie,
    ask,
    get: (where: string, headers: Record<string, string> = {}) => ask('GET', where, { headers }),
    /** From our own page. */
    change: (method: string, where: string, body?: unknown) =>
      ask(method, where, { body, headers: ownPage(server) }),
  }
}

/** A file of people; `line` makes one's. */
export async function usersFile(people: readonly [name: string, role: Role, password: string][]) {
  const file = path.join(temporaryDir('ops-users'), 'users')
  const write = async (all: typeof people) => {
    const lines = await Promise.all(all.map((one) => newUserLine(...one)))
    await writeFile(file, `# people\n${lines.join('\n')}\n`)
  }
  await write(people)
  return { file, write }
}
