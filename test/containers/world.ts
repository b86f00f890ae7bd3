/**
 * The images beside each other on a network of their own: Redis, the simulated GitHub, a server, and workers as
 * they are asked for. Server and workers run as compose runs them: on a read-only root, without any capability.
 */
import { GenericContainer, Network, type StartedTestContainer, Wait } from 'testcontainers'
import type { SimulatedRun } from '../github-simulator/simulator.ts'
import { until } from '../support/until.ts'
import { docker } from './docker.ts'
import { RELAY_IMAGE, SIMULATOR_IMAGE } from './images.ts'

const TOKEN = 'container-api-token'
const REDIS = ['redis-server', '--appendonly', 'yes', '--appendfsync', 'always']
const SETTINGS = {
  REDIS_URL: 'redis://redis:6379',
  RELAY_API_TOKEN: TOKEN,
  OPS_PASSWORD: 'container-ops-password',
  ENABLE_CD_TRIGGER: 'true',
  GITHUB_API_URL: 'http://github:4010',
  GITHUB_REPO_OWNER: 'acme',
  GITHUB_REPO_NAME: 'models',
  GITHUB_TOKEN: 'container-github-token',
  DISPATCH_RATE_PER_SECOND: '5',
  TRACK_INTERVAL_SECONDS: '0.5',
  RESOLVE_PATIENCE_SECONDS: '1',
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into it and fails on what is not there
type Json = any

export interface World {
  /** Ids of the containers. */
  readonly redis: string
  readonly server: string
  /** @returns the id of its container, once it is ready */
  startWorker(): Promise<string>
  /** Over HTTP. @returns its id */
  promote(model: string, version: string): Promise<string>
  get(id: string): Promise<Json>
  reaches(id: string, state: string, withinMs?: number): Promise<Json>
  simulator(method: string, verb: string, body?: object): Promise<Json>
  /** The runs that a promotion has started, by the simulator's own log. */
  runsOf(id: string): Promise<SimulatedRun[]>
  end(): Promise<void>
}

/** The relay's image as the given command. */
class Relay extends GenericContainer {
  constructor(command: 'serve' | 'work', port: number) {
    super(RELAY_IMAGE)
    this.hostConfig.ReadonlyRootfs = true
    this.withCommand([command])
      .withTmpFs({ '/tmp': '' })
      .withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges:true')
      .withEnvironment(SETTINGS)
      .withExposedPorts(port)
      .withWaitStrategy(Wait.forHttp('/readyz', port))
  }
}

export async function startWorld(): Promise<World> {
  const network = await new Network().start()
  const containers: StartedTestContainer[] = []
  async function start(container: GenericContainer, alias: string): Promise<StartedTestContainer> {
    const started = await container.withNetwork(network).withNetworkAliases(alias).start()
    containers.push(started)
    return started
  }
  const [redis, github] = await Promise.all([
    start(
      new GenericContainer('redis:7-alpine')
        .withCommand(REDIS)
        .withWaitStrategy(Wait.forLogMessage('Ready to accept connections')),
      'redis',
    ),
    start(
      new GenericContainer(SIMULATOR_IMAGE)
        .withExposedPorts(4010)
        .withWaitStrategy(Wait.forHttp('/_simulator/runs', 4010)),
      'github',
    ),
  ])
  const server = await start(new Relay('serve', 8080), 'server')
  const serverUrl = `http://${server.getHost()}:${server.getMappedPort(8080)}`
  const githubUrl = `http://${github.getHost()}:${github.getMappedPort(4010)}`

  async function call(method: string, url: string, body?: object): Promise<Json> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
    return response.status === 204 ? undefined : response.json()
  }
  const get = (id: string) => call('GET', `${serverUrl}/v1/promotions/${id}`)
  const simulator: World['simulator'] = (method, verb, body) =>
    call(method, `${githubUrl}/_simulator/${verb}`, body)

  return {
    redis: redis.getId(),
    server: server.getId(),
    startWorker: async () => (await start(new Relay('work', 8081), 'worker')).getId(),
    promote: async (model, version) =>
      (await call('POST', `${serverUrl}/v1/promotions`, { model, version })).id,
    get,
    async reaches(id, state, withinMs) {
      let seen: Json
      const look = async () => {
        seen = await get(id).catch((error: Error) => error.message)
        return seen.state === state && seen
      }
      return until(`${id} to be ${state}`, look, withinMs).catch((error: Error) => {
        throw new Error(`${error.message}, it is ${JSON.stringify(seen)}`)
      })
    },
    simulator,
    runsOf: async (id) => {
      const runs: SimulatedRun[] = await simulator('GET', 'runs')
      return runs.filter((run) => run.inputs.promotion_id === id)
    },
    async end() {
      await Promise.all(containers.map((container) => container.stop().catch(() => {})))
      await network.stop()
    },
  }
}

/** Without a chance to say anything. */
export const kill = (id: string): Promise<string> => docker('kill', id)

/** As compose does: SIGTERM, and SIGKILL when the time is over. */
export const stop = (id: string, graceSeconds: number): Promise<string> =>
  docker('stop', '-t', String(graceSeconds), id)
