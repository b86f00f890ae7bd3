// The chain's second link: private copies of a server, one folder each under `<cacheDir>/redis/`, with
// `bin/<server>` and `lib/` inside.
// Guarantees: a copy appears whole or not at all (made beside, checked, renamed into place); each is run once
// more before it is used, so that one of another machine, or one that lost a library, is passed over.
// Leaves to others: where a copy comes from (fetch-from-apt.ts).
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { checkServer, type FoundProgram, onPath, SERVER_NAMES, type ServerProgram } from './find-server.ts'
import type { Environment } from './run-command.ts'

/** Names that begin so are unfinished work: never looked into, removed by the next fetch. */
const UNFINISHED = '.fetching-'

export function copiesDir(cacheDir: string): string {
  return path.join(path.resolve(cacheDir), 'redis')
}

export async function findPrivateCopy(
  { cacheDir, env }: { cacheDir: string; env: Environment },
  signal?: AbortSignal,
): Promise<FoundProgram> {
  const folder = copiesDir(cacheDir)
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.')).sort()
  const passedOver: string[] = []
  for (const name of names.reverse()) {
    const copy = await openCopy(path.join(folder, name), 'cache', env, signal)
    if (copy.ok) return copy
    passedOver.push(copy.reason)
  }
  return { ok: false, reason: passedOver.join('; ') || `none in ${folder}` }
}

export async function openCopy(
  folder: string,
  origin: 'cache' | 'apt',
  env: Environment,
  signal?: AbortSignal,
): Promise<FoundProgram> {
  const bin = path.join(folder, 'bin')
  for (const name of SERVER_NAMES) {
    for (const command of await onPath(name, { PATH: bin })) {
      const program: Omit<ServerProgram, 'version'> = {
        origin,
        command,
        libraryDir: path.join(folder, 'lib'),
      }
      const check = await checkServer(program, env, signal)
      if (check.ok) return { ok: true, program: { ...program, version: check.version } }
      return { ok: false, reason: `${command} ${check.reason}` }
    }
  }
  return { ok: false, reason: `${folder} holds no server` }
}

/** An empty folder to make a copy in. Call it only under the fetch lock: it removes what a kill left behind. */
export async function freshWorkDir(cacheDir: string): Promise<string> {
  const folder = copiesDir(cacheDir)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(UNFINISHED)) continue
    // An apt-get that outlived its killed relay may still write there: then it is the next fetch's to remove.
    await rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 2 }).catch(() => {})
  }
  const workDir = path.join(folder, `${UNFINISHED}${randomUUID()}`)
  await mkdir(workDir, { recursive: true })
  return workDir
}

/** Moves a finished copy to its name, in the place of one that no longer runs. Only under the fetch lock. */
export async function keepCopy(finished: string, cacheDir: string, name: string): Promise<string> {
  const place = path.join(copiesDir(cacheDir), name)
  await rm(place, { recursive: true, force: true })
  await rename(finished, place)
  return place
}
