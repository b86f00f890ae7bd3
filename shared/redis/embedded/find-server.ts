// The chain's first link: a `redis-server` or `valkey-server` on PATH; and the check that every link's server
// has to pass before it is trusted.
// Guarantees: a server returned here has run and told a version that is new enough; one passed over is named.
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { type Environment, pickVariables, runCommand } from './run-command.ts'

export type Link = 'path' | 'cache' | 'apt' | 'docker'

/** A program that can be run as a Redis server. */
export interface ServerProgram {
  origin: Exclude<Link, 'docker'>
  command: string
  /** Where its shared libraries are, when they are not the system's. */
  libraryDir?: string
  version: string
}

/** Why a link of the chain did not do, in words that follow a colon, and what a person may do about it. */
export interface Miss {
  ok: false
  reason: string
  cure?: string
}

export type FoundProgram = { ok: true; program: ServerProgram } | Miss

export const OLDEST_MAJOR_VERSION = 7
export const SERVER_NAMES = ['redis-server', 'valkey-server'] as const

const SERVER_VARIABLES = ['PATH', 'HOME', 'LANG', 'LC_*', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH', 'DYLD_*']

export async function findOnPath(env: Environment, signal?: AbortSignal): Promise<FoundProgram> {
  const passedOver: string[] = []
  for (const name of SERVER_NAMES) {
    for (const command of await onPath(name, env)) {
      const check = await checkServer({ command }, env, signal)
      if (check.ok) return { ok: true, program: { origin: 'path', command, version: check.version } }
      passedOver.push(`${command} ${check.reason}`)
    }
  }
  const reason = passedOver.join('; ') || 'neither redis-server nor valkey-server is there'
  return process.platform === 'darwin'
    ? { ok: false, reason, cure: 'brew install redis' }
    : { ok: false, reason }
}

/** Every executable of that name on PATH, in PATH's order. Relative entries are not followed. */
export async function onPath(name: string, env: Environment): Promise<string[]> {
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder))
  const candidates = [...new Set(folders)].map((folder) => path.join(folder, name))
  const usable = await Promise.all(
    candidates.map((file) =>
      access(file, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  )
  return candidates.filter((_, index) => usable[index])
}

/** Runs `--version`, with which a program proves that it starts on this machine, libraries and all. */
export async function checkServer(
  { command, libraryDir }: Pick<ServerProgram, 'command' | 'libraryDir'>,
  env: Environment,
  signal?: AbortSignal,
): Promise<{ ok: true; version: string } | { ok: false; reason: string }> {
  const options = { env: serverEnvironment(env, libraryDir), timeoutMs: 10_000, signal }
  const end = await runCommand(command, ['--version'], options)
  if (!end.ok) return { ok: false, reason: `does not run: ${end.reason}` }
  const [, version, major] = /\bv=((\d+)\.\d+(?:\.\d+)?)/.exec(end.stdout) ?? []
  if (!version) return { ok: false, reason: 'does not tell its version' }
  if (Number(major) >= OLDEST_MAJOR_VERSION) return { ok: true, version }
  return { ok: false, reason: `is ${version}, and ${OLDEST_MAJOR_VERSION} or newer is needed` }
}

/** What a server process gets of the relay's environment: what it runs by, and none of the secrets. */
export function serverEnvironment(env: Environment, libraryDir?: string): Record<string, string> {
  const kept = pickVariables(env, SERVER_VARIABLES)
  return libraryDir ? { ...kept, LD_LIBRARY_PATH: libraryDir } : kept
}
