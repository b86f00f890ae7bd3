/** The ledger's keys are those that `shared/ledger/keys.md` describes: any other fails the test that has left it. */
import { Redis } from 'ioredis'
import { bullPrefix } from '../../shared/queues.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { codeSpansIn, tableOf } from './docs.ts'

/** As `keys.md` has them: `promotion:<id>`, without the prefix. */
export const KEYS_DESCRIBED: readonly string[] = tableOf('shared/ledger/keys.md', 'key').flatMap(
  ([key = '']) => codeSpansIn(key),
)

const patterns = KEYS_DESCRIBED.map(
  (described) => new RegExp(`^${described.replace(/<[^>]*>/g, '.+').replace('⏎', '\\n')}$`, 's'),
)

export async function keysMustBeDescribed(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl)
  const all = await redis.keys(`${KEY_PREFIX}:*`).finally(() => redis.disconnect())
  const keys = all
    .filter((key) => !key.startsWith(`${bullPrefix()}:`))
    .map((key) => key.slice(KEY_PREFIX.length + 1))
  const unknown = keys.filter((key) => !patterns.some((pattern) => pattern.test(key)))
  if (unknown.length > 0) throw new Error(`keys.md does not describe ${unknown.join(', ')}`)
}
