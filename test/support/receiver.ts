/** Who is told: a real HTTP server that keeps what came, and answers as it is told to. */
import http from 'node:http'
import { listening } from './listening.ts'

export interface Received {
  method: string
  path: string
  headers: Record<string, string>
  text: string
  at: number
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string
}

export interface Receiver {
  /** http://127.0.0.1:PORT */
  readonly url: string
  readonly port: number
  readonly received: readonly Received[]
  /** How each request is answered; 204 at first. */
  answer(request: Received): Answer | 'never' | 'reset'
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const receiver = { received, url: '', port: 0, answer: (): Answer => ({ status: 204 }) } as Receiver & {
    url: string
    port: number
  }
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = request.headers as Record<string, string>
    const text = Buffer.concat(chunks).toString()
    const one = { method: request.method ?? '', path: request.url ?? '', headers, text, at: Date.now() }
    received.push(one)
    const answer = receiver.answer(one)
    if (answer === 'never') return
    if (answer === 'reset') return void request.socket.resetAndDestroy()
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  server.on('upgrade', () => {})
  receiver.url = await listening(server)
  receiver.port = Number(new URL(receiver.url).port)
  return receiver
}

export interface FakeMlflow extends Receiver {
  /** By `name/version`, each tag. */
  readonly tags: ReadonlyMap<string, Readonly<Record<string, string>>>
  /** By `name/alias`, the version. */
  readonly aliases: ReadonlyMap<string, string>
  /** Every version that was sent is there, unless it is in here. */
  readonly missing: Set<string>
}

/** What of MLflow's registry feedback uses. */
export async function openMlflow(): Promise<FakeMlflow> {
  const tags = new Map<string, Record<string, string>>()
  const aliases = new Map<string, string>()
  const missing = new Set<string>()
  const receiver = await openReceiver()
  receiver.answer = ({ path, text }) => {
    const { name, version, key, value, alias } = JSON.parse(text)
    if (missing.has(`${name}/${version}`)) {
      const body = { error_code: 'RESOURCE_DOES_NOT_EXIST', message: `Model Version ${version} not found` }
      return { status: 404, body: JSON.stringify(body) }
    }
    if (path.endsWith('/model-versions/set-tag'))
      tags.set(`${name}/${version}`, { ...tags.get(`${name}/${version}`), [key]: value })
    else if (path.endsWith('/registered-models/alias')) aliases.set(`${name}/${alias}`, version)
    else return { status: 404, body: '{}' }
    return { status: 200, body: '{}' }
  }
  return Object.assign(receiver, { tags, aliases, missing })
}
