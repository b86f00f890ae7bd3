// The package that users install: packed, put into a project elsewhere, and used there by every one of its faces.
import { readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startSimulator } from '../github-simulator/simulator.ts'
import { filesOf, type InstalledPackage, installPackage } from '../support/installed-package.ts'
import { type PrivateRedis, startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import { NODE, ROOT, run, startProgram, temporaryDir } from '../support/up.ts'

const about = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const FOLDERS = ['producer', 'worker', 'shared', 'standalone']

/** Compilers on a busy machine: what is quick here is tested elsewhere. */
const withinMs = 90_000
vi.setConfig({ testTimeout: 100_000 })

let installed: InstalledPackage
let redis: PrivateRedis
const undo: (() => void | Promise<void>)[] = []

beforeAll(async () => {
  const atEnd = (step: () => void | Promise<void>) => undo.unshift(step)
  installed = await installPackage(atEnd)
  redis = await startPrivateRedis()
  atEnd(redis.stop)
}, 240_000)

afterAll(async () => {
  for (const step of undo) await step()
})

/** A program of this checkout's tools on the installed package. */
const tool = (name: string, args: readonly string[]) =>
  run(path.join(ROOT, 'node_modules', '.bin', name), args, { cwd: installed.project, withinMs })

function inProject(name: string, text: string): string {
  const file = path.join(installed.project, name)
  writeFileSync(file, text)
  return file
}

describe('the files', () => {
  test('are each source built, with its types, the scripts, what pages need, and nothing of the tests', () => {
    const sources = FOLDERS.flatMap((name) => filesOf(path.join(ROOT, name)).map((file) => `${name}/${file}`))
    const built = [...sources, 'cli.ts'].flatMap((file) => {
      if (file.endsWith('.lua') || file.includes('/assets/')) return [`dist/${file}`]
      const name = /^(.*)\.ts$/.exec(file)?.[1]
      return name === undefined ? [] : [`dist/${name}.js`, `dist/${name}.d.ts`]
    })
    expect(built).toContain('dist/shared/ledger/scripts/claim.lua')
    expect(built).toContain('dist/worker/ops/pages/assets/style.css')
    const plain = [
      '.env.example',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin/promotion-relay.cjs',
      'package.json',
    ]
    expect(filesOf(installed.folder)).toEqual([...built, ...plain].sort())
  })

  test('import each other, Node and what the package depends on: no tool of its development', () => {
    const known = Object.keys(about.dependencies)
    const foreign = new Set<string>()
    for (const file of filesOf(path.join(installed.folder, 'dist'))) {
      if (file.endsWith('.lua')) continue
      const text = readFileSync(path.join(installed.folder, 'dist', file), 'utf8')
      expect([file, text.includes('sourceMappingURL')]).toEqual([file, false])
      for (const [, from = ''] of text.matchAll(/\b(?:from|import|require)\b[ (]*['"]([^'"\n]+)['"]/g)) {
        const name = /^(@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? ''
        if (!/^\.\.?$/.test(name) && !isBuiltin(name) && !known.includes(name))
          foreign.add(`${file}: ${from}`)
      }
    }
    expect([...foreign]).toEqual([])
  })

  test('satisfy publint', async () => {
    const { code, stdout, stderr } = await tool('publint', ['run', installed.tarball, '--strict'])
    expect([code, stdout.trimEnd().split('\n').at(-1), stderr]).toEqual([0, 'All good!', ''])
  })

  // Left out is one rule, against ES modules alone: every Node that `engines` allows takes them by require(), which
  // a test below does.
  test('satisfy arethetypeswrong for old and new resolvers', async () => {
    const flags = ['--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji']
    const { code, stdout } = await tool('attw', [installed.tarball, ...flags])
    expect([code, stdout]).toEqual([0, expect.stringContaining('No problems found')])
  })
})

describe('the program', () => {
  /** Its exit code then: it may be run again. */
  const NOT_REACHED = 3
  const cli = (args: readonly string[], env: Record<string, string> = {}) =>
    run(installed.program, args, { env: { DATA_DIR: '/nowhere/relay', ...env }, withinMs })

  test('says its version', async () => {
    const { code, stdout, stderr } = await cli(['--version'])
    expect([code, stdout, stderr]).toEqual([0, `${about.version}\n`, ''])
  })

  test('brings no simulator: up asks for the settings of GitHub', async () => {
    const { code, complaints } = await cli(['up'], { DATA_DIR: temporaryDir('package-up') })
    expect(code).toBe(2)
    expect(complaints).toEqual([
      expect.stringContaining('the simulator is not part of this installation: set GITHUB_TOKEN'),
    ])
  })

  test('serves, works and takes a promotion to its end, and shows the dashboard', async () => {
    const simulator = await startSimulator({ queuedMs: 0, runMs: 0 })
    onTestFinished(simulator.close)
    const settings = {
      DATA_DIR: temporaryDir('package-data'),
      REDIS_URL: redis.url,
      PORT: '0',
      WORKER_PORT: '0',
      ENABLE_CD_TRIGGER: 'true',
      GITHUB_API_URL: simulator.url,
      GITHUB_REPO_OWNER: 'acme',
      GITHUB_REPO_NAME: 'models',
      GITHUB_TOKEN: 'ghp_test-token-0001',
      RELAY_API_TOKEN: 'package-api-token-0001',
      OPS_PASSWORD: 'package-ops-password-0001',
      TRACK_INTERVAL_SECONDS: '0.1',
    }
    const server = startProgram(installed.program, ['serve'], { env: settings })
    const worker = startProgram(installed.program, ['work'], { env: settings })
    const url = await until('the server to listen', () => /"url":"([^"]+)"/.exec(server.stdout)?.[1])
    await until('the worker to be at work', () => worker.stdout.includes('The worker is at work'))

    const flags = ['--model', 'fraud-detector', '--version', '5', '--accuracy', '0.9234', '--wait']
    const { RELAY_API_TOKEN } = settings
    const promoted = await until('the relay to answer within the deadline', async () => {
      const end = await cli(['promote', ...flags, '--url', url], { RELAY_API_TOKEN })
      return end.code !== NOT_REACHED && end
    })
    expect([promoted.code, promoted.stderr]).toEqual([0, ''])
    expect(promoted.said.at(-1)).toBe('ended: deployed')
    expect(simulator.runs).toEqual([
      expect.objectContaining({ inputs: expect.objectContaining({ model_version: '5' }) }),
    ])

    const logIn = { authorization: `Basic ${btoa(`ops:${settings.OPS_PASSWORD}`)}` }
    const page = await fetch(`${url}/queues/`, { headers: logIn })
    const script = /src="([^"]+\.js)"/.exec(await page.text())?.[1] ?? ''
    const answer = await fetch(new URL(script, `${url}/queues/`), { headers: logIn })
    // Read to its end: the server waits for what is under way before it ends.
    expect(await answer.text()).not.toBe('')
    expect([page.status, answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      200,
      expect.stringContaining('javascript'),
    ])

    for (const program of [server, worker]) {
      program.kill('SIGTERM')
      expect([await program.end(), program.stderr]).toEqual([0, ''])
    }
  })
})

