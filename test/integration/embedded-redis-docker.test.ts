// Redis in Docker, for real, where Docker answers and has the image already; nothing is pulled here.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { containerName } from '../../shared/redis/embedded/run-in-docker.ts'
import {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from '../../shared/redis/embedded/start.ts'
import { ask } from './embedded-redis-setup.ts'

const START_MODULE = new URL('../../shared/redis/embedded/start.ts', import.meta.url).href
const why = whyNotForReal()

function whyNotForReal(): string | undefined {
  const answer = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 15_000 })
  if (answer.error) return 'there is no docker on this machine'
  if (answer.status !== 0) return 'Docker does not answer on this machine'
  const image = spawnSync('docker', ['image', 'inspect', 'redis:7-alpine'], { timeout: 15_000 })
  return image.status === 0 ? undefined : 'the image redis:7-alpine is not on this machine'
}

function docker(...args: string[]): string {
  return spawnSync('docker', args, { encoding: 'utf8', timeout: 30_000 }).stdout.trim()
}

async function setup(skip: (condition: boolean, reason?: string) => void) {
  skip(why !== undefined, why)
  const dataDir = await realpath(await mkdtemp(path.join(tmpdir(), 'embedded-redis-docker-')))
  const name = containerName(dataDir)
  onTestFinished(async () => {
    docker('rm', '--force', name)
    docker('volume', 'rm', name)
    await rm(dataDir, { recursive: true, force: true })
  })
  const options: EmbeddedRedisOptions = {
    dataDir,
    cacheDir: path.join(dataDir, 'cache'),
    env: process.env,
    links: ['docker'],
  }
  async function start(more: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedRedis> {
    const result = await startEmbeddedRedis({ ...options, ...more })
    if (!result.ok) throw new Error(result.explanation)
    onTestFinished(() => result.redis.stop())
    return result.redis
  }
  return { dataDir, name, options, start }
}

test('a container is as durable and as closed as a process, and its password is in no command line', async ({
  skip,
}) => {
  const { name, start } = await setup(skip)
  const redis = await start()
  expect(redis).toMatchObject({ origin: 'docker', found: false })
  const settings = await ask(redis.url, (client) => client.config('GET', 'appendfsync', 'maxmemory-policy'))
  expect(settings).toEqual(expect.arrayContaining(['always', 'noeviction']))
  await expect(ask(redis.url.replace(/:[^:@]+@/, ''), (client) => client.ping())).rejects.toThrow('NOAUTH')

  const { password, port } = new URL(redis.url)
  expect(docker('port', name)).toBe(`6379/tcp -> 127.0.0.1:${port}`)
  expect(docker('inspect', '--format', '{{.HostConfig.RestartPolicy.Name}}', name)).toBe('no')
  expect(docker('inspect', '--format', '{{json .Path}}{{json .Args}}', name)).not.toContain(password)
  expect(docker('top', name)).not.toContain(password)
  expect(docker('logs', name)).not.toContain(password)
})

test('stop removes the container; the next start has the data, whatever else the machine offers by then', async ({
  skip,
}) => {
  const { name, start } = await setup(skip)
  const first = await start()
  await ask(first.url, (client) => client.set('kept', 'yes'))
  await first.stop()
  expect(docker('container', 'ls', '--all', '--quiet', '--filter', `name=${name}`)).toBe('')
  const second = await start({ links: undefined })
  expect(second).toMatchObject({ origin: 'docker', found: false })
  expect(await ask(second.url, (client) => client.get('kept'))).toBe('yes')
})

test('a container outlives a killed relay, and the next start finds it', async ({ skip }) => {
  const { options, start } = await setup(skip)
  const script = `
    const { startEmbeddedRedis } = await import(${JSON.stringify(START_MODULE)})
    const result = await startEmbeddedRedis({ ...${JSON.stringify({ ...options, env: {} })}, env: process.env })
    console.log(result.ok ? result.redis.url : result.explanation)
    process.stdin.resume()`
  const relay = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [url] = await once(createInterface({ input: relay.stdout }), 'line')
  await ask(url, (client) => client.set('kept', 'yes'))
  relay.kill('SIGKILL')
  await once(relay, 'exit')
  const next = await start()
  expect(next).toMatchObject({ found: true, url })
  expect(await ask(next.url, (client) => client.get('kept'))).toBe('yes')
})

test('a killed container is replaced by one on the same data', async ({ skip }) => {
  const { name, start } = await setup(skip)
  const killed = await start()
  await ask(killed.url, (client) => client.set('kept', 'yes'))
  docker('kill', name)
  const next = await start()
  expect(next.found).toBe(false)
  expect(await ask(next.url, (client) => client.get('kept'))).toBe('yes')
})

test('a running container whose password was lost is named, with the line that ends it, and left alone', async ({
  skip,
}) => {
  const { dataDir, name, options, start } = await setup(skip)
  await start()
  const password = await readFile(path.join(dataDir, 'password'), 'utf8')
  await rm(path.join(dataDir, 'password'))
  const result = await startEmbeddedRedis(options)
  expect(result).toMatchObject({
    ok: false,
    explanation: expect.stringContaining(`docker rm --force ${name}`),
  })
  expect(docker('inspect', '--format', '{{.State.Running}}', name)).toBe('true')
  await writeFile(path.join(dataDir, 'password'), password)
})

test("somebody else's container of that name is left alone", async ({ skip }) => {
  const { name, options } = await setup(skip)
  docker('run', '--detach', '--name', name, 'redis:7-alpine')
  const result = await startEmbeddedRedis(options)
  expect(result).toMatchObject({ ok: false, explanation: expect.stringContaining('is not ours') })
  expect(docker('inspect', '--format', '{{.State.Running}}', name)).toBe('true')
})

test('a Docker that does not answer is told from one that is not there', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'embedded-redis-docker-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const options = { dataDir, cacheDir: dataDir, links: ['docker'] as const }
  const none = await startEmbeddedRedis({ ...options, env: {} })
  expect(none).toMatchObject({ explanation: expect.stringContaining('Docker: docker is not on PATH') })
  if (why?.startsWith('there is no docker')) return
  const env = { ...process.env, DOCKER_HOST: 'tcp://127.0.0.1:1' }
  const mute = await startEmbeddedRedis({ ...options, env })
  expect(mute).toMatchObject({ explanation: expect.stringContaining('docker does not answer') })
  expect(mute).toMatchObject({ explanation: expect.stringContaining('\n  start Docker, ') })
})
