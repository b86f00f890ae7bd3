// What the command line can't hand over, kept and delivered later.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, run, startProgram, temporaryDir } from '../support/up.ts'

const V5 = ['--model', 'fraud-detector', '--version', '5', '--accuracy', '0.9234']

type Env = Record<string, string>

const cli = (args: readonly string[], env: Env) =>
  run(NODE, [LAUNCHER, ...args], { env: { DATA_DIR: '/nowhere/relay', ...env } })

const promote = (args: readonly string[], env: Env) => cli(['promote', ...args], env)

describe('the spool', () => {
  test('keeps what can not be handed over, and flush delivers it', async () => {
    const SPOOL_DIR = join(temporaryDir('spool'), 'kept')
    const kept = await promote(V5, { REDIS_URL: 'redis://127.0.0.1:1', SPOOL_DIR })
    expect([kept.code, kept.stdout]).toEqual([0, ''])
    expect(kept.stderr).toMatch(/kept in the spool as [0-9a-f-]{36}: promotion-relay flush delivers it/)
    const away = await cli(['flush'], { REDIS_URL: 'redis://127.0.0.1:1', SPOOL_DIR })
    expect([away.code, away.stdout]).toEqual([3, 'delivered 0, left 1\n'])

    const relay = await startRelay()
    const flushed = await cli(['flush'], { REDIS_URL: relay.redisUrl, SPOOL_DIR })
    expect([flushed.code, flushed.stdout, flushed.stderr]).toEqual([0, 'delivered 1, left 0\n', ''])
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['5'])
    expect((await cli(['flush'], { REDIS_URL: relay.redisUrl, SPOOL_DIR })).stdout).toBe(
      'delivered 0, left 0\n',
    )
  })

  test('is delivered by a watcher as soon as it is there', async () => {
    const SPOOL_DIR = join(temporaryDir('spool'), 'kept')
    const relay = await startRelay()
    const watcher = startProgram(NODE, [LAUNCHER, 'flush', '--watch', '--every', '0.2'], {
      env: { REDIS_URL: relay.redisUrl, SPOOL_DIR, DATA_DIR: '/nowhere/relay' },
    })
    await promote(V5, { REDIS_URL: 'redis://127.0.0.1:1', SPOOL_DIR })
    await until('it was delivered', () => relay.versionsRun().length === 1, 30_000)
    watcher.kill('SIGTERM')
    await watcher.end()
  }, 60_000)

  test('needs a directory', async () => {
    const flushed = await cli(['flush'], { REDIS_URL: 'redis://127.0.0.1:1' })
    expect([flushed.code, flushed.stderr]).toEqual([2, expect.stringContaining('SPOOL_DIR is missing')])
  })
})
