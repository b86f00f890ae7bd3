// Holding, releasing and rolling back over HTTP, and waiting for an end.
import { describe, expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'
import { problemOf, setup } from './http-setup.ts'

const MODEL = { model: 'fraud-detector' }

async function setupWithRelay() {
  const relay = await startRelay()
  const api = await setup({ redisUrl: relay.redisUrl })
  const order = (what: string, body: unknown) => api.call('POST', `/v1/targets/${what}`, { body })
  return { relay, api, order }
}

describe('a target', () => {
  test('is held and released: what came meanwhile goes then, at once', async () => {
    const { relay, api, order } = await setupWithRelay()
    await relay.ends(await relay.promote('5'))

    expect(await order('hold', { ...MODEL, by: 'alice', why: 'audit' })).toMatchObject({
      status: 200,
      body: { status: 'held' },
    })
    const id = await relay.promote('6')
    await relay.waitsFor(id, 'held')
    const { body } = await api.call('GET', '/v1/targets')
    expect(body.targets).toMatchObject([{ live: '5', hold: { kind: 'person', by: 'alice', why: 'audit' } }])
    const waiting = await api.call('GET', `/v1/promotions/${id}`)
    expect(waiting.body.reason).toBe('waiting: its target is held (alice: audit)')

    expect((await order('release', { ...MODEL, by: 'bob' })).body).toMatchObject({ status: 'released' })
    expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
    expect((await order('release', MODEL)).body).toMatchObject({ status: 'not_held' })
  })

  test('is rolled back to what was live before', async () => {
    const { relay, api, order } = await setupWithRelay()
    await relay.ends(await relay.promote('5', { accuracy: 0.93 }))
    await relay.ends(await relay.promote('6'))

    const rolledBack = await order('rollback', { ...MODEL, by: 'alice', why: 'refusals' })

    expect(rolledBack).toMatchObject({ status: 202, body: { status: 'accepted', version: '5', live: '6' } })
    const { id } = rolledBack.body
    expect(rolledBack.headers.get('location')).toBe(`/v1/promotions/${id}`)
    expect(await relay.ends(id)).toMatchObject({ state: 'deployed', version: '5' })
    expect(relay.versionsRun()).toEqual(['5', '6', '5'])
    expect(relay.simulator.runs.at(-1)?.inputs).toMatchObject({
      model_accuracy: '0.93',
      trigger_source: 'manual_rollback',
    })
    const { body } = await api.call('GET', `/v1/promotions/${id}`)
    expect(body.timeline[0].text).toBe('accepted (alice: refusals); version 6 is live')
    const metrics = (await api.call('GET', '/metrics')).text
    expect(metrics).toContain('promotion_relay_rollbacks_total{kind="manual"} 1')
    expect(metrics).toContain('promotion_relay_held_targets{kind="rollback"} 1')
  })

  test('that was never promoted to, and a rollback to nowhere, are refused', async () => {
    const { relay, order } = await setupWithRelay()
    for (const what of ['hold', 'release', 'rollback']) {
      const refused = await order(what, { model: 'fruad-detector' })
      expect([refused.status, problemOf(refused).title]).toEqual([
        404,
        'No such target: nothing was ever promoted to it',
      ])
    }
    await relay.ends(await relay.promote('5'))
    const nowhere = await order('rollback', MODEL)
    expect([nowhere.status, problemOf(nowhere).title]).toEqual([409, 'No other version was live before'])
  })

  test('is not touched by what is not a valid order, nor by who has no token', async () => {
    const { api, order } = await setupWithRelay()
    for (const what of ['hold', 'release', 'rollback']) {
      const invalid = await order(what, { environment: 'a b', why: '', more: 1 })
      expect(invalid.status).toBe(400)
      expect(problemOf(invalid).fields).toEqual(['environment', 'model', 'more', 'why'])
      expect((await api.call('POST', `/v1/targets/${what}`, { body: MODEL, token: null })).status).toBe(401)
    }
  })
})

describe('GET /v1/promotions/{id}?wait=', () => {
  test('answers once the promotion is at its end', async () => {
    const { relay, api } = await setupWithRelay()
    relay.simulator.hold(undefined, 'in_progress')
    const id = await relay.promote('5')
    const answered = api.call('GET', `/v1/promotions/${id}?wait=20`)
    await relay.reaches(id, 'dispatched')
    relay.simulator.release()

    expect((await answered).body).toMatchObject({ state: 'deployed' })
  })

  test('answers with what is so far when the time is over', async () => {
    const { relay, api } = await setupWithRelay()
    relay.simulator.hold(undefined, 'in_progress')
    const id = await relay.promote('5')
    await relay.reaches(id, 'dispatched')

    expect((await api.call('GET', `/v1/promotions/${id}?wait=0.3`)).body).toMatchObject({
      state: 'dispatched',
    })
  })

  test('is answered when the server ends, and does not keep it', async () => {
    const { relay, api } = await setupWithRelay()
    relay.simulator.hold(undefined, 'in_progress')
    const id = await relay.promote('5')
    await relay.reaches(id, 'dispatched')
    const answered = api.call('GET', `/v1/promotions/${id}?wait=60`)
    await api.call('GET', '/healthz')

    await api.close()

    expect((await answered).body).toMatchObject({ state: 'dispatched' })
  })

  test('refuses what is no time, and knows what is not there', async () => {
    const { api } = await setupWithRelay()
    for (const wait of ['-1', '61', 'soon', '1&wait=2', ''])
      expect((await api.call('GET', `/v1/promotions/x?wait=${wait}`)).status).toBe(400)
    const nothing = '00000000-0000-7000-8000-000000000000'
    expect((await api.call('GET', `/v1/promotions/${nothing}?wait=30`)).status).toBe(404)
  })
})
