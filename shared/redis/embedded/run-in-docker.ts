// The chain's last link: Redis in a container, its data in a named volume, both named after the data directory,
// so that Docker itself refuses a second one.
// Guarantees: reachable from this machine only; the password is in no command line (it goes in through the CLI's
// environment); ends only the container that bears our label for this directory, by its id; the volume stays.
// Leaves to others: the start lock, and keeping data in Docker and data in the directory apart (chain.ts).
import { createHash } from 'node:crypto'
import { type Answer, askServer } from './ask-server.ts'
import { writePrivately } from './data-dir.ts'
import { onPath } from './find-server.ts'
import { pollUntil } from './poll-until.ts'
import { type CommandEnd, PROXY_VARIABLES, pickVariables, runCommand } from './run-command.ts'
import { containerConfig } from './server-config.ts'
import type { ServerContext } from './server-process.ts'

export interface ContainerServer {
  port: number
  containerId: string
  runId: string
  version: string
}

export type InDocker =
  | { ok: true; server: ContainerServer; found: boolean }
  | { ok: false; reason: string; cure?: string }

export interface DockerContext extends ServerContext {
  log?: ((line: string) => void) | undefined
}

const IMAGE = 'redis:7-alpine'
const LABEL = 'promotion-relay.data-dir'
const CONFIG_VARIABLE = 'RELAY_REDIS_CONFIG'
const CLI_VARIABLES = ['PATH', 'HOME', 'USER', 'TMPDIR', 'DOCKER_*', 'XDG_*', 'SSH_AUTH_SOCK']
// `exec` with a here-document: Redis is the container's first process, and reads its settings from its input.
const BOOT = `exec docker-entrypoint.sh redis-server - <<END\n$${CONFIG_VARIABLE}\nEND`

export async function runInDocker(context: DockerContext): Promise<InDocker> {
  const { place, password, env, log } = context
  if ((await onPath('docker', env)).length === 0) return { ok: false, reason: 'docker is not on PATH' }
  const docker = dockerCommand(context)
  const ping = await docker(['version', '--format', '{{.Server.Version}}'], 15_000)
  if (!ping.ok) {
    const cure = 'start Docker, and see that this user may use it'
    return { ok: false, reason: `docker does not answer: ${ping.reason}`, cure }
  }

  const name = containerName(place.path)
  const ours = async (server: ContainerServer, found: boolean): Promise<InDocker> => {
    // Before anyone can write to it: until then there are no data that could be left behind.
    await writePrivately(place.dockerMark, `The data of this directory are in the Docker volume ${name}.\n`)
    return { ok: true, server, found }
  }
  const existing = await inspect(docker, name)
  if (existing && existing.dataDir !== place.path) {
    return { ok: false, reason: `the container ${name} is there and is not ours` }
  }
  if (existing?.running) {
    const adopted = await whenReady(docker, existing.id, context)
    if (adopted.kind === 'ready') return ours(adopted.server, true)
    if (adopted.kind !== 'denied') return { ok: false, reason: `the container ${name} ${adopted.reason}` }
    const reason = `the container ${name} runs with another password than the one kept in ${place.path}`
    const cure = `docker rm --force ${name}   (its data stay, in the volume of that name)`
    return { ok: false, reason, cure }
  }
  if (existing) await endContainer(place.path, env)

  const image = await fetchImage(docker, log)
  if (!image.ok) return { ok: false, reason: `the image ${IMAGE} can't be fetched: ${image.reason}` }
  const run = await docker(runArguments(name, place.path), 60_000, {
    [CONFIG_VARIABLE]: containerConfig(password),
  })
  if (!run.ok) {
    await endContainer(place.path, env)
    return { ok: false, reason: `docker run failed: ${run.reason}` }
  }
  const containerId = run.stdout.trim()
  const started = await whenReady(docker, containerId, context)
  if (started.kind === 'ready') return ours(started.server, false)
  await endContainer(place.path, env)
  return {
    ok: false,
    reason: `the container ${started.kind === 'denied' ? 'wants another password' : started.reason}`,
  }
}

