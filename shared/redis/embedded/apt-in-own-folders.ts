// apt-get as an ordinary user and beside the system: the system's sources, keys and settings, but lists, state
// and downloads in a folder of ours, none of the system's hooks (one of them empties /var/cache/apt), and only
// the package lists fetched.
// Guarantees: writes nowhere but under `workDir`; packages are verified by apt as always.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  type CommandEnd,
  type Environment,
  PROXY_VARIABLES,
  pickVariables,
  runCommand,
} from './run-command.ts'

export interface OwnApt {
  update(): Promise<CommandEnd>
  /** The version that would be installed; `undefined` where the lists have none. */
  candidate(packageName: string): Promise<string | undefined>
  /** Fetches a package and what it needs; returns the folder with the .deb files, one folder a call. */
  download(packageName: string, beyond: 'system' | 'nothing'): Promise<CommandEnd & { folder: string }>
}

const HOOKS = [
  'APT::Update::Pre-Invoke',
  'APT::Update::Post-Invoke',
  'APT::Update::Post-Invoke-Success',
  'APT::Update::Post-Invoke-Stats',
  'DPkg::Pre-Invoke',
  'DPkg::Post-Invoke',
  'DPkg::Pre-Install-Pkgs',
  'AptCli::Hooks',
]
const SYSTEM_STATUS = '/var/lib/dpkg/status'

export async function aptInOwnFolders(
  workDir: string,
  { env, signal, systemStatusFile = SYSTEM_STATUS }: AptOptions,
): Promise<OwnApt> {
  const at = (...parts: string[]) => path.join(workDir, ...parts)
  const aptEnv = { ...pickVariables(env, ['PATH', 'HOME', 'TMPDIR', ...PROXY_VARIABLES]), LC_ALL: 'C' }
  const run = (command: string, args: string[], timeoutMs: number) =>
    runCommand(command, ['-c', at('apt.conf'), ...args], { env: aptEnv, timeoutMs, signal })

  await mkdir(at('state', 'lists', 'partial'), { recursive: true })
  await mkdir(at('cache'))
  // "beyond the system": what the machine has need not be fetched, save the server itself.
  const installed = await readFile(systemStatusFile, 'utf8')
  await writeFile(at('beyond-system'), installed.replace(/^Package: (redis|valkey).*\n(.+\n)*/gm, ''))
  await writeFile(at('beyond-nothing'), '')
  const dump = await runCommand('apt-config', ['dump', 'Acquire::IndexTargets'], {
    env: aptEnv,
    timeoutMs: 10_000,
    signal,
  })
  await writeFile(at('apt.conf'), aptConfig(workDir, dump.stdout))

  return {
    update: () => run('apt-get', ['update'], 240_000),
    candidate: async (packageName) => {
      const { stdout } = await run('apt-cache', ['policy', packageName], 60_000)
      const version = /^\s*Candidate: (\S+)$/m.exec(stdout)?.[1]
      return version === '(none)' ? undefined : version
    },
    download: async (packageName, beyond) => {
      const folder = at(`archives-${beyond}`)
      await mkdir(path.join(folder, 'partial'), { recursive: true })
      const own = [
        '-o',
        `Dir::State::status=${at(`beyond-${beyond}`)}`,
        '-o',
        `Dir::Cache::archives=${folder}/`,
      ]
      const what = ['-y', '--no-install-recommends', '--download-only', 'install', packageName]
      return { ...(await run('apt-get', [...own, ...what], 240_000)), folder }
    },
  }
}

export interface AptOptions {
  env: Environment
  signal?: AbortSignal | undefined
  /** What dpkg believes to be installed. */
  systemStatusFile?: string
}

function aptConfig(workDir: string, indexTargets: string): string {
  const targets = [...indexTargets.matchAll(/^Acquire::IndexTargets::(deb|deb-src)::([^: ]+) ""/gm)]
  const unwanted = targets
    .map(([, kind, name]) => `${kind}::${name}`)
    .filter((name) => name !== 'deb::Packages')
  return [
    ...HOOKS.map((hook) => `#clear ${hook};`),
    `Dir::State "${workDir}/state/";`,
    `Dir::State::status "${workDir}/beyond-system";`,
    `Dir::Cache "${workDir}/cache/";`,
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
    `Dir::Log "${workDir}/log/";`,
    // As root, apt would hand its folders to the user _apt, who may not reach them here.
    'APT::Sandbox::User "root";',
    'APT::Get::AllowUnauthenticated "false";',
    // Unreachable servers are an error, not a warning: so that the reason can be told.
    'APT::Update::Error-Mode "any";',
    'Acquire::Languages "none";',
    'Acquire::GzipIndexes "true";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "15";',
    'Acquire::https::Timeout "15";',
    ...unwanted.map((name) => `Acquire::IndexTargets::${name}::DefaultEnabled "false";`),
    '',
  ].join('\n')
}
