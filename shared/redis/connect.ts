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

/**
 * What to do where a node of a Cluster answers that our slot is another's (`MOVED 8094 10.0.0.7:6379`); undefined for
 * any other error. We connect to one node, which serves all of our keys, and look for none.
 */
export function wrongNodeProblem({ message }: { message: string }): string | undefined {
  const [, slot, node] = /^MOVED (\d+) (\S+)/.exec(message) ?? []
  if (node === undefined) return undefined
  return `REDIS_URL names a node of a Redis Cluster that does not have the relay's keys (slot ${slot}): name ${node}, which has them`
}

function connect(
  url: string,
  log: Logger,
  whenReadOnly: typeof RECONNECT | typeof SEND_AGAIN,
  options: CommonRedisOptions,
): Redis {
  let toldAt = 0
  let toldOfNodeAt = 0
  // After a failover the old primary answers READONLY, and has done nothing: the address leads to the new one.
  const reconnectOnError = (error: Error) => {
    const wrongNode = wrongNodeProblem(error)
    if (wrongNode && Date.now() - toldOfNodeAt >= TELL_EVERY_MS) {
      toldOfNodeAt = Date.now()
      log.error({ fault: wrongNode }, 'This Redis does not serve the relay')
    }
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
