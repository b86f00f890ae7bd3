// The primary becomes a replica (READONLY) and its replica the primary, behind one address, as managed servers and
// Sentinel do it: workers and producers come back by themselves, and nothing is lost or doubled.
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { openTcpProxy } from '../chaos/tcp-proxy.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

/** What was accepted before a failover is looked for: it is soon known that no run is there. */
const QUICK_DOUBT = { sendDeadlineMs: 800, dispatchTimeoutMs: 500, lockMs: 1_000, stalledCheckMs: 200 }

async function setup() {
  const first = await startPrivateRedis({ config: ['repl-diskless-sync-delay 0'] })
  onTestFinished(first.stop)
  const second = await startPrivateRedis({ config: [`replicaof 127.0.0.1 ${first.port}`] })
  onTestFinished(second.stop)
  let primary = first
  const address = await openTcpProxy(() => primary.port)
  onTestFinished(address.close)
  const admin = [first, second].map(({ url }) => {
    const redis = connectForWorker(url, silentLogger)
    onTestFinished(() => redis.disconnect())
    return redis
  })
  const [old, next] = admin as [(typeof admin)[0], (typeof admin)[0]]
  await until('the replica follows', async () => {
    return (await next.info('replication')).includes('master_link_status:up')
  })
  const relay = await startRelay({
    redisUrl: `redis://127.0.0.1:${address.port}/0`,
    env: { REDIS_WAIT_REPLICAS: '0' },
    pauses: QUICK_DOUBT,
  })
  return {
    relay,
    /** Connections that stand stay with the old primary, which answers READONLY. */
    async failOver() {
      await old.set('{relay:0}:last', 'written before the failover')
      await until('the replica has it all', async () => (await old.wait(1, 1_000)) === 1)
      await next.replicaof('NO', 'ONE')
      primary = second
      await old.replicaof('127.0.0.1', second.port)
    },
  }
}

test('a run goes on over a failover, and what waits behind it follows: in order, once', async () => {
  const { relay, failOver } = await setup()
  relay.simulator.hold(undefined, 'in_progress')
  const older = await relay.promote('5')
  await relay.reaches(older, 'dispatched')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')

  await failOver()
  relay.simulator.release()

  expect(await relay.ends(older)).toMatchObject({ state: 'deployed', attempts: 1 })
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6'])
  expect(relay.lines.some(({ level, msg }) => level === 'warn' && msg.includes('READONLY'))).toBe(true)
})

test('a producer is told that it can not be taken just now, and soon afterwards it can', async () => {
  const { relay, failOver } = await setup()
  await relay.ends(await relay.promote('5'))
  await failOver()

  const seen = new Set<string>()
  const id = await until('it is taken', async () => {
    const result = await relay.producer.promote({ model: 'fraud-detector', version: '6' })
    if (result.status === 'unavailable') seen.add(result.reason)
    return result.status === 'unavailable' || result.status === 'invalid' ? undefined : result.id
  })

  for (const reason of seen) expect(reason).toMatch(/READONLY|Redis|[Cc]onnection|closed/)
  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('a failover with a dispatch in the air: its answer is recorded on the new primary, and nothing sent again', async () => {
  const { relay, failOver } = await setup()
  relay.simulator.fault({ kind: 'slow', delayMs: 300 })
  const id = await relay.promote('5')
  await until('it is in the air', () => relay.simulator.runs.length === 1)

  await failOver()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', attempts: 1 })
  await relay.idle()
  expect(relay.simulator.dispatches()).toHaveLength(1)
})
