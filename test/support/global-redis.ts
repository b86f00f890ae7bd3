/**
 * One Redis for the integration tests: in a container where Docker answers (testcontainers), else a private
 * process found as the embedded one is. Says which it is. Tests take a database of it by `testRedis()`.
 * TEST_REDIS_IMAGE names another image than Redis 7, of a later Redis or of Valkey.
 */
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import type { TestProject } from 'vitest/node'
import { startPrivateRedis } from './private-redis.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    redisUrl: string
    redisOrigin: 'container' | 'process'
  }
}

const IMAGE = process.env.TEST_REDIS_IMAGE || 'redis:7-alpine'
const COMMAND = [
  IMAGE.includes('valkey') ? 'valkey-server' : 'redis-server',
  '--appendonly',
  'yes',
  '--appendfsync',
  'always',
  '--maxmemory-policy',
  'noeviction',
  '--protected-mode',
  'no',
]
/** A pull that takes longer is given up. */
const START_WITHIN_MS = 90_000

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, origin, stop } = (await inContainer()) ?? (await asProcess())
  if (process.env.EXPECT_CONTAINER && origin !== 'container')
    throw new Error('a container was expected to run')
  process.stdout.write(`Redis for the integration tests: a ${origin} at ${url}\n`)
  project.provide('redisUrl', url)
  project.provide('redisOrigin', origin)
  return stop
}

interface TestServer {
  url: string
  origin: 'container' | 'process'
  stop(): Promise<void>
}

async function inContainer(): Promise<TestServer | undefined> {
  try {
    await getContainerRuntimeClient()
  } catch {
    process.stdout.write(
      'No Docker answers here: the integration tests use a Redis process instead of a container.\n',
    )
    return undefined
  }
  try {
    const container = await new GenericContainer(IMAGE)
      .withCommand(COMMAND)
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
      .withStartupTimeout(START_WITHIN_MS)
      .start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
    return { url, origin: 'container', stop: async () => void (await container.stop()) }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    process.stdout.write(
      `Docker answers, but ${IMAGE} did not start (${why}): a Redis process is used instead.\n`,
    )
    return undefined
  }
}

async function asProcess(): Promise<TestServer> {
  const redis = await startPrivateRedis()
  return { url: redis.url, origin: 'process', stop: redis.stop }
}
