// What the relay's image holds, and what it does not.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { ROOT } from '../support/up.ts'
import { docker, say } from './docker.ts'
import { RELAY_IMAGE } from './images.ts'

const about = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, { dev?: boolean }>
}

describe.skipIf(inject('noDocker'))('the image of the relay', () => {
  const config = async () => JSON.parse(await docker('image', 'inspect', RELAY_IMAGE))[0].Config
  const run = (...command: string[]) =>
    docker('run', '--rm', '--network', 'none', '--entrypoint', '', RELAY_IMAGE, ...command)
  const filesIn = async (directory: string) => (await run('ls', '-A', directory)).split('\n').sort()

  test('says what it is, in the labels of the OCI', async () => {
    const { Labels } = await config()
    const label = (name: string) => Labels[`org.opencontainers.image.${name}`]
    expect([label('title'), label('version'), label('licenses')]).toEqual([
      about.name,
      about.version,
      about.license,
    ])
    expect(label('description')).toBe(about.description)
    expect(Object.keys(Labels)).toEqual(
      expect.arrayContaining(['org.opencontainers.image.source', 'org.opencontainers.image.revision']),
    )
  })

  test('runs as the user node, ends on SIGTERM and checks its health', async () => {
    const { User, StopSignal, Healthcheck, Cmd } = await config()
    expect({ User, StopSignal, Cmd }).toEqual({ User: 'node', StopSignal: 'SIGTERM', Cmd: ['serve'] })
    expect(Healthcheck.Test).toContain('/app/health-check.mjs')
  })

  test('holds the built program and its dependencies, and nothing else of the checkout', async () => {
    expect(await filesIn('/app')).toEqual(['bin', 'dist', 'health-check.mjs', 'node_modules', 'package.json'])
    const packages = await filesIn('/app/node_modules')
    const wanted = Object.keys(about.dependencies).map((name) => name.split('/')[0])
    expect(packages).toEqual(expect.arrayContaining(wanted))
    // What only development needs, by the lock: some tools are dependencies of what runs, too.
    const onlyForDevelopment = (name: string) => lock.packages[`node_modules/${name}`]?.dev === true
    expect(packages.filter(onlyForDevelopment)).toEqual([])
    expect(onlyForDevelopment('vitest')).toBe(true)
  })

  test('was built without a secret, and brings none', async () => {
    const secret = /(TOKEN|PASSWORD|SECRET|PRIVATE_KEY)\S*=/i
    expect(await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', RELAY_IMAGE)).not.toMatch(
      secret,
    )
    expect((await config()).Env.join('\n')).not.toMatch(secret)
  })

  test('a health check fails where neither server nor worker answers', async () => {
    const command = ['run', '--rm', '--network', 'none', '--entrypoint', 'node', RELAY_IMAGE]
    const { code } = await say('docker', [...command, '/app/health-check.mjs'])
    expect(code).toBe(1)
  })

  test.each([
    ['serve', ['REDIS_URL', 'RELAY_API_TOKEN', 'OPS_PASSWORD']],
    ['work', ['REDIS_URL']],
  ])('%s without its settings says which are missing, and ends with 2', async (command, names) => {
    const { code, stderr } = await say('docker', ['run', '--rm', RELAY_IMAGE, command])
    expect(code).toBe(2)
    for (const name of names) expect(stderr).toContain(`${name} is missing`)
  })
})
