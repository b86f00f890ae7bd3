// The links by which Redis can be had, in their order, each with what it takes to start one and to end it.
// Guarantees: data are never left behind: a directory whose data are in Docker's volume is served by Docker only,
// and one with data of its own never by Docker.
import { type DataDir, isThere } from './data-dir.ts'
import { fetchFromApt } from './fetch-from-apt.ts'
import { type FoundProgram, findOnPath, type Link, type Miss } from './find-server.ts'
import { findPrivateCopy } from './private-copy.ts'
import { type DockerContext, endContainer, runInDocker } from './run-in-docker.ts'
import { endServer, startServer } from './server-process.ts'

export const ALL_LINKS: readonly Link[] = ['path', 'cache', 'apt', 'docker']

export interface ChainContext extends DockerContext {
  cacheDir: string
}

/** A server that answers, however it came to be. */
export interface ChainServer {
  origin: Link
  found: boolean
  port: number
  runId: string
  version: string
  pid?: number
  containerId?: string
  end(): Promise<void>
}

export async function tryLink(
  link: Link,
  context: ChainContext,
): Promise<{ ok: true; server: ChainServer } | Miss> {
  const elsewhere = await dataElsewhere(link, context.place)
  if (elsewhere) return { ok: false, reason: elsewhere }
  if (link === 'docker') {
    const inDocker = await runInDocker(context)
    if (!inDocker.ok) {
      const onlyThere = await isThere(context.place.dockerMark)
      return onlyThere
        ? { cure: 'start Docker, which has the data of this directory', ...inDocker }
        : inDocker
    }
    const { server, found } = inDocker
    return {
      ok: true,
      server: { ...server, origin: link, found, end: () => endContainer(context.place.path, context.env) },
    }
  }
  const found = await findProgram(link, context)
  if (!found.ok) return found
  const started = await startServer(found.program, context)
  if (!started.ok) return started
  return {
    ok: true,
    server: { ...started.server, origin: found.program.origin, found: false, end: () => endServer(context) },
  }
}

/** A program of this link that can be run as a server, or why there is none. */
export async function findProgram(
  link: Exclude<Link, 'docker'>,
  context: Pick<ChainContext, 'cacheDir' | 'env' | 'log' | 'signal'>,
): Promise<FoundProgram> {
  if (link === 'path') return findOnPath(context.env, context.signal)
  if (link === 'cache') return findPrivateCopy(context, context.signal)
  return fetchFromApt(context)
}

async function dataElsewhere(link: Link, place: DataDir): Promise<string | undefined> {
  if (link !== 'docker') {
    const inDocker = await isThere(place.dockerMark)
    return inDocker ? `not asked, since the data are in Docker (see ${place.dockerMark})` : undefined
  }
  const inFolder = await isThere(place.appendOnlyDir)
  return inFolder
    ? `not asked, since the data are in ${place.path}, and in Docker it would begin empty`
    : undefined
}
