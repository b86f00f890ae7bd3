// How the scripts are run: by their SHA, on keys of one slot, on a Cluster as on a single server.
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createCorrelation } from '../../shared/ledger/correlation.ts'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import { AGAIN, behindCircuit, CD, ledgerOn, REPOSITORY, setup, UNKNOWN } from './ledger-setup.ts'

test('scripts that Redis has forgotten are given to it again', async () => {
  const { accept, claim, redis } = await setup()
  await redis.script('FLUSH')
  const { id } = await accept('5')
  await redis.script('FLUSH')

  expect(await claim(id)).toMatchObject({ kind: 'go' })
})

test('a script is sent as text once, and by its SHA from then on', async () => {
  const server = await startPrivateRedis()
  onTestFinished(server.stop)
  const redis = new Redis(server.url, { replyMapping: 'legacy' })
  onTestFinished(() => redis.disconnect())
  const { accept } = ledgerOn(redis)
  await accept('0')
  const calls = async (command: string) => {
    const stats = await redis.info('commandstats')
    return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
  }
  const before = await calls('evalsha')

  for (let version = 1; version <= 5; version++) await accept(String(version))

  expect(await calls('eval')).toBe(1)
  expect(await calls('evalsha')).toBe(before + 5)
})

test('every script runs on a node of a Cluster, where a key of another slot would be refused', async () => {
  const server = await startPrivateRedis({ config: ['cluster-enabled yes'] })
  onTestFinished(server.stop)
  const node = new Redis(server.url, { replyMapping: 'legacy' })
  onTestFinished(() => node.disconnect())
  await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await until('the cluster is whole', async () =>
    String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
  )
  const elsewhere = "#!lua\nredis.call('SET', 'of another slot', 1) return redis.call('SET', KEYS[1], 1)"
  await expect(node.eval(elsewhere, 1, KEY_PREFIX)).rejects.toThrow(/slot/)
  const { accept, claim, end, dispatched, deadLettered, finish, going, look, ledger, circuits } =
    ledgerOn(node)

  // accept, claim, outcome, next-job, track, finish
  const { id, run } = await dispatched('1', { key: 'monday' })
  expect(await ledger.nextJob(id, 'trackJob', ['dispatched'])).toBe(2)
  await ledger.track({ id, runId: run, runUrl: '', status: 'in_progress', runAttempt: 1 })
  expect(await finish(id, run)).toMatchObject({ finished: true })
  // supersede, give way
  const older = await going('2')
  const newer = await accept('3')
  expect(await end(older, AGAIN)).toMatchObject({ kind: 'superseded', by: newer.id })
  // adjustments, circuits
  await claim(newer.id)
  await end(newer.id, behindCircuit(0), { adjust: { scope: CD, fields: ['input:promotion_id'] } })
  const due = await circuits.take(REPOSITORY, { now: true })
  if (!due) throw new Error('the circuit is not open')
  expect(await circuits.settle(due, { kind: 'close' })).toEqual({ kind: 'closed' })
  // redrive, resolve, settle, learn, trim
  const dead = await deadLettered('1', { model: 'dead' })
  expect(await ledger.redrive(dead, 1, 'eve')).toMatchObject({ kind: 'accepted' })
  await claim(dead, { token: 't2' })
  await end(dead, UNKNOWN, { attempt: 2, token: 't2' })
  expect(await look(dead, { kind: 'unexplained', detail: '' }, { attempt: 2 })).toMatchObject({
    kind: 'unresolved',
  })
  expect(await ledger.settle(dead, { absent: true }, 'eve')).toMatchObject({ kind: 'accepted' })
  await createCorrelation({ redis: node }).learn(CD, { runId: '1', shows: true })
  expect(await ledger.trim(0)).toMatchObject({ trimmed: 1 })

  const slots = new Set<unknown>()
  for (const name of await node.keys('*')) {
    expect(name.startsWith(`${KEY_PREFIX}:`), name).toBe(true)
    slots.add(await node.call('CLUSTER', 'KEYSLOT', name))
  }
  expect(slots.size).toBe(1)
})
