// Killed relays, several relays at once, servers found running: never two servers on one data directory.
import { appendFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openDataDir } from '../../shared/redis/embedded/data-dir.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { pollUntil, within } from '../../shared/redis/embedded/poll-until.ts'
import { startServer } from '../../shared/redis/embedded/server-process.ts'
import { ask, ended, pidOf, setup } from './embedded-redis-setup.ts'

test('Redis outlives a killed relay, and the next start finds it, with its data', async () => {
  const { relay, start } = await setup()
  const killed = await relay()
  expect(killed.found).toBe(false)
  await ask(killed.url, (client) => client.set('kept', 'yes'))
  const pid = await pidOf(killed.url)
  await killed.kill()
  const next = await start()
  expect(next).toMatchObject({ found: true, url: killed.url, origin: 'path' })
  expect(await pidOf(next.url)).toBe(pid)
  expect(await ask(next.url, (client) => client.get('kept'))).toBe('yes')
})

test('Ctrl-C in the terminal does not reach Redis before the relay ends it', async () => {
  const { relay, serverPids, start } = await setup()
  const interrupted = await relay()
  const [pid] = await serverPids()
  process.kill(-(interrupted.child.pid ?? 0), 'SIGINT')
  await ended(interrupted.child)
  const next = await start()
  // Redis answers a signal within a tenth of a second: one that waits this long on its own clock got none.
  expect(await ask(next.url, (client) => client.blpop('nothing', 0.5))).toBeNull()
  expect(await serverPids()).toEqual([pid])
})

test('relay and Redis both killed: the next start runs on the same data, torn end and all', async () => {
  const { relay, start, dataDir, serverPids } = await setup()
  const killed = await relay()
  await ask(killed.url, (client) => client.set('kept', 'yes'))
  const [pid = 0] = await serverPids()
  process.kill(pid, 'SIGKILL')
  await killed.kill()
  const folder = path.join(dataDir, 'appendonlydir')
  const tail = (await readdir(folder)).find((name) => name.endsWith('.incr.aof')) ?? ''
  await appendFile(path.join(folder, tail), '*3\r\n$3\r\nSET\r\n$4\r\nto')
  const next = await start()
  expect(next.found).toBe(false)
  expect(await ask(next.url, (client) => client.get('kept'))).toBe('yes')
})

test('of relays that start at the same moment one starts Redis and the others find that one', async () => {
  const { relay, serverPids } = await setup()
  const relays = await Promise.all([relay(), relay(), relay()])
  expect(relays.filter(({ found }) => !found)).toHaveLength(1)
  expect(new Set(relays.map(({ url }) => url)).size).toBe(1)
  expect(await serverPids()).toHaveLength(1)
  await Promise.all(relays.map(({ stop }) => stop()))
  expect(await serverPids()).toEqual([])
})

test('whoever leaves first leaves Redis to the others; the last one ends it', async () => {
  const { relay, start, serverPids } = await setup()
  const first = await relay()
  const second = await relay()
  const here = await start()
  await first.stop()
  expect(await ask(here.url, (client) => client.ping())).toBe('PONG')
  await here.stop()
  expect(await ask(second.url, (client) => client.ping())).toBe('PONG')
  await second.stop()
  expect(await serverPids()).toEqual([])
})

test('a killed relay does not count as one that still uses Redis', async () => {
  const { relay, serverPids } = await setup()
  const first = await relay()
  const second = await relay()
  await first.kill()
  await second.stop()
  expect(await serverPids()).toEqual([])
})

test('a record whose pid another program has got since misleads nobody', async () => {
  const { start, dataDir } = await setup()
  await mkdir(dataDir, { recursive: true })
  const record = {
    origin: 'path',
    port: await pickFreePort(),
    pid: process.pid,
    runId: 'x',
    version: '7',
    startedAt: '',
  }
  await writeFile(path.join(dataDir, 'server.json'), JSON.stringify(record))
  const redis = await start()
  expect(redis.found).toBe(false)
  expect(await pidOf(redis.url)).not.toBe(process.pid)
})

test('a running server is found without any record of it, also by another name of its folder', async () => {
  const { start, relay, dataDir, root } = await setup()
  const killed = await relay()
  await killed.kill()
  await writeFile(path.join(dataDir, 'server.json'), '{ torn')
  await symlink(dataDir, path.join(root, 'other-name'))
  const next = await start({ dataDir: path.join(root, 'other-name') })
  expect(next).toMatchObject({ found: true, url: killed.url })
})

test('a server that a killed relay spawned unseen keeps the directory: the second one ends before it reads data', async () => {
  const { start, dataDir, options, serverPids, program } = await setup()
  const unseen = await start()
  const { password, port } = new URL(unseen.url)
  const place = await openDataDir(dataDir)
  // What a start does that found no process; the kernel gives the port to one of the two.
  const context = { place, password, env: options.env, readyTimeoutMs: 5000 }
  const second = await startServer(program, context, async () => Number(port))
  expect(second).toMatchObject({ ok: true, server: { port: Number(port), pid: await pidOf(unseen.url) } })
  await pollUntil(async () => ((await serverPids()).length === 1 ? true : undefined), {
    deadlineAt: within(5000),
  })
  expect(await serverPids()).toEqual([await pidOf(unseen.url)])
})

test('a server that does not answer is named, and no second one is started beside it', async () => {
  const { relay, explain, start, serverPids } = await setup()
  const killed = await relay()
  await killed.kill()
  const [pid = 0] = await serverPids()
  process.kill(pid, 'SIGSTOP')
  const explanation = await explain({ readyTimeoutMs: 200 })
  process.kill(pid, 'SIGCONT')
  expect(explanation).toContain(`kill ${pid}`)
  expect(await serverPids()).toEqual([pid])
  expect((await start()).found).toBe(true)
})

test('a running server whose password was lost is named, and no second one is started beside it', async () => {
  const { start, explain, dataDir, serverPids } = await setup()
  await start()
  const passwordFile = path.join(dataDir, 'password')
  const password = await readFile(passwordFile, 'utf8')
  const [pid] = await serverPids()
  await rm(passwordFile)
  const explanation = await explain()
  expect(explanation).toContain('wants another password')
  expect(explanation).toContain(`kill ${pid}`)
  expect(await serverPids()).toEqual([pid])
  await writeFile(passwordFile, password)
})
