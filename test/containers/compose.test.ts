// docker-compose.yml as a newcomer uses it: the README's commands, on the settings of deploy/demo.env.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { until } from '../support/until.ts'
import { cleanEnv, ROOT } from '../support/up.ts'
import { docker, healthOf, type Said, say } from './docker.ts'

const DEMO = ['--env-file', 'deploy/demo.env']
const compose = inject('compose')

describe.skipIf(compose.length === 0)('docker compose', () => {
  let env: NodeJS.ProcessEnv
  let url: string

  beforeAll(async () => {
    const [port, simulatorPort] = [await pickFreePort(), await pickFreePort()]
    url = `http://127.0.0.1:${port}`
    // A variable that is set, be it to nothing, stands above the file's: none of the relay's may be there.
    const others = Object.entries(process.env).filter(([name]) => !(name in cleanEnv()))
    env = {
      ...Object.fromEntries(others),
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      COMPOSE_PROJECT_NAME: `promotion-relay-test-${process.pid}`,
      PORT: String(port),
      SIMULATOR_PORT: String(simulatorPort),
    }
  })
  afterAll(() => composed([...DEMO, 'down', '--volumes', '--rmi', 'local']), 120_000)

  function composed(args: string[], more: NodeJS.ProcessEnv = {}): Promise<Said> {
    const [program = '', ...first] = compose
    // The older one takes a terminal for granted.
    const typed = args.flatMap((word) => (word === 'exec' || word === 'run' ? [word, '-T'] : [word]))
    return say(program, [...first, ...typed], { env: { ...env, ...more }, withinMs: 600_000 })
  }
  async function succeeded(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await composed(args)
    if (code !== 0) throw new Error(`compose ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
    return stdout
  }
  const containersOf = async (service: string) => (await succeeded(...DEMO, 'ps', '-q', service)).split('\n')
  const allHealthy = async (service: string) => {
    for (const id of await containersOf(service)) {
      await until(`${service} to be healthy`, async () => (await healthOf(id)) === 'healthy', 60_000)
    }
  }
  async function promoted(model: string): Promise<{ id: string }> {
    const response = await fetch(`${url}/v1/promotions`, {
      method: 'POST',
      headers: { authorization: 'Bearer demo-token', 'content-type': 'application/json' },
      body: JSON.stringify({ model, version: '1' }),
    })
    expect(response.status).toBe(202)
    return (await response.json()) as { id: string }
  }
  const deployed = ({ id }: { id: string }) =>
    until(
      `${id} to be deployed`,
      async () => {
        const headers = { authorization: 'Bearer demo-token' }
        const response = await fetch(`${url}/v1/promotions/${id}`, { headers }).catch(() => undefined)
        return ((await response?.json()) as { state?: string } | undefined)?.state === 'deployed'
      },
      60_000,
    )

  test("the README's commands bring everything up, and a promotion through", async () => {
    const [up, promote, ...others] = readmeCommands()
    expect([up, promote, others.length]).toEqual([
      expect.stringContaining(' up '),
      expect.stringContaining(' promote '),
      1,
    ])
    const typed = (line = '') => succeeded(...line.split(' ').slice(2))
    await typed(up)
    const said = await typed(promote)
    expect(said).toContain('deployed: this version is live')
    expect(said).toMatch(/ended: deployed$/)
  }, 600_000)

  test('server, worker, Redis and simulator are healthy, and Redis keeps the promises', async () => {
    for (const service of ['redis', 'server', 'worker', 'simulator']) await allHealthy(service)
    const ready = await fetch(`${url}/readyz`)
    expect(await ready.json()).toEqual({ status: 'ready', warnings: [] })
  }, 120_000)

  test('a second worker comes with --scale', async () => {
    await succeeded(...DEMO, 'up', '--detach', '--scale', 'worker=2')
    expect((await containersOf('worker')).length).toBe(2)
    await allHealthy('worker')
    await deployed(await promoted('scaled'))
  }, 120_000)

  test('what was recorded is there after down and up', async () => {
    const kept = await promoted('kept')
    await deployed(kept)
    await succeeded(...DEMO, 'down')
    await succeeded(...DEMO, 'up', '--detach')
    await deployed(kept)
    await deployed(await promoted('afterwards'))
  }, 180_000)

  test('a worker with half of the GitHub settings refuses to start, and names the other half', async () => {
    const half = { GITHUB_TOKEN: '', GITHUB_REPO_NAME: '' }
    const { code, stderr } = await composed([...DEMO, 'run', '--rm', '--no-deps', 'worker'], half)
    expect(code).toBe(2)
    expect(stderr).toContain('GITHUB_TOKEN is missing: ENABLE_CD_TRIGGER is on')
    expect(stderr).toContain('GITHUB_REPO_NAME is missing: ENABLE_CD_TRIGGER is on')
  }, 60_000)

  test('without settings nothing starts, and it is said what to do', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'compose-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const empty = path.join(directory, 'empty.env')
    writeFileSync(empty, '')
    const { code, stderr } = await composed(['--env-file', empty, 'up', '--detach'])
    expect(code).not.toBe(0)
    expect(stderr).toContain('fill in .env, see .env.example; or add --env-file deploy/demo.env')
  })

  test.each(['server', 'worker'])(
    'the %s has a read-only root, no capability and no way to more',
    async (service) => {
      const [id = ''] = await containersOf(service)
      const { ReadonlyRootfs, CapDrop, SecurityOpt } = JSON.parse(await docker('inspect', id))[0].HostConfig
      expect({ ReadonlyRootfs, CapDrop, SecurityOpt }).toEqual({
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
      })
    },
  )

  test('only the server and the simulator are reached from outside, and only from this machine', async () => {
    const published = async (service: string) => {
      const [id = ''] = await containersOf(service)
      return (await docker('port', id)).replace(/:\d+$/gm, '')
    }
    expect(await Promise.all(['server', 'simulator', 'worker', 'redis'].map(published))).toEqual([
      '8080/tcp -> 127.0.0.1',
      '4010/tcp -> 127.0.0.1',
      '',
      '',
    ])
  })
})

/** The lines of the section on Docker that begin with `docker compose`. */
function readmeCommands(): string[] {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const [, section = ''] = /^### In Docker\n([\s\S]*?)^##/m.exec(readme) ?? []
  const [, block = ''] = /^```sh\n([\s\S]*?)^```/m.exec(section) ?? []
  return block.split('\n').filter((line) => line.startsWith('docker compose '))
}
