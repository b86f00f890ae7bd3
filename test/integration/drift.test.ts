// A run that a person starts again at GitHub, after its promotion has come to its end.
import { expect, test } from 'vitest'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { setup as startServer } from './http-setup.ts'
import { setup as startLedger } from './ledger-setup.ts'

const SECRET = 'sentinel-webhook-secret'
const DRIFT = 'A run that a person started again has put its version live: drift'

async function setup() {
  const relay = await startRelay()
  const server = await startServer({ redisUrl: relay.redisUrl, env: { GITHUB_WEBHOOK_SECRET: SECRET } })
  relay.simulator.subscribe({ url: `${server.url}/v1/webhooks/github`, secret: SECRET })
  return { relay, server }
}

async function runAgain(relay: Relay, runId: string | undefined) {
  const url = `${relay.simulator.url}/repos/acme/models/actions/runs/${runId}/rerun`
  const { status } = await fetch(url, { method: 'POST', headers: { authorization: 'Bearer somebody' } })
  expect(status).toBe(201)
}

const noted = (relay: Relay, id: string) =>
  until('the second attempt is noted', async () =>
    (await relay.reader.timeline(id)).find(({ what }) => what === 'rerun'),
  )

test('that puts an older version live again is drift: live follows it, the end of its promotion stands', async () => {
  const { relay, server } = await setup()
  const older = await relay.promote('5')
  const { runId } = await relay.ends(older)
  await relay.ends(await relay.promote('6'))

  await runAgain(relay, runId)

  expect(await noted(relay, older)).toMatchObject({ attempt: 2, conclusion: 'success' })
  const drift = { runId, attempt: 2, instead: '6' }
  expect(await relay.reader.targets(10)).toMatchObject([{ live: '5', drift }])
  expect((await server.call('GET', '/v1/targets')).body.targets).toMatchObject([{ live: '5', drift }])
  expect((await server.call('GET', '/metrics')).text).toContain('promotion_relay_drifts_total 1')
  await until('it is told', () => relay.lines.some(({ msg }) => msg === DRIFT))
  expect(relay.lines.find(({ msg }) => msg === DRIFT)).toMatchObject({ level: 'error', instead: '6' })

  await relay.ends(await relay.promote('7'))
  const [target] = await relay.reader.targets(10)
  expect(target).toMatchObject({ live: '7' })
  expect(target?.drift).toBeUndefined()
})

test('that fails changes nothing about what is live', async () => {
  const { relay } = await setup()
  const id = await relay.promote('5')
  const end = await relay.ends(id)
  relay.simulator.setLife({ conclusion: 'failure' })

  await runAgain(relay, end.runId)

  expect(await noted(relay, id)).toMatchObject({ attempt: 2, conclusion: 'failure' })
  expect(await relay.reader.promotion(id)).toMatchObject({ state: 'deployed', conclusion: 'success' })
  const [target] = await relay.reader.targets(10)
  expect(target).toMatchObject({ live: '5' })
  expect(target?.drift).toBeUndefined()
})

test('that was live already is drift once a newer version proves to have succeeded before it', async () => {
  const { dispatched, ledger, target } = await startLedger()
  const end = { runUrl: '', runAttempt: 1, state: 'deployed', conclusion: 'success' } as const
  const first = await dispatched('5')
  const again = { id: first.id, runId: first.run, runAttempt: 2, success: true, conclusion: 'success' }
  await ledger.finish({ ...end, id: first.id, runId: first.run, updatedAt: 10_000 })
  const second = await dispatched('6')

  expect(await ledger.rerun({ ...again, updatedAt: 30_000 })).toEqual({ kind: 'noted' })
  expect(await target()).not.toHaveProperty('drift')
  await ledger.finish({ ...end, id: second.id, runId: second.run, updatedAt: 20_000 })

  expect(await target()).toMatchObject({ live: '5', livePromotion: first.id, inFlight: '' })
  expect(JSON.parse((await target()).drift ?? '')).toEqual({ runId: first.run, attempt: 2, instead: '6' })
})

test('is noted once for each attempt, and never over a success that came later by GitHub’s time', async () => {
  const { dispatched, ledger, target } = await startLedger()
  const end = { runUrl: '', runAttempt: 1, state: 'deployed', conclusion: 'success' } as const
  const first = await dispatched('5')
  await ledger.finish({ ...end, id: first.id, runId: first.run, updatedAt: 10_000 })
  const second = await dispatched('6')
  await ledger.finish({ ...end, id: second.id, runId: second.run, updatedAt: 30_000 })
  const again = (runAttempt: number, updatedAt: number) =>
    ledger.rerun({
      id: first.id,
      runId: first.run,
      runAttempt,
      success: true,
      conclusion: 'success',
      updatedAt,
    })

  expect(await again(1, 40_000)).toMatchObject({ kind: 'stale' })
  expect(await again(2, 20_000)).toEqual({ kind: 'noted' })
  expect(await target()).toMatchObject({ live: '6' })
  expect(await again(3, 40_000)).toEqual({ kind: 'noted', live: '6' })
  expect(await again(3, 40_000)).toMatchObject({ kind: 'stale' })
  expect(await again(2, 50_000)).toMatchObject({ kind: 'stale' })
  expect(await target()).toMatchObject({ live: '5', livePromotion: first.id })

  const third = await dispatched('7')
  await ledger.finish({ ...end, id: third.id, runId: third.run, updatedAt: 35_000 })
  expect(await target()).toMatchObject({ live: '5', inFlight: '' })
})
