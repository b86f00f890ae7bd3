import { expect, test } from 'vitest'
import { explainMisses, explainMute } from '../../shared/redis/embedded/explanation.ts'
import { containerConfig, portInConfig, serverConfig } from '../../shared/redis/embedded/server-config.ts'

const CONFIG = { port: 4321, dir: '/data', logFile: '/data/redis.log', password: 'pass' }

test('the configuration keeps every write, evicts nothing and lets in nobody from outside', () => {
  const lines = serverConfig(CONFIG).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'bind 127.0.0.1',
      'protected-mode yes',
      'requirepass "pass"',
      'appendonly yes',
      'appendfsync always',
      'maxmemory-policy noeviction',
      'save ""',
    ]),
  )
})

test('a folder with spaces, quotes and backslashes in its name is one word of the configuration', () => {
  const config = serverConfig({ ...CONFIG, dir: '/a b/"c"\\d' })
  expect(config).toContain('dir "/a b/\\"c\\"\\\\d"')
})

test('lines that a test adds come last, so that they win', () => {
  const lines = serverConfig({ ...CONFIG, extra: ['appendfsync no'] })
    .trim()
    .split('\n')
  expect(lines.lastIndexOf('appendfsync no')).toBe(lines.length - 1)
})

test('the port is read back from the configuration, and from nothing else', () => {
  expect(portInConfig(serverConfig(CONFIG))).toBe(4321)
  expect(portInConfig('')).toBeUndefined()
  expect(portInConfig('port 0')).toBeUndefined()
  expect(portInConfig('# port 4321')).toBeUndefined()
})

test('in a container the same promises hold', () => {
  const lines = containerConfig('pass').split('\n')
  expect(lines).toEqual(expect.arrayContaining(['appendonly yes', 'appendfsync always', 'dir /data']))
})

test('the explanation names each thing looked for and why it did not do, then what to run', () => {
  const explanation = explainMisses([
    { link: 'path', ok: false, reason: '/usr/bin/redis-server is 6.0.16, and 7 or newer is needed' },
    { link: 'cache', ok: false, reason: 'none in /cache/redis' },
    {
      link: 'apt',
      ok: false,
      reason: "the package lists can't be read",
      cure: 'sudo apt-get install redis-server',
    },
    { link: 'docker', ok: false, reason: 'docker does not answer', cure: 'start Docker' },
  ])
  expect(explanation).toMatchInlineSnapshot(`
    "There is no Redis to run on: REDIS_URL is not set, and nothing on this machine would do.
      - redis-server or valkey-server on PATH: /usr/bin/redis-server is 6.0.16, and 7 or newer is needed
      - a private copy of an earlier start: none in /cache/redis
      - a private copy from the distribution's packages: the package lists can't be read
      - Docker: docker does not answer
    Do one of these, then start again:
      sudo apt-get install redis-server
      start Docker
      or set REDIS_URL, for example REDIS_URL=redis://127.0.0.1:6379"
  `)
})

test('where no link knows a cure, the explanation says what to install', () => {
  const explanation = explainMisses([{ link: 'apt', ok: false, reason: 'apt-get is not there' }])
  expect(explanation).toContain('install Redis or Valkey, 7 or newer')
})

test('a server that does not answer is named by its process, and so is the line that ends it', () => {
  const explanation = explainMute('/data', [77], 'mute')
  expect(explanation).toContain('already runs on /data (process 77)')
  expect(explanation).toMatch(/^ {2}kill 77$/m)
})
