import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { tryLock, waitForLock } from '../../shared/redis/embedded/kernel-lock.ts'

const LOCK_MODULE = new URL('../../shared/redis/embedded/kernel-lock.ts', import.meta.url).href
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function setup() {
  const folder = await mkdtemp(path.join(tmpdir(), 'embedded-redis-lock-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'a.lock')
  /** Another process that holds the lock until it is killed. */
  async function holder(mode: 'exclusive' | 'shared'): Promise<ChildProcess> {
    const script = `
      const { tryLock } = await import(${JSON.stringify(LOCK_MODULE)})
      globalThis.held = tryLock(${JSON.stringify(file)}, '${mode}')
      console.log('held')
      setInterval(() => globalThis.held, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanups.push(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    return child
  }
  return { file, holder }
}

test('an exclusive lock excludes everyone, until it is released', async () => {
  const { file } = await setup()
  const lock = tryLock(file, 'exclusive')
  expect(tryLock(file, 'exclusive')).toBeUndefined()
  expect(tryLock(file, 'shared')).toBeUndefined()
  lock?.release()
  lock?.release()
  const next = tryLock(file, 'exclusive')
  expect(next).toBeDefined()
  next?.release()
})

test('shared locks go together, and exclude an exclusive one until the last is released', async () => {
  const { file } = await setup()
  const one = tryLock(file, 'shared')
  const two = tryLock(file, 'shared')
  expect(tryLock(file, 'exclusive')).toBeUndefined()
  one?.release()
  expect(tryLock(file, 'exclusive')).toBeUndefined()
  two?.release()
  const alone = tryLock(file, 'exclusive')
  expect(alone).toBeDefined()
  alone?.release()
})

test.each(['exclusive', 'shared'] as const)('a %s lock of a killed process is gone with it', async (mode) => {
  const { file, holder } = await setup()
  const other = await holder(mode)
  expect(tryLock(file, 'exclusive')).toBeUndefined()
  const onWait = vi.fn()
  const waiting = waitForLock(file, { onWait })
  other.kill('SIGKILL')
  const lock = await waiting
  expect(lock).toBeDefined()
  expect(onWait).toHaveBeenCalledOnce()
  lock?.release()
})

test('waiting ends without the lock when the signal fires, or when time is up', async () => {
  const { file } = await setup()
  const lock = tryLock(file, 'exclusive')
  const stop = new AbortController()
  const waiting = waitForLock(file, { signal: stop.signal })
  stop.abort()
  expect(await waiting).toBeUndefined()
  expect(await waitForLock(file, { deadlineAt: () => Date.now() })).toBeUndefined()
  lock?.release()
})
