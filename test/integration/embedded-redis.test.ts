// One relay and its embedded Redis: how it runs, what a stop leaves, what a person reads when there is none.
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openDataDir } from '../../shared/redis/embedded/data-dir.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { pollUntil, within } from '../../shared/redis/embedded/poll-until.ts'
import { startServer } from '../../shared/redis/embedded/server-process.ts'
import { ask, occupy, setup } from './embedded-redis-setup.ts'

test('it runs durable, unevicting, and answers on 127.0.0.1 only to who has the password', async () => {
  const { start, dataDir } = await setup()
  const redis = await start()
  expect(redis).toMatchObject({ origin: 'path', found: false })
  const settings = await ask(redis.url, (client) => client.config('GET', 'appendonly', 'appendfsync', 'bind'))
  expect(settings).toEqual(
    expect.arrayContaining(['appendonly', 'yes', 'appendfsync', 'always', 'bind', '127.0.0.1']),
  )
  const others = await ask(redis.url, (client) =>
    client.config('GET', 'maxmemory-policy', 'save', 'protected-mode'),
  )
  expect(others).toEqual(
    expect.arrayContaining(['maxmemory-policy', 'noeviction', 'save', '', 'protected-mode', 'yes']),
  )
  const stranger = redis.url.replace(/:[^:@]+@/, '')
  await expect(ask(stranger, (client) => client.ping())).rejects.toThrow('NOAUTH')
  const modes = await Promise.all(
    ['.', 'password', 'redis.conf', 'server.json'].map(
      async (name) => (await stat(path.join(dataDir, name))).mode & 0o777,
    ),
  )
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o600])
})

test('the password stands in no command line, no environment, no log and no line for a person', async ({
  skip,
}) => {
  const { start, dataDir, lines, serverPids } = await setup()
  const redis = await start()
  const password = new URL(redis.url).password
  expect(password.length).toBeGreaterThanOrEqual(32)
  expect(lines.join()).not.toContain(password)
  expect(await readFile(path.join(dataDir, 'redis.log'), 'utf8')).not.toContain(password)
  expect(await readFile(path.join(dataDir, 'server.json'), 'utf8')).not.toContain(password)
  skip(process.platform !== 'linux', 'only Linux shows command lines under /proc')
  const [pid] = await serverPids()
  expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(password)
  expect(await readFile(`/proc/${pid}/environ`, 'utf8')).not.toContain(password)
})

test('after a stop nothing runs, and the next start has the data, the password and the port again', async () => {
  const { start, serverPids, dataDir } = await setup()
  const first = await start()
  await ask(first.url, (client) => client.set('kept', 'yes'))
  await first.stop()
  await first.stop()
  expect(await serverPids()).toEqual([])
  expect(await readdir(dataDir)).not.toContain('server.json')
  const second = await start()
  expect(second).toMatchObject({ found: false, url: first.url })
  expect(await ask(second.url, (client) => client.get('kept'))).toBe('yes')
})

test('a port taken before Redis could bind it is given up for another', async () => {
  const { dataDir, options, start, program } = await setup()
  const taken = await pickFreePort()
  await occupy(taken)
  const place = await openDataDir(dataDir)
  const password = 'of-this-test'
  await writeFile(place.passwordFile, password)
  const context = { place, password, env: options.env, readyTimeoutMs: 5000 }
  const started = await startServer(program, context, async () => taken)
  expect(started).toMatchObject({
    ok: true,
    server: { port: expect.not.toSatisfy((port) => port === taken) },
  })
  expect((await start()).found).toBe(true)
})

test("the port of last time, taken by somebody else's program, is given up for another", async () => {
  const { start } = await setup()
  const first = await start()
  await first.stop()
  await occupy(Number(new URL(first.url).port))
  const second = await start()
  expect(second.url).not.toBe(first.url)
})

test('a Redis that was killed meanwhile is no hindrance to stop', async () => {
  const { start, serverPids } = await setup()
  const redis = await start()
  const [pid = 0] = await serverPids()
  process.kill(pid, 'SIGKILL')
  await redis.stop()
  expect(await serverPids()).toEqual([])
})