describe('the library', () => {
  const USE = `
const producer = createProducer({ redisUrl: process.env.TEST_REDIS_URL, deadlineMs: 30_000 })
producer.promote({ model: process.env.TEST_MODEL, version: '5', accuracy: 0.9234 }).then((result) => {
  console.log(JSON.stringify(result))
  return producer.close()
})
`
  test.each([
    ['an ES module', 'library.mjs', "import { createProducer } from 'promotion-relay'"],
    ['a CommonJS module', 'library.cjs', "const { createProducer } = require('promotion-relay')"],
  ])('promotes from %s', async (_, name, imports) => {
    const file = inProject(name, `${imports}\n${USE}`)
    const env = { TEST_REDIS_URL: redis.url, TEST_MODEL: name }
    const { code, stdout, stderr } = await run(NODE, [file], { cwd: installed.project, env, withinMs })
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({
      status: 'accepted',
      id: expect.any(String),
      state: 'accepted',
      live: '',
    })
  })

  const TYPED = `
import { createProducer, type Producer, type PromoteResult, type State } from 'promotion-relay'
const producer: Producer = createProducer({ redisUrl: 'redis://localhost' })
export async function promote(): Promise<string> {
  // @ts-expect-error: a promotion has a version
  await producer.promote({ model: 'fraud-detector' })
  const result: PromoteResult = await producer.promote({ model: 'fraud-detector', version: '5', accuracy: 0.9 })
  // @ts-expect-error: only what was taken has an id
  result.id.length
  return result.status === 'accepted' ? result.id : result.status
}
export async function stateOf(id: string): Promise<State | undefined> {
  return (await producer.get(id))?.promotion.state
}
`
  test.each([
    ['an ES module', 'typed.mts', 'nodenext', 'nodenext'],
    ['a CommonJS module', 'typed.cts', 'nodenext', 'nodenext'],
    ['what a bundler takes', 'typed.ts', 'preserve', 'bundler'],
  ])('has types for %s', async (_, name, module, moduleResolution) => {
    const file = inProject(name, TYPED)
    const typeRoots = path.join(ROOT, 'node_modules', '@types')
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node', '--typeRoots', typeRoots]
    const { stdout } = await tool('tsc', [
      ...flags,
      ...['--module', module, '--moduleResolution', moduleResolution, file],
    ])
    // What other packages' types lack is not ours to mend.
    const ours = stdout.split('\n').filter((line) => !/node_modules\/(?!promotion-relay\/)/.test(line))
    expect(ours.join('\n')).toBe('')
  })
})
