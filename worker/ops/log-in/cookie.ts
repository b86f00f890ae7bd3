/**
 * The cookie that carries a session's id. `SameSite=Lax`, so that a link in an alert opens the page it leads to; Strict
 * would ask for a log-in there. A GET changes nothing here, and each change is checked for where it comes from.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

/** With TLS a name that only this host can set, and only by TLS. */
const nameOf = (isTls: boolean) => (isTls ? '__Host-relay_session' : 'relay_session')

export function sessionIn({ headers }: Pick<FastifyRequest, 'headers'>, isTls: boolean): string | undefined {
  const start = `${nameOf(isTls)}=`
  const pair = headers.cookie?.split(';').find((one) => one.trim().startsWith(start))
  return pair?.trim().slice(start.length)
}

/** Without an end of its own: the browser's session is the longest it lives there. */
export function setSession(reply: FastifyReply, id: string, isTls: boolean): void {
  reply.header('set-cookie', `${nameOf(isTls)}=${id}; ${attributes(isTls)}`)
}

export function clearSession(reply: FastifyReply, isTls: boolean): void {
  reply.header('set-cookie', `${nameOf(isTls)}=; Max-Age=0; ${attributes(isTls)}`)
}

function attributes(isTls: boolean): string {
  return `Path=/; HttpOnly; SameSite=Lax${isTls ? '; Secure' : ''}`
}
