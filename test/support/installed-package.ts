/**
 * The package as a user has it: packed from this checkout, installed with npm into an empty project elsewhere. What
 * it depends on comes from npm's cache where it is there, else from the registry.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type AtEnd, ROOT, startProgram, temporaryDir } from './up.ts'

export interface InstalledPackage {
  /** The project that depends on it. */
  readonly project: string
  /** Where its files lie. */
  readonly folder: string
  readonly tarball: string
  /** The program, as npm has linked it. */
  readonly program: string
}

/** How npm reaches its registry, where that is set by the environment. */
const OF_THE_REGISTRY =
  /^(npm_config_(registry|cache|cafile)|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file)$/i

const NPM_WITHIN_MS = 180_000

export async function installPackage(atEnd: AtEnd): Promise<InstalledPackage> {
  const dir = temporaryDir('package', atEnd)
  const project = path.join(dir, 'project')
  mkdirSync(project)
  await npm(['pack', '--pack-destination', dir], ROOT)
  const packed = readdirSync(dir).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('npm pack left no tarball')
  const tarball = path.join(dir, packed)
  writeFileSync(path.join(project, 'package.json'), '{ "name": "project", "private": true }\n')
  await npm(['install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)
  const folder = path.join(project, 'node_modules', 'promotion-relay')
  if (!existsSync(folder)) throw new Error('npm install left no package')
  return { project, folder, tarball, program: path.join(project, 'node_modules/.bin/promotion-relay') }
}

async function npm(args: readonly string[], cwd: string): Promise<void> {
  const undo: (() => void | Promise<void>)[] = []
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      OF_THE_REGISTRY.test(name) && value ? [[name, value]] : [],
    ),
  )
  try {
    const program = startProgram('npm', args, { cwd, env, atEnd: (step) => undo.push(step) })
    const code = await program.end(NPM_WITHIN_MS)
    if (code !== 0) throw new Error(`npm ${args[0]} ended with ${code}\n${program.stdout}\n${program.stderr}`)
  } finally {
    for (const step of undo) await step()
  }
}

/** Every file of a folder but what is installed in it, by its path from there, in order. */
export function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(`node_modules${path.sep}`))
    .sort()
}
