/**
 * Which sinks want nothing more: their address has answered 410, and that is kept until the setting names another one.
 * Only a digest of it, as it may be a secret.
 */
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import type { Sink } from './sink.ts'

export type SwitchedOff = ReturnType<typeof createSwitchedOff>
type Addressed = Pick<Sink, 'name' | 'address'>

export function createSwitchedOff({ redis, prefix = KEY_PREFIX }: { redis: Redis; prefix?: string }) {
  const key = (sink: Addressed) => `${prefix}:feedback-off:${sink.name}`
  return {
    async is(sink: Addressed): Promise<boolean> {
      const off = await redis.get(key(sink))
      if (off === null) return false
      if (off === digest(sink.address())) return true
      await redis.del(key(sink))
      return false
    },
    async set(sink: Addressed): Promise<void> {
      await redis.set(key(sink), digest(sink.address()))
    },
  }
}

function digest(address: string): string {
  return createHash('sha256').update(address).digest('hex')
}