/**
 * Ends and removes the container of this directory, if it is there and ours: SIGTERM, on which Redis puts its AOF
 * on disk and ends; SIGKILL after ten seconds. The volume stays. Takes no signal: also a stopped start clears away.
 */
export async function endContainer(dataDir: string, env: ServerContext['env']): Promise<void> {
  const docker = dockerCommand({ env })
  const container = await inspect(docker, containerName(dataDir))
  if (container?.dataDir !== dataDir) return
  await docker(['stop', '-t', '10', container.id], 30_000)
  await docker(['rm', '--force', container.id], 30_000)
}

/** The container of this directory, and its volume. */
export function containerName(dataDir: string): string {
  return `promotion-relay-redis-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`
}

type Docker = (args: string[], timeoutMs: number, more?: Record<string, string>) => Promise<CommandEnd>

function dockerCommand({ env, signal }: Pick<ServerContext, 'env' | 'signal'>): Docker {
  const dockerEnv = pickVariables(env, [...CLI_VARIABLES, ...PROXY_VARIABLES])
  return (args, timeoutMs, more) =>
    runCommand('docker', args, { env: { ...dockerEnv, ...more }, timeoutMs, signal })
}

function runArguments(name: string, dataDir: string): string[] {
  const named = ['--name', name, '--label', `${LABEL}=${dataDir}`, '--volume', `${name}:/data`]
  const reached = ['--publish', '127.0.0.1::6379', '--env', CONFIG_VARIABLE]
  const lasting = ['--detach', '--restart', 'no', '--pull', 'never']
  return ['run', ...lasting, ...named, ...reached, IMAGE, 'sh', '-c', BOOT]
}

async function inspect(docker: Docker, nameOrId: string) {
  const format = `{{.Id}}\t{{.State.Running}}\t{{index .Config.Labels "${LABEL}"}}`
  const end = await docker(['container', 'inspect', '--format', format, nameOrId], 15_000)
  if (!end.ok) return undefined
  const [id = '', running, dataDir] = end.stdout.trimEnd().split('\t')
  return { id, running: running === 'true', dataDir }
}

async function fetchImage(docker: Docker, log: DockerContext['log']): Promise<CommandEnd> {
  const there = await docker(['image', 'inspect', '--format', '{{.Id}}', IMAGE], 15_000)
  if (there.ok) return there
  log?.(`fetching the Docker image ${IMAGE} (some 15 MB)…`)
  return docker(['pull', '--quiet', IMAGE], 180_000)
}

type Readiness =
  | { kind: 'ready'; server: ContainerServer }
  | { kind: 'denied' }
  | { kind: 'mute' | 'ended'; reason: string }

async function whenReady(docker: Docker, containerId: string, context: DockerContext): Promise<Readiness> {
  const { password, readyTimeoutMs, signal } = context
  const published = await docker(['port', containerId, '6379/tcp'], 15_000)
  const port = Number(/^127\.0\.0\.1:(\d+)$/m.exec(published.stdout)?.[1])
  let lastSignOfLife = Date.now()
  const found = await pollUntil<Readiness>(
    async () => {
      const answer: Answer = port ? await askServer({ port, password }) : { kind: 'silent' }
      if (answer.kind === 'denied') return { kind: 'denied' }
      if (answer.kind === 'loading') lastSignOfLife = Date.now()
      if (answer.kind === 'ready') return { kind: 'ready', server: { ...answer, port, containerId } }
      if ((await inspect(docker, containerId))?.running) return undefined
      const said = await docker(['logs', '--tail', '1', containerId], 15_000)
      return { kind: 'ended', reason: `ended at once: ${said.stdout.trim()}` }
    },
    { everyMs: 100, deadlineAt: () => lastSignOfLife + readyTimeoutMs, signal },
  )
  return found ?? { kind: 'mute', reason: 'runs, but does not answer' }
}
