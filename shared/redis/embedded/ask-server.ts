// One short exchange with a Redis server on this machine: who it is, or the order to end.
// Guarantees: bounded in time; never throws and never hands on an error of the client, which may carry the
// password in its command.
import { Redis } from 'ioredis'

export interface ServerAddress {
  port: number
  password?: string | undefined
}

export type Answer =
  | { kind: 'ready'; pid: number; runId: string; version: string; dir: string }
  /** It reads its data: alive, and ready by and by. */
  | { kind: 'loading' }
  /** It answers, and wants another password. */
  | { kind: 'denied' }
  | { kind: 'silent' }

export async function askServer(address: ServerAddress): Promise<Answer> {
  return exchange(address, async (client) => {
    const info = await client.info()
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
    if (field('loading') === '1') return { kind: 'loading' }
    const [, dir = ''] = (await client.config('GET', 'dir')) as string[]
    // Valkey tells its own version beside the one of Redis that it is compatible with.
    const version = field('valkey_version') || field('redis_version')
    return { kind: 'ready', pid: Number(field('process_id')), runId: field('run_id'), version, dir }
  })
}

/** Whether the server took the order. It ends once its AOF is on disk; seeing that it did is the caller's. */
export async function orderShutdown(address: ServerAddress): Promise<boolean> {
  let refused = false
  const answer = await exchange(address, async (client) => {
    await client.shutdown().catch((error: unknown) => {
      // An ended connection is the answer hoped for.
      refused = isReplyError(error)
    })
    return { kind: 'loading' }
  })
  return answer.kind === 'loading' && !refused
}

const TIMEOUT_MS = 1500

async function exchange(
  { port, password }: ServerAddress,
  talk: (client: Redis) => Promise<Answer>,
): Promise<Answer> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    ...(password && { password }),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    // How long a disconnect waits for the other side before it lets go of the socket.
    disconnectTimeout: 50,
  })
  let denied = false
  // A refused password comes as an event; what `connect` throws then is only that the connection is closed.
  client.on('error', (error) => {
    denied ||= isDenial(error)
  })
  // One bound for all of it, connecting and authenticating too; what is pending then fails.
  const tooLong = setTimeout(() => client.disconnect(), TIMEOUT_MS)
  try {
    await client.connect()
    return await talk(client)
  } catch (error) {
    return { kind: denied || isDenial(error) ? 'denied' : 'silent' }
  } finally {
    clearTimeout(tooLong)
    client.disconnect()
  }
}

/** By the error code that opens Redis's reply. */
function isDenial(error: unknown): boolean {
  return isReplyError(error) && /^(NOAUTH|WRONGPASS) /.test(error.message)
}

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}
