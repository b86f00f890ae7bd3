// The commands of the documents, as they stand there, against a Redis and a GitHub of the test's own. Only ports are
// others, since those of the documents may be taken.
import { appendFileSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { fitsHash, parseUsers } from '../../shared/ops-users.ts'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { type Simulator, startSimulator } from '../github-simulator/simulator.ts'
import { ledgerOn } from '../integration/ledger-setup.ts'
import { blockOf } from '../support/docs.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import { cleanEnv, LAUNCHER, type Program, READY, ROOT, startProgram, temporaryDir } from '../support/up.ts'

const TOKEN = 'github_pat_docs-token-0001'

interface Shell {
  cwd: string
  env?: Record<string, string>
  /** Ports of the documents, and those that take their place. */
  ports?: Record<number, number>
}

/** Starts a block as a person at a terminal would, with no setting in the environment but those given. */
function start(block: string, { cwd, env = {}, ports = {} }: Shell): Program {
  const script = Object.entries(ports).reduce((text, [from, to]) => text.replaceAll(from, String(to)), block)
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = cleanEnv()
  const given = { PATH, HOME, NODE_COMPILE_CACHE, ...env }
  const assignments = Object.entries(given).map(([name, value]) => `${name}=${value}`)
  return startProgram('env', ['-i', ...assignments, 'bash', '-euo', 'pipefail', '-c', script], { cwd })
}

/** @returns what it printed. @throws with its complaints when it does not exit with 0 */
async function shell(block: string, options: Shell): Promise<string> {
  const program = start(block, options)
  const code = await program.end()
  if (code !== 0) throw new Error(`exit ${code} of ${block}\n${program.stdout}\n${program.stderr}`)
  return program.stdout
}

async function github(): Promise<Simulator> {
  const simulator = await startSimulator({ queuedMs: 20, runMs: 50, token: TOKEN })
  onTestFinished(simulator.close)
  return simulator
}

/** The checkout as it is, in a place where a `.env` and data may lie. */
function checkout(): string {
  const dir = temporaryDir('relay-docs')
  const own = ['.git', '.env', '.relay']
  for (const name of readdirSync(ROOT).filter((one) => !own.includes(one)))
    symlinkSync(path.join(ROOT, name), path.join(dir, name))
  return dir
}

test('the quick start leads to versions that are live', async () => {
  const simulator = await github()
  const port = await pickFreePort()
  const cwd = checkout()
  const settings = blockOf('docs/QUICK_START_CT_CD.md', 'settings').replace('<your token>', TOKEN)
  writeFileSync(path.join(cwd, '.env'), settings)
  // What a test adds to it: a GitHub and a port of its own, and no patience.
  appendFileSync(
    path.join(cwd, '.env'),
    `GITHUB_API_URL=${simulator.url}\nPORT=${port}\nTRACK_INTERVAL_SECONDS=0.1\n`,
  )
  const here = { cwd, ports: { 8080: port } }

  const relay = start(blockOf('docs/QUICK_START_CT_CD.md', 'start'), here)
  await until('the relay to be up', () => relay.stdout.includes(READY), 30_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${relay.stdout}\n${relay.stderr}`)
  })
  expect(relay.stdout).toContain('it dispatches cd_pipeline.yml in acme/models')

  const looked = await shell(blockOf('docs/QUICK_START_CT_CD.md', 'doctor'), here)
  expect(looked).toMatch(/ok +repository +acme\/models can be read/)
  expect(looked).not.toMatch(/^ {2}(fault|warning)/m)

  const promoted = await shell(blockOf('docs/QUICK_START_CT_CD.md', 'promote'), here)
  expect(promoted).toMatch(/ended: deployed\n$/)
  const posted = JSON.parse(await shell(blockOf('docs/QUICK_START_CT_CD.md', 'http'), here))
  expect(posted).toMatchObject({ status: 'accepted', live: '5' })
  const asked = await until('it is live', async () => {
    const [promotions, targets] = (await shell(blockOf('docs/QUICK_START_CT_CD.md', 'ask'), here)).split('}{')
    return targets?.includes('"live":"6"') && promotions
  })
  expect(asked).toContain(posted.id)
  expect(simulator.runs.map(({ inputs }) => inputs.model_version)).toEqual(['5', '6'])

  relay.kill('SIGTERM')
  await relay.end()
}, 60_000)

const onPath = (program: string) =>
  (process.env.PATH ?? '').split(':').some((dir) => existsSync(path.join(dir, program)))

test.skipIf(!onPath('redis-cli'))(
  'the commands of production do what is said of them',
  async () => {
    const simulator = await github()
    const redis = await startPrivateRedis()
    onTestFinished(redis.stop)
    const client = new Redis(redis.url, { replyMapping: 'legacy' })
    onTestFinished(() => client.disconnect())
    const unresolved = await ledgerOn(client).unresolved('1', {
      id: '01a209ce-945b-73b8-85ed-b38278076230',
      model: 'unresolved',
    })

    const cwd = temporaryDir('relay-docs')
    symlinkSync(LAUNCHER, path.join(cwd, 'promotion-relay'))
    const tokenFile = path.join(cwd, 'api-token')
    writeFileSync(tokenFile, 'former-api-token\n')
    const [port, workerPort, restorePort] = [await pickFreePort(), await pickFreePort(), await pickFreePort()]
    const settings = {
      PATH: `${cwd}:${cleanEnv().PATH}`,
      REDIS_URL: redis.url,
      PORT: String(port),
      WORKER_PORT: String(workerPort),
      RELAY_API_TOKEN_FILE: tokenFile,
      OPS_PASSWORD: 'ops-password',
      ENABLE_CD_TRIGGER: 'true',
      GITHUB_TOKEN: TOKEN,
      GITHUB_REPO_OWNER: 'acme',
      GITHUB_REPO_NAME: 'models',
      GITHUB_API_URL: simulator.url,
      TRACK_INTERVAL_SECONDS: '0.1',
    }
    const here = { cwd, env: settings, ports: { 8080: port, 8081: workerPort, 6380: restorePort } }
    const withToken = { ...here, env: { ...settings, RELAY_API_TOKEN: 'new-api-token' } }

    const processes = [
      start(blockOf('docs/PRODUCTION.md', 'serve'), here),
      start(blockOf('docs/PRODUCTION.md', 'work'), here),
    ]
    const ready = '{"status":"ready","warnings":[]}'
    await until('both are ready', async () => {
      const said = await shell(blockOf('docs/PRODUCTION.md', 'ready'), here).catch(() => '')
      return said === ready + ready
    })

    expect(await shell(blockOf('docs/PRODUCTION.md', 'redis-settings'), here)).toBe(
      'appendonly\nyes\nappendfsync\nalways\nmaxmemory-policy\nnoeviction\n',
    )
    expect(await shell('promotion-relay promote --model a --version 1 --wait', here)).toContain(
      'ended: deployed',
    )
    const metrics = await shell(blockOf('docs/PRODUCTION.md', 'metrics'), here)
    expect(metrics).toContain('promotion_relay_dead_letters 1\n')
    expect(metrics).toContain('promotion_relay_redis_warnings 0\n')

    const named = { ...here, env: { ...settings, PROMOTION_ID: unresolved, RUN_ID: '77' } }
    expect(await shell(blockOf('docs/PRODUCTION.md', 'resolve'), named)).toBe(
      'It is followed by that run now\n',
    )

    await shell(blockOf('docs/PRODUCTION.md', 'rotate'), {
      ...here,
      env: { ...settings, NEW_TOKEN: 'new-api-token' },
    })
    expect(readFileSync(tokenFile, 'utf8')).toBe('new-api-token\n')
    const targets = await shell(blockOf('docs/PRODUCTION.md', 'targets'), withToken)
    expect(JSON.parse(targets).targets).toContainEqual(expect.objectContaining({ model: 'a', live: '1' }))

    for (const each of processes) each.kill('SIGTERM')
    expect(await Promise.all(processes.map((each) => each.end()))).toEqual([0, 0])

    // What ends by itself within seconds may do so between the two counts.
    const passing = await Promise.all(['lease', 'rate'].map((kind) => client.keys(`*:${kind}:*`)))
    for (const key of passing.flat()) await client.del(key)
    const kept = await client.dbsize()
    await shell(blockOf('docs/PRODUCTION.md', 'backup'), here)
    const restored = await shell(blockOf('docs/PRODUCTION.md', 'restore'), here)
    expect(restored.trimEnd().split('\n').at(-1)).toBe(String(kept))
    expect(readdirSync(path.join(cwd, 'restored', 'appendonlydir'))).toContain('appendonly.aof.manifest')
  },
  60_000,
)

test('a person is added to the file of people, and logs in', async () => {
  const cwd = checkout()
  const NEW_PASSWORD = 'a-password-of-vera'
  // npx may look for what it has next to it, and must not ask the registry.
  await shell(blockOf('docs/PRODUCTION.md', 'user'), {
    cwd,
    env: { NEW_PASSWORD, npm_config_offline: 'true' },
  })
  const { users, problems } = parseUsers(readFileSync(path.join(cwd, 'users'), 'utf8'))
  expect([users.map(({ name, role }) => [name, role]), problems]).toEqual([[['vera', 'viewer']], []])
  expect(await fitsHash(NEW_PASSWORD, users[0]?.hash ?? '')).toBe(true)
})

test('a promotion keeps about as much of Redis as is said', async () => {
  const told = Number(
    /keeps about (\d+) KB/.exec(readFileSync(path.join(ROOT, 'docs/PRODUCTION.md'), 'utf8'))?.[1],
  )
  const command = blockOf('docs/PRODUCTION.md', 'memory').replace(
    'npm run bench --',
    'npm run -s bench -- --quick --json',
  )
  const { sections } = JSON.parse(await shell(command, { cwd: ROOT }))
  expect(Math.abs(sections.memory.figures.bytesPerTerminalPromotion / 1_000 - told)).toBeLessThan(1)
}, 60_000)
