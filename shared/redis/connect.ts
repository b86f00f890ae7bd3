/**
 * Connections to Redis, one kind for each use. A producer's gives up at once when Redis is away, so that nobody
 * waits for it; a worker's waits for ever and comes back by itself. The two are never shared.
 */
import { type CommonRedisOptions, Redis } from 'ioredis'
import type { Logger } from '../logger.ts'

/** All keys begin with this; the hash tag keeps them in one slot of a Cluster. */
export const KEY_PREFIX = '{relay:0}'

/** Time limit for one command of a producer, ms. */
const PRODUCER_COMMAND_TIMEOUT_MS = 1_500

/** Fails fast: no queue while Redis is away, no silent second sending of a command. */
export function connectForProducer(url: string, log: Logger): Redis {
  return connect(url, log, RECONNECT, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: PRODUCER_COMMAND_TIMEOUT_MS,
    connectTimeout: PRODUCER_COMMAND_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * 100, 1_000),
  })
}

/** Waits for Redis as long as it takes; what was asked meanwhile is done afterwards. */
export function connectForWorker(url: string, log: Logger): Redis {
  return connect(url, log, SEND_AGAIN, {
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
  })
}

/** ioredis, where the connection has to be made anew: the refused command fails, or is sent again. */
const RECONNECT = 1
const SEND_AGAIN = 2
const TELL_EVERY_MS = 30_000

function connect(
  url: string,
  log: Logger,
  whenReadOnly: typeof RECONNECT | typeof SEND_AGAIN,
  options: CommonRedisOptions,
): Redis {
  let toldAt = 0
  // After a failover the old primary answers READONLY, and has done nothing: the address leads to the new one.
  const reconnectOnError = (error: Error) => {
    if (!error.message.startsWith('READONLY')) return false
    if (Date.now() - toldAt >= TELL_EVERY_MS) {
      toldAt = Date.now()
      log.warn('This Redis is a replica now (READONLY): connecting anew')
    }
    return whenReadOnly
  }
  const redis: Redis = new Redis(url, { ...options, reconnectOnError, replyMapping: 'legacy' })
  let lastFault = ''
  redis.on('ready', () => {
    if (lastFault) log.info('Redis answers again')
    lastFault = ''
  })
  redis.on('error', (error: Error & { code?: string }) => {
    const fault = error.code ?? error.message
    // One line a fault, not one for each try to reconnect.
    if (fault !== lastFault) log.warn({ fault }, 'Redis is away; trying again')
    lastFault = fault
  })
  return redis
}
