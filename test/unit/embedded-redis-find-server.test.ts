import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findOnPath } from '../../shared/redis/embedded/find-server.ts'
import { findPrivateCopy } from '../../shared/redis/embedded/private-copy.ts'

const folders: string[] = []

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
})

async function setup() {
  const root = await mkdtemp(path.join(tmpdir(), 'embedded-redis-find-'))
  folders.push(root)
  /** A program that prints one line, as `redis-server --version` does, or breaks. */
  async function program(file: string, body: string): Promise<string> {
    const command = path.join(root, file)
    await mkdir(path.dirname(command), { recursive: true })
    await writeFile(command, `#!/bin/sh\n${body}\n`)
    await chmod(command, 0o755)
    return command
  }
  const tells = (version: string) =>
    `echo "Redis server v=${version} sha=00000000:0 malloc=libc bits=64 build=0"`
  const env = (...names: string[]) => ({
    PATH: names.map((name) => path.join(root, name)).join(path.delimiter),
  })
  return { root, program, tells, env }
}

describe('on PATH', () => {
  test('a redis-server that is new enough is taken, with its version', async () => {
    const { program, tells, env } = await setup()
    const command = await program('a/redis-server', tells('7.0.15'))
    expect(await findOnPath(env('a'))).toEqual({
      ok: true,
      program: { origin: 'path', command, version: '7.0.15' },
    })
  })

  test('an old redis-server is passed over for a newer one further along', async () => {
    const { program, tells, env } = await setup()
    await program('old/redis-server', tells('6.0.16'))
    const command = await program('new/redis-server', tells('8.2.1'))
    expect(await findOnPath(env('old', 'new'))).toMatchObject({ ok: true, program: { command } })
  })

  test('an old redis-server is passed over for a valkey-server', async () => {
    const { program, tells, env } = await setup()
    await program('a/redis-server', tells('6.0.16'))
    const command = await program(
      'a/valkey-server',
      'echo "Valkey server v=8.1.1 sha=00000000:0 malloc=libc"',
    )
    expect(await findOnPath(env('a'))).toMatchObject({ ok: true, program: { command, version: '8.1.1' } })
  })

  test('an old one alone is named, with what would be new enough', async () => {
    const { program, tells, env } = await setup()
    const command = await program('a/redis-server', tells('6.0.16'))
    const found = await findOnPath(env('a'))
    expect(found).toMatchObject({ ok: false, reason: `${command} is 6.0.16, and 7 or newer is needed` })
  })

  test('one that does not run on this machine is named, with what it said', async () => {
    const { program, env } = await setup()
    const command = await program('a/redis-server', 'echo "libjemalloc.so.2: cannot open" >&2; exit 127')
    const found = await findOnPath(env('a'))
    expect(found).toMatchObject({
      ok: false,
      reason: `${command} does not run: libjemalloc.so.2: cannot open`,
    })
  })

  test('a file that is not executable, and a relative entry of PATH, are not looked at', async () => {
    const { program, tells, env } = await setup()
    await chmod(await program('a/redis-server', tells('7.0.15')), 0o644)
    const found = await findOnPath({ PATH: `.${path.delimiter}${env('a').PATH}` })
    expect(found).toMatchObject({ ok: false, reason: 'neither redis-server nor valkey-server is there' })
  })

  test('the program sees no variable of the relay but those that programs run by', async () => {
    const { root, program, tells, env } = await setup()
    const said = path.join(root, 'environment')
    await program('a/redis-server', `/usr/bin/env > ${said}; ${tells('7.0.15')}`)
    await findOnPath({ ...env('a'), LANG: 'C', GITHUB_TOKEN: 'ghp_secret' })
    const environment = await readFile(said, 'utf8')
    expect(environment).toContain('LANG=C')
    expect(environment).not.toContain('ghp_secret')
  })
})

describe('a private copy', () => {
  test('is found in the cache and runs with the libraries kept beside it', async () => {
    const { root, program } = await setup()
    const libraryDir = path.join(root, 'cache/redis/redis-server_7.0.15_x64/lib')
    const command = await program(
      'cache/redis/redis-server_7.0.15_x64/bin/redis-server',
      `test "$LD_LIBRARY_PATH" = "${libraryDir}" && echo "Redis server v=7.0.15"`,
    )
    expect(await findPrivateCopy({ cacheDir: path.join(root, 'cache'), env: {} })).toEqual({
      ok: true,
      program: { origin: 'cache', command, libraryDir, version: '7.0.15' },
    })
  })

  test('that a killed fetch left half made is never looked at', async () => {
    const { root, program, tells } = await setup()
    await program('cache/redis/.fetching-1/copy/bin/redis-server', tells('7.0.15'))
    await program('cache/redis/.fetching-2/bin/redis-server', tells('7.0.15'))
    const cacheDir = path.join(root, 'cache')
    expect(await findPrivateCopy({ cacheDir, env: {} })).toEqual({
      ok: false,
      reason: `none in ${path.join(cacheDir, 'redis')}`,
    })
  })

  test('that no longer runs is passed over for one that does', async () => {
    const { root, program, tells } = await setup()
    await program('cache/redis/redis-server_9_x64/bin/redis-server', 'exit 1')
    await mkdir(path.join(root, 'cache/redis/redis-server_8_x64/bin'), { recursive: true })
    const command = await program('cache/redis/redis-server_7_x64/bin/redis-server', tells('7.0.15'))
    const found = await findPrivateCopy({ cacheDir: path.join(root, 'cache'), env: {} })
    expect(found).toMatchObject({ ok: true, program: { command } })
  })
})
