/** What came of an order, shown once by the page that comes next. It travels in a cookie that only we set and read. */
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface Flash {
  tone: 'good' | 'bad'
  text: string
}

const NAME = 'relay-flash'
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict'
const LONGEST = 1_000

export function setFlash(reply: FastifyReply, { tone, text }: Flash): void {
  const value = Buffer.from(JSON.stringify({ tone, text: text.slice(0, LONGEST) })).toString('base64url')
  reply.header('set-cookie', `${NAME}=${value}; ${ATTRIBUTES}; Max-Age=60`)
}

export function takeFlash(request: FastifyRequest, reply: FastifyReply): Flash | undefined {
  const [, value] = new RegExp(`(?:^|; *)${NAME}=([\\w-]+)`).exec(request.headers.cookie ?? '') ?? []
  if (value === undefined) return undefined
  reply.header('set-cookie', `${NAME}=; ${ATTRIBUTES}; Max-Age=0`)
  try {
    const { tone, text } = JSON.parse(Buffer.from(value, 'base64url').toString())
    return { tone: tone === 'good' ? 'good' : 'bad', text: String(text).slice(0, LONGEST) }
  } catch {
    return undefined
  }
}
