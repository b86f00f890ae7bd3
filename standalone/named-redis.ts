/** Asks the Redis in REDIS_URL something before a start, once, on a connection of its own. */
import { Redis } from 'ioredis'
import { KEY_PREFIX, wrongNodeProblem } from '../shared/redis/connect.ts'

const ANSWERS_WITHIN_MS = 2_000

/** @returns the answer: why it is not to be used, or undefined. A node of a Cluster without our keys never is. */
export async function askNamedRedis(
  url: string,
  unreachable: (fault: string) => string | undefined,
  ask: (redis: Redis) => Promise<string | undefined>,
): Promise<string | undefined> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: ANSWERS_WITHIN_MS,
    commandTimeout: ANSWERS_WITHIN_MS,
  })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await ask(redis)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return wrongNodeProblem({ message }) ?? unreachable(code ?? message.split(' ')[0] ?? '')
  } finally {
    redis.disconnect()
  }
}

/** Of a server, which waits for a Redis that is away. @returns why none can use it */
export function refuseWrongNode(url: string): Promise<string | undefined> {
  const ask = async (redis: Redis) => void (await redis.exists(KEY_PREFIX))
  return askNamedRedis(url, () => undefined, ask)
}
