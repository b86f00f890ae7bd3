// The chain's third link, on Debian and Ubuntu: a private copy taken from the distribution's own packages,
// without root and without touching the system.
// Guarantees: writes under `cacheDir` only; the copy is checked by running it before it is kept, and kept by one
// rename; of two fetches at once the second waits and takes what the first has made.
// What the server needs is apt's to resolve, not ours: everything beyond what the machine has is fetched, or,
// where the machine's own state doesn't resolve, everything. Of it, the server and the shared libraries are kept;
// never the C library, which must be the one of the machine's loader.
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type AptOptions, aptInOwnFolders, type OwnApt } from './apt-in-own-folders.ts'
import { type FoundProgram, type Miss, OLDEST_MAJOR_VERSION, onPath, SERVER_NAMES } from './find-server.ts'
import { waitForLock } from './kernel-lock.ts'
import { copiesDir, findPrivateCopy, freshWorkDir, keepCopy, openCopy } from './private-copy.ts'
import { pickVariables, runCommand } from './run-command.ts'

export interface AptFetchOptions extends AptOptions {
  cacheDir: string
  log?: ((line: string) => void) | undefined
}

const CURE = 'sudo apt-get install redis-server'
const TOOLS = ['apt-get', 'apt-cache', 'apt-config', 'dpkg-deb']
const C_LIBRARY = /^(libc6|libc-bin|libc6-[^_]+)_/

export async function fetchFromApt(options: AptFetchOptions): Promise<FoundProgram> {
  const { cacheDir, env, signal, log } = options
  for (const tool of TOOLS) {
    if ((await onPath(tool, env)).length === 0) return { ok: false, reason: `${tool} is not there` }
  }
  if (/["\\\n:;%]/.test(copiesDir(cacheDir))) {
    return { ok: false, reason: `the cache folder's name has characters that apt does not take`, cure: CURE }
  }
  try {
    await mkdir(copiesDir(cacheDir), { recursive: true })
    let waited = false
    const lock = await waitForLock(path.join(copiesDir(cacheDir), '.fetch.lock'), {
      signal,
      onWait: () => {
        waited = true
        log?.('another start is fetching redis-server; waiting for it…')
      },
    })
    if (!lock) return { ok: false, reason: 'stopped' }
    try {
      const made = waited ? await findPrivateCopy(options, signal) : undefined
      return made?.ok ? made : await fetchUnderLock(options)
    } finally {
      lock.release()
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { ok: false, reason: `the cache folder can't be used: ${reason}`, cure: CURE }
  }
}

async function fetchUnderLock(options: AptFetchOptions): Promise<FoundProgram> {
  const { cacheDir, env, signal, log } = options
  const workDir = await freshWorkDir(cacheDir)
  try {
    const apt = await aptInOwnFolders(workDir, options)
    log?.(
      `reading the distribution's package lists, to fetch a private copy of redis-server (once, some 10 MB)…`,
    )
    const update = await apt.update()
    const choice = await choosePackage(apt, update)
    if (!choice.ok) return choice
    log?.(`fetching ${choice.name} ${choice.version} and the libraries it needs…`)
    const copy = path.join(workDir, 'copy')
    let last: FoundProgram = { ok: false, reason: '' }
    for (const beyond of ['system', 'nothing'] as const) {
      const download = await apt.download(choice.name, beyond)
      if (!download.ok) {
        last = { ok: false, reason: `apt-get could not fetch ${choice.name}: ${download.reason}`, cure: CURE }
        continue
      }
      await rm(copy, { recursive: true, force: true })
      await assembleCopy(download.folder, copy, options)
      last = await openCopy(copy, 'apt', env, signal)
      if (last.ok) {
        const name = `${choice.name}_${choice.version}_${process.arch}`.replace(/[^\w.~+-]/g, '-')
        return openCopy(await keepCopy(copy, cacheDir, name), 'apt', env, signal)
      }
    }
    return last
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

async function choosePackage(
  apt: OwnApt,
  update: { ok: boolean; reason: string },
): Promise<{ ok: true; name: string; version: string } | Miss> {
  const tooOld: string[] = []
  for (const name of SERVER_NAMES) {
    const version = await apt.candidate(name)
    if (!version) continue
    if (Number.parseInt(version.replace(/^\d+:/, ''), 10) >= OLDEST_MAJOR_VERSION)
      return { ok: true, name, version }
    tooOld.push(`${name} ${version}`)
  }
  if (tooOld.length > 0) {
    return {
      ok: false,
      reason: `the distribution has only ${tooOld.join(' and ')}, and 7 or newer is needed`,
    }
  }
  if (update.ok) return { ok: false, reason: 'the package lists name no redis-server', cure: CURE }
  return { ok: false, reason: `the package lists can't be read: ${update.reason}`, cure: CURE }
}

/** From packages to a flat `bin/` and `lib/`: no maintainer scripts, no set-uid programs, nothing else. */
async function assembleCopy(archives: string, copy: string, { env, signal }: AptFetchOptions): Promise<void> {
  const root = path.join(copy, 'unpacked')
  await mkdir(root, { recursive: true })
  const debs = (await readdir(archives)).filter((name) => name.endsWith('.deb') && !C_LIBRARY.test(name))
  for (const deb of debs) {
    await runCommand('dpkg-deb', ['-x', path.join(archives, deb), root], {
      env: pickVariables(env, ['PATH', 'TMPDIR']),
      timeoutMs: 60_000,
      signal,
    })
  }
  await mkdir(path.join(copy, 'bin'))
  await mkdir(path.join(copy, 'lib'))
  for (const name of SERVER_NAMES)
    await copyIfFile(path.join(root, 'usr/bin', name), path.join(copy, 'bin', name))
  for (const folder of await libraryFolders(root)) {
    for (const name of await readdir(folder)) {
      if (/\.so(\.|$)/.test(name)) await copyIfFile(path.join(folder, name), path.join(copy, 'lib', name))
    }
  }
  await rm(root, { recursive: true, force: true })
}

/** `lib` and `usr/lib`, and the architecture's folder in each. */
async function libraryFolders(root: string): Promise<string[]> {
  const tops = [path.join(root, 'lib'), path.join(root, 'usr/lib')]
  const listed = await Promise.all(
    tops.map(async (top) => {
      const entries = await readdir(top, { withFileTypes: true }).catch(() => undefined)
      const folders = entries?.filter((entry) => entry.isDirectory() && entry.name.includes('-linux-')) ?? []
      return entries ? [top, ...folders.map((entry) => path.join(top, entry.name))] : []
    }),
  )
  return listed.flat()
}

/** Copies what the path leads to (the server's is a link to another program's file); no matter if it leads nowhere. */
async function copyIfFile(from: string, to: string): Promise<void> {
  const found = await stat(from).catch(() => undefined)
  if (found?.isFile()) await copyFile(from, to)
}
