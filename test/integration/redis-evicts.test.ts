// A Redis that throws keys away. With a `volatile-…` policy it can only take what has a time limit of its own, and no
// promotion has; with `allkeys-…` a promotion may go, which server and worker warn of at their start.
import { expect, onTestFinished, test } from 'vitest'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { startProcess } from '../support/relay-process.ts'
import { until } from '../support/until.ts'

const CLI = new URL('../../cli.ts', import.meta.url).pathname

async function redisThat(policy: string) {
  const redis = await startPrivateRedis({ config: [`maxmemory-policy ${policy}`] })
  onTestFinished(redis.stop)
  return redis
}

test('what volatile-lru takes from a full Redis are keys that end by themselves: every promotion is deployed', async () => {
  const { url } = await redisThat('volatile-lru')
  const relay = await startRelay({ redisUrl: url, workers: 0 })
  const ids = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      relay.producer
        .promote({ model: `model-${n}`, version: '1' }, { idempotencyKey: `key-${n}` })
        .then((result) => (result.status === 'accepted' ? result.id : '')),
    ),
  )
  const keys = () => relay.redis.keys('{relay:0}:key:*')
  expect(await keys()).toHaveLength(30)
  const used = Number(/used_memory:(\d+)/.exec(await relay.redis.info('memory'))?.[1])
  await relay.redis.config('SET', 'maxmemory', String(used - 1))
  // Writes make it look for room; it is refused once nothing is left that it may take.
  await until('it has thrown keys away', async () => {
    await relay.redis.set('{relay:0}:filler', 'x'.repeat(1_000)).catch(() => {})
    return (await keys()).length === 0
  })
  await relay.redis.config('SET', 'maxmemory', '0')

  await relay.startWorker()

  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.simulator.runs).toHaveLength(30)
})

test('a worker says at its start that this Redis may throw promotions away', async () => {
  const { url } = await redisThat('allkeys-lru')
  const relay = await startRelay({ redisUrl: url, workers: 0 })

  const { output } = await startProcess(relay, [CLI, 'work'])

  await until('it says so', () => output().includes('maxmemory-policy is allkeys-lru'))
})

test('a promotion that was thrown away is reported, and stops no other target', async () => {
  const { url } = await redisThat('allkeys-lru')
  const relay = await startRelay({ redisUrl: url, workers: 0 })
  const gone = await relay.promote('5')
  const other = await relay.promote('1', { model: 'ranker' })
  await relay.redis.del(`{relay:0}:promotion:${gone}`)

  await relay.startWorker()

  expect(await relay.ends(other)).toMatchObject({ state: 'deployed' })
  const line = await until('it is reported', () =>
    relay.lines.find(({ level, promotionIds }) => level === 'error' && String(promotionIds) === gone),
  )
  expect(line.msg).toContain('record is gone')
  // The target takes the next version as ever.
  expect(await relay.ends(await relay.promote('6'))).toMatchObject({ state: 'deployed' })
})
