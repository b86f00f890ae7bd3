// An old backup of Redis is put back: what came after it is unknown to the ledger. The way of docs/PRODUCTION.md, with
// the trigger off at first, sends nothing of what was under way then.
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startPrivateRedis } from '../support/private-redis.ts'
import { type Relay, startRelay } from '../support/relay.ts'

/** It is soon known that no run is there. */
const QUICK_DOUBT = { sendDeadlineMs: 800, dispatchTimeoutMs: 500, lockMs: 1_000, stalledCheckMs: 200 }

/** v4 is live, v5 waits behind a run of v4's when the backup is made; after it v5 gives way to v6, which is live then. */
async function setup() {
  const server = await startPrivateRedis()
  const backup = path.join(tmpdir(), `backup-of-${path.basename(server.dir)}`)
  const data = path.join(server.dir, 'appendonlydir')
  onTestFinished(async () => {
    await server.stop()
    await rm(backup, { recursive: true, force: true })
  })
  const relay = await startRelay({ redisUrl: server.url, workers: 0, pauses: QUICK_DOUBT })
  const before = await relay.startWorker()
  relay.simulator.hold(undefined, 'in_progress')
  const v4 = await relay.promote('4')
  await relay.reaches(v4, 'dispatched')
  const v5 = await relay.promote('5')
  await relay.waitsFor(v5, 'in_flight')
  await cp(data, backup, { recursive: true })
  const v6 = await relay.promote('6')
  relay.simulator.release()
  await relay.reaches(v6, 'deployed')
  expect(relay.versionsRun()).toEqual(['4', '6'])
  await before.close()

  await server.kill()
  await rm(data, { recursive: true })
  await cp(backup, data, { recursive: true })
  await server.restart()
  return { relay, v4, v5, v6 }
}

const live = async (relay: Relay) => (await relay.reader.targets(10)).map((target) => target.live)

test('with the trigger off: what has run is followed to its end, what waited is skipped, and nothing is sent', async () => {
  const { relay, v4, v5, v6 } = await setup()
  expect(await relay.reader.promotion(v6)).toBeUndefined()

  const off = await relay.startWorker({ env: { ENABLE_CD_TRIGGER: 'false' } })

  expect(await relay.ends(v4)).toMatchObject({ state: 'deployed' })
  expect(await relay.ends(v5)).toMatchObject({ state: 'skipped' })
  expect(relay.versionsRun()).toEqual(['4', '6'])
  expect(await live(relay)).toEqual(['4'])
  await off.close()

  // Then it is on again, and what is to be live is promoted anew.
  await relay.startWorker()
  expect(await relay.ends(await relay.promote('6'))).toMatchObject({ state: 'deployed' })
  expect(relay.versionsRun()).toEqual(['4', '6', '6'])
  expect(await live(relay)).toEqual(['6'])
})
