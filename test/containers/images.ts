/**
 * Builds the two images of the Dockerfile, once for all container tests. Where no Docker answers they are skipped,
 * in so many words; with EXPECT_CONTAINER that is a failure.
 */
import type { TestProject } from 'vitest/node'
import { say, sayOrThrow } from './docker.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Why there are no containers here; empty where there are. */
    noDocker: string
    /** `docker compose` or the older `docker-compose`; empty where there is neither. */
    compose: string[]
  }
}

export const RELAY_IMAGE = 'promotion-relay:test'
export const SIMULATOR_IMAGE = 'promotion-relay-simulator:test'
/** npm fetches some hundred packages, twice. */
const BUILD_WITHIN_MS = 15 * 60_000

export default async function setup(project: TestProject): Promise<void> {
  const noDocker = await whyNoDocker()
  const compose = noDocker === '' ? await findCompose() : []
  project.provide('noDocker', noDocker)
  project.provide('compose', compose)
  const missing = noDocker || (compose.length === 0 && 'there is no docker compose on this machine')
  if (missing) {
    if (process.env.EXPECT_CONTAINER) throw new Error(`containers were expected to run, but ${missing}`)
    print(`The tests of ${noDocker === '' ? 'compose' : 'containers'} are skipped: ${missing}.`)
  }
  if (noDocker !== '') return
  print('Building the images…')
  const begunAt = Date.now()
  await build('relay', RELAY_IMAGE)
  await build('simulator', SIMULATOR_IMAGE)
  const size = Number(await sayOrThrow('docker', ['image', 'inspect', '--format', '{{.Size}}', RELAY_IMAGE]))
  print(
    `Built in ${Math.round((Date.now() - begunAt) / 1000)} s; the relay's has ${Math.round(size / 1e6)} MB.`,
  )
}

async function whyNoDocker(): Promise<string> {
  const { code } = await say('docker', ['version', '--format', '{{.Server.Version}}'], { withinMs: 15_000 })
  if (code === 127) return 'there is no docker on this machine'
  return code === 0 ? '' : 'Docker does not answer on this machine'
}

async function findCompose(): Promise<string[]> {
  for (const command of [['docker', 'compose'], ['docker-compose']] as const) {
    const [program, ...args] = command
    if ((await say(program, [...args, 'version'])).code === 0) return [...command]
  }
  return []
}

const build = (target: string, tag: string) =>
  sayOrThrow('docker', ['build', '--target', target, '--tag', tag, '.'], { withinMs: BUILD_WITHIN_MS })

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
