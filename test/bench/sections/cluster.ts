// Whether it works on a Redis Cluster: all of its keys are in one slot, so the node that has this slot serves it whole.
// Real processes on three real nodes; shows that it works, and no time.
import { Redis } from 'ioredis'
import { createProducer } from '../../../producer/index.ts'
import { pickFreePort } from '../../../shared/redis/embedded/free-port.ts'
import type { PrivateRedis } from '../../support/private-redis.ts'
import { until } from '../../support/until.ts'
import { type Listening, type Processes, settingsFor, withProcesses } from '../relay-processes.ts'
import type { Options, Result, Section } from '../section.ts'

export const cluster: Section = { name: 'cluster', title: 'On a Redis Cluster of three nodes', run }

const NODES = 3
const SLOTS = 16_384
/** What the names of all keys begin with is hashed by what is in its braces. */
const HASHED = 'relay:0'

async function run({ quick }: Options): Promise<Result> {
  const promotions = quick ? 2 : 50
  const { slot, keys } = await withProcesses((processes) => promoteOnCluster(processes, promotions))
  return {
    figures: { promotions, keys },
    tables: [
      {
        title: 'Where the keys are',
        columns: ['promotions deployed', 'slot', 'keys in it', 'keys elsewhere'],
        rows: [[promotions, slot, keys, 0]],
      },
    ],
    targets: [],
    notes: [
      'Held: accepted by the library, dispatched by a worker and followed to the end, with serve beside; no CROSSSLOT, no MOVED, and no key in any other slot.',
      'REDIS_URL names the node that has the slot: it is not looked for, and not followed to another node. On any other node serve and work end at their start, and say which one it is.',
    ],
  }
}

interface Node {
  redis: PrivateRedis
  ask: Redis
  busPort: number
}

async function promoteOnCluster(processes: Processes, promotions: number) {
  const nodes = await startCluster(processes)
  const slot = Number(await nodes[0]?.ask.cluster('KEYSLOT', HASHED))
  const owner = nodes[Math.floor(slot / slotsEach())]
  const other = nodes.find((node) => node !== owner)
  if (!owner || !other) throw new Error(`nobody has slot ${slot}`)
  const github = await processes.simulator(['--queued-ms', '0', '--run-ms', '50'])
  const env = { ...settingsFor(owner.redis.url, github.url), ...HURRIED }
  const relay = await Promise.all([processes.serve(env), processes.work(env)])
  await refusedOn(other.redis.url, owner.redis.port, processes, env)

  const producer = createProducer({ redisUrl: owner.redis.url })
  processes.atEnd(() => producer.close())
  const ids: string[] = []
  for (let n = 0; n < promotions; n++) {
    const result = await producer.promote({ model: `model-${n}`, version: '1' })
    if (result.status !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(result)}`)
    ids.push(result.id)
  }
  const isDeployed = async (id: string) => (await producer.get(id))?.promotion.state === 'deployed'
  for (const id of ids) await until(`${id} to be deployed`, () => isDeployed(id), 60_000)

  complaints(relay)
  const inSlot = Number(await owner.ask.cluster('COUNTKEYSINSLOT', slot))
  const sizes = await Promise.all(nodes.map(({ ask }) => ask.dbsize()))
  const all = sizes.reduce((sum, size) => sum + size, 0)
  if (inSlot === 0 || inSlot !== all) throw new Error(`of ${all} keys, ${inSlot} are in slot ${slot}`)
  return { slot, keys: inSlot }
}

/** @throws where serve or work stay on a node without our keys, or do not say which one has them */
async function refusedOn(url: string, rightPort: number, { run }: Processes, env: Record<string, string>) {
  for (const command of ['serve', 'work'] as const) {
    const { code, stderr } = await run([command], { ...env, REDIS_URL: url })
    if (code !== 2 || !stderr.includes(`name 127.0.0.1:${rightPort}`))
      throw new Error(`${command} on another node ended with ${code}: ${stderr}`)
  }
}

const HURRIED = { DISPATCH_RATE_PER_SECOND: '1000', TRACK_INTERVAL_SECONDS: '0.1' }

/** @throws where a process has met a key that is not its node's, or two that are apart */
function complaints(relay: readonly Listening[]): void {
  for (const { program } of relay) {
    const found = /^.*(CROSSSLOT|MOVED|CLUSTERDOWN).*$/m.exec(program.stdout + program.stderr)
    if (found) throw new Error(`on a Cluster: ${found[0]}`)
  }
}

async function startCluster({ redis, atEnd }: Processes): Promise<Node[]> {
  const nodes = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const busPort = await pickFreePort()
      // Else 10,000 above its port, which may be none.
      const server = await redis({ config: ['cluster-enabled yes', `cluster-port ${busPort}`] })
      const ask = new Redis(server.url, { replyMapping: 'legacy' })
      atEnd(() => ask.disconnect())
      return { redis: server, ask, busPort }
    }),
  )
  for (const [n, { ask, redis: server, busPort }] of nodes.entries()) {
    const last = n === NODES - 1 ? SLOTS - 1 : (n + 1) * slotsEach() - 1
    await ask.cluster('ADDSLOTSRANGE', n * slotsEach(), last)
    if (n > 0) await nodes[0]?.ask.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
  }
  const isWhole = async ({ ask }: Node) => {
    const info = await ask.cluster('INFO')
    return /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info)
  }
  for (const node of nodes) await until('the Cluster to be whole', () => isWhole(node), 60_000)
  return nodes
}

function slotsEach(): number {
  return Math.floor(SLOTS / NODES)
}
