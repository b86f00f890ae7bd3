// The Redis that other tests run on: what they rely on.
import { existsSync } from 'node:fs'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startPrivateRedis } from '../support/private-redis.ts'

async function ask<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await question(client)
  } finally {
    client.disconnect()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a killed private Redis comes back on its port with its data, as another process', async () => {
  const redis = await startPrivateRedis()
  const { url, port, pid } = redis
  await ask(url, (client) => client.set('kept', 'yes'))
  await redis.kill()
  expect(isAlive(pid)).toBe(false)
  await redis.restart()
  expect(redis).toMatchObject({ url, port })
  expect(redis.pid).not.toBe(pid)
  expect(await ask(url, (client) => client.get('kept'))).toBe('yes')
  await redis.restart()
  expect(await ask(url, (client) => client.get('kept'))).toBe('yes')
  await redis.stop()
})

test('stop leaves neither process nor folder, also after a kill, and of a stopped process', async () => {
  const redis = await startPrivateRedis()
  process.kill(redis.pid, 'SIGSTOP')
  await redis.stop()
  expect(isAlive(redis.pid)).toBe(false)
  expect(existsSync(redis.dir)).toBe(false)
  await redis.stop()

  const killed = await startPrivateRedis()
  await killed.kill()
  await killed.stop()
  expect(existsSync(killed.dir)).toBe(false)
})

test('it is durable by default, and a test may say otherwise', async () => {
  const [durable, loose] = await Promise.all([
    startPrivateRedis(),
    startPrivateRedis({ appendfsync: 'everysec', config: ['maxmemory-policy allkeys-lru'] }),
  ])
  const settings = (url: string) =>
    ask(url, (client) => client.config('GET', 'appendfsync', 'maxmemory-policy'))
  expect(await settings(durable.url)).toEqual(expect.arrayContaining(['always', 'noeviction']))
  expect(await settings(loose.url)).toEqual(expect.arrayContaining(['everysec', 'allkeys-lru']))
  await Promise.all([durable.stop(), loose.stop()])
})