test('a Redis that hangs is killed by stop, and its data are there next time', async () => {
  const { start, serverPids } = await setup()
  const redis = await start()
  await ask(redis.url, (client) => client.set('kept', 'yes'))
  const [pid = 0] = await serverPids()
  process.kill(pid, 'SIGSTOP')
  await redis.stop()
  expect(await serverPids()).toEqual([])
  expect(await ask((await start()).url, (client) => client.get('kept'))).toBe('yes')
})

test('stop ends Redis also when the data directory was removed under it', async () => {
  const { start, dataDir, serverPids } = await setup()
  const redis = await start()
  await rm(dataDir, { recursive: true })
  await redis.stop()
  expect(await serverPids()).toEqual([])
})

test('data that Redis cannot read are left alone, and its last words are handed on', async () => {
  const { start, explain, dataDir, serverPids } = await setup()
  await (await start()).stop()
  const manifest = path.join(dataDir, 'appendonlydir', 'appendonly.aof.manifest')
  await writeFile(manifest, 'not a manifest\n')
  expect(await explain()).toMatch(/redis-server ended at once \(code 1\): .*manifest/i)
  expect(await readFile(manifest, 'utf8')).toBe('not a manifest\n')
  expect(await serverPids()).toEqual([])
})

test('with nothing on the machine every link is named with its reason, in one block', async () => {
  const { explain, bin } = await setup()
  await rm(path.join(bin, 'redis-server'))
  await writeFile(path.join(bin, 'redis-server'), '#!/bin/sh\necho "Redis server v=6.0.16"\n', {
    mode: 0o755,
  })
  const explanation = await explain()
  expect(explanation).toContain(`on PATH: ${bin}/redis-server is 6.0.16, and 7 or newer is needed`)
  expect(explanation).toContain('a private copy of an earlier start: none in')
  expect(explanation).toContain("from the distribution's packages: apt-get is not there")
  expect(explanation).toContain('Docker: docker is not on PATH')
  expect(explanation).toContain('or set REDIS_URL')
})

test('a private copy of an earlier start is used where PATH has none', async () => {
  const { start, options, bin, program } = await setup()
  const copy = path.join(options.cacheDir, 'redis', 'redis-server_7_x64')
  await mkdir(path.join(copy, 'bin'), { recursive: true })
  await symlink(program.command, path.join(copy, 'bin', 'redis-server'))
  if (program.libraryDir) await symlink(program.libraryDir, path.join(copy, 'lib'))
  await rm(path.join(bin, 'redis-server'))
  expect(await start()).toMatchObject({ origin: 'cache', found: false })
})

test('data kept in Docker are not left behind for a redis-server that came later, nor the other way round', async () => {
  const { start, explain, dataDir } = await setup()
  await mkdir(dataDir, { recursive: true })
  const mark = path.join(dataDir, 'data-is-in-docker')
  await writeFile(mark, '')
  expect(await explain()).toContain('the data are in Docker')
  await rm(mark)
  await (await start()).stop()
  expect(await explain({ links: ['docker'] })).toContain('in Docker it would begin empty')
})

test('a data directory that cannot be used is named', async () => {
  const { explain, root } = await setup()
  await writeFile(path.join(root, 'a-file'), '')
  const explanation = await explain({ dataDir: path.join(root, 'a-file', 'redis') })
  expect(explanation).toContain(`can't use its data directory ${root}/a-file/redis`)
  expect(explanation).toContain('DATA_DIR')
})

test('a start that is stopped leaves nothing running', async () => {
  const { explain, serverPids } = await setup()
  const stop = new AbortController()
  const starting = explain({ signal: stop.signal })
  await pollUntil(async () => ((await serverPids()).length > 0 ? true : undefined), {
    everyMs: 1,
    deadlineAt: within(5000),
  })
  stop.abort()
  await starting.catch((error: Error) => expect(error.message).toBe('it started'))
  expect(await serverPids()).toEqual([])
})
