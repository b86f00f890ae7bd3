/**
 * The server in this process on a Redis of the test run, and ways to call it: well-formed by `call`, byte by byte
 * by `raw`. What it logged and what it left in Redis can be looked at; all of it ends with the test.
 */
import { connect } from 'node:net'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import { loadSettings } from '../../shared/config.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import { createLogger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, PROMOTIONS } from '../../shared/queues.ts'
import { createRedactor } from '../../shared/redact.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { type Secret, secretFromValue } from '../../shared/secret.ts'
import type { Tracing } from '../../shared/tracing.ts'
import { serve } from '../../standalone/serve.ts'
import { mustBeDescribed } from '../support/described.ts'
import { testRedis } from '../support/test-redis.ts'

export const TOKEN = 'sentinel-api-token'
export const OPS_PASSWORD = 'sentinel-ops-password'

export interface Reply {
  status: number
  headers: Headers
  text: string
  /** Parsed where it says that it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it and fails on what is not there
  body: any
}

export interface Call {
  /** Sent as JSON, text as it is. */
  body?: unknown
  headers?: Record<string, string>
  /** null: none is sent. */
  token?: string | null
}

export interface SetupOptions {
  /** The test database by default. */
  redisUrl?: string
  registry?: Registry
  env?: object
  simulated?: boolean
  deployExisting?: boolean
  tracing?: Tracing | undefined
  /** A secret that reads `TOKEN` by default; null: none. */
  apiToken?: Secret | null
  /** Takes what ends it; the end of the test by default. */
  atEnd?: (undo: () => void | Promise<void>) => void
}

export type Api = Awaited<ReturnType<typeof setup>>

export async function setup({ atEnd = onTestFinished, ...options }: SetupOptions = {}) {
  const database = options.redisUrl === undefined ? await testRedis() : undefined
  const redisUrl = options.redisUrl ?? database?.url ?? ''
  const env = { REDIS_URL: redisUrl, PORT: '0', RELAY_API_TOKEN: TOKEN, OPS_PASSWORD, ...options.env }
  const loaded = loadSettings(env, ['redis', 'server'])
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  const { apiToken = secretFromValue('RELAY_API_TOKEN', TOKEN) } = options
  const opsPassword = secretFromValue('OPS_PASSWORD', OPS_PASSWORD)
  const lines: string[] = []
  const log = createLogger({
    level: 'trace',
    redact: createRedactor(apiToken ? [apiToken, opsPassword] : [opsPassword]),
    destination: { write: (line: string) => void lines.push(line) },
  })
  const registry = options.registry ?? new Registry()
  const { settings } = loaded
  const server = await serve({
    redisUrl,
    settings,
    apiToken: apiToken ?? undefined,
    opsPassword,
    registry,
    tracing: options.tracing,
    log,
    simulated: options.simulated ?? false,
    deployExisting: options.deployExisting ?? false,
  })
  atEnd(server.close)

  const redis = new Redis(redisUrl, { lazyConnect: true, replyMapping: 'legacy' })
  redis.on('error', () => {})
  atEnd(() => redis.disconnect())
  let queue: Queue | undefined

  async function call(method: string, path: string, { body, headers = {}, token = TOKEN }: Call = {}) {
    const response = await fetch(`${server.url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const reply = replyOf(response.status, response.headers, await response.text())
    mustBeDescribed(method, path, reply)
    return reply
  }

  return {
    url: server.url,
    close: server.close,
    redis,
    /** Made at its first use, when Redis is there. */
    get queue(): Queue {
      queue ??= new Queue(PROMOTIONS, { connection: asConnection(redis), prefix: bullPrefix() }).on(
        'error',
        () => {},
      )
      return queue
    },
    ledger: createLedger({ redis }),
    lines,
    call,
    promote: (body: unknown, more: Call = {}) => call('POST', '/v1/promotions', { body, ...more }),
    raw: (text: string) => sendRaw(server.url, text),
    /** Forgets everything that was promoted. */
    async empty(): Promise<void> {
      await database?.empty()
      lines.length = 0
    },
    /** What any promotion would have left: keys of the ledger, jobs of the queue. */
    async traces(): Promise<string[]> {
      const keys = await redis.keys(`${KEY_PREFIX}:*`)
      return keys.filter((key) => !key.endsWith(':meta')).sort()
    },
  }
}

/** One request as it stands on the wire; resolves when the server has closed the connection. */
async function sendRaw(url: string, text: string): Promise<Reply> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => {})
  socket.write(text)
  await closed
  const [head = '', ...rest] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(/: */, 2) as [string, string]))
  return replyOf(Number(statusLine.split(' ')[1]), headers, rest.join('\r\n\r\n'))
}

function replyOf(status: number, headers: Headers, text: string): Reply {
  const isJson = /json/.test(headers.get('content-type') ?? '')
  return { status, headers, text, body: isJson && text !== '' ? JSON.parse(text) : undefined }
}

/** Every reply that refuses: a problem that says what is wrong, and nothing that is nobody's business. */
export function problemOf(reply: Reply): { title: string; fields: string[]; errors: Record<string, string> } {
  const type = reply.headers.get('content-type')
  if (!type?.startsWith('application/problem+json')) {
    throw new Error(`not a problem: ${reply.status} ${type} ${reply.text.slice(0, 300)}`)
  }
  const { title, status, errors = [] } = reply.body
  if (status !== reply.status) throw new Error(`the problem says ${status}, the reply ${reply.status}`)
  if (typeof title !== 'string' || title === '') throw new Error(`no title: ${reply.text}`)
  const leaks = /sentinel|node_modules|\.ts\b|\n +at /.exec(reply.text)
  if (leaks) throw new Error(`it leaks ${leaks[0]}: ${reply.text}`)
  const byField: Record<string, string> = Object.create(null)
  for (const { field, problem } of errors) {
    byField[field] = byField[field] === undefined ? problem : `${byField[field]}; ${problem}`
  }
  return { title, fields: Object.keys(byField).sort(), errors: byField }
}
