// hold, release and rollback as commands: what they print, and their exit codes.
import { describe, expect, test } from 'vitest'
import { setup as startServer, TOKEN } from '../integration/http-setup.ts'
import { startRelay } from '../support/relay.ts'
import { LAUNCHER, NODE, run } from '../support/up.ts'

type Env = Record<string, string>

const cli = (args: readonly string[], env: Env) =>
  run(NODE, [LAUNCHER, ...args], { env: { DATA_DIR: '/nowhere/relay', USER: 'alice', ...env } })

async function setup() {
  const relay = await startRelay()
  await relay.ends(await relay.promote('5'))
  await relay.ends(await relay.promote('6'))
  const api = await startServer({ redisUrl: relay.redisUrl })
  const ways: Record<string, Env> = {
    'straight in Redis': { REDIS_URL: relay.redisUrl },
    'through the server': { RELAY_URL: api.url, RELAY_API_TOKEN: TOKEN },
  }
  return { relay, ways }
}

describe.each(['straight in Redis', 'through the server'])('%s', (way) => {
  test('a target is held, rolled back all the same, and released', async () => {
    const { relay, ways } = await setup()
    const env = ways[way] ?? {}

    const held = await cli(['hold', 'fraud-detector', '--why', 'audit'], env)
    expect([held.code, held.stderr, held.stdout]).toEqual([
      0,
      '',
      'fraud-detector is held: what comes waits until it is released\n',
    ])
    const [target] = await relay.reader.targets(1)
    expect(target?.hold).toMatchObject({ kind: 'person', by: 'alice', why: 'audit' })

    const back = await cli(['rollback', 'fraud-detector', '--wait'], env)
    expect(back.stdout).toMatch(/^accepted \S{36}: fraud-detector goes back to version 5\n/)
    expect(back.stdout).toMatch(/accepted \(alice\); version 6 is live\n/)
    expect(back.stdout).toMatch(/ended: deployed\n$/)
    expect([back.code, back.stderr]).toEqual([0, ''])
    expect(relay.versionsRun()).toEqual(['5', '6', '5'])

    const released = await cli(['release', 'fraud-detector', '--why', 'the quota was raised'], env)
    expect([released.code, released.stdout]).toEqual([
      0,
      'fraud-detector is released: promotions flow again\n',
    ])
    const again = await cli(['release', 'fraud-detector', '--json'], env)
    expect([again.code, JSON.parse(again.stdout)]).toEqual([
      0,
      { status: 'not_held', text: 'fraud-detector was not held' },
    ])
  })

  test('what is refused says why, and exits 1; what is wrong exits 2', async () => {
    const { ways } = await setup()
    const env = ways[way] ?? {}

    const unknown = await cli(['hold', 'fruad-detector'], env)
    expect([unknown.code, unknown.stdout]).toEqual([1, ''])
    expect(unknown.stderr).toMatch(/no such target: nothing was ever promoted to it/i)
    const wrong = await cli(['rollback', 'fraud-detector', '--environment', 'a b'], env)
    expect([wrong.code, wrong.stdout]).toEqual([2, ''])
    expect(wrong.stderr).toContain('--environment may hold letters')
  })
})

test('with nobody there they say so, and exit 3', async () => {
  for (const env of [
    { REDIS_URL: 'redis://127.0.0.1:1' },
    { RELAY_URL: 'http://127.0.0.1:1', RELAY_API_TOKEN: TOKEN },
  ]) {
    const away = await cli(['release', 'fraud-detector'], env as Env)
    expect([away.code, away.stdout]).toEqual([3, ''])
    expect(away.stderr).toMatch(/can't be reached/)
  }
})

test('a version that was rolled back from is skipped when it is promoted again', async () => {
  const { ways } = await setup()
  const env = ways['straight in Redis'] ?? {}
  await cli(['rollback', 'fraud-detector', '--wait'], env)

  const again = await cli(
    ['promote', '--model', 'fraud-detector', '--version', '6', '--idempotency-key', 'once more'],
    env,
  )

  expect([again.code, again.stderr]).toEqual([0, ''])
  expect(again.stdout).toMatch(/^skipped \S{36}: fraud-detector 6 was rolled back from, and is held back\n$/)
})
