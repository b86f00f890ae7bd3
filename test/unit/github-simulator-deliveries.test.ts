// What becomes of a delivery of the simulator's webhooks: its signature, its end, redelivery, and the faults that a
// test can order.
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Delivery, SimulatorOptions } from '../github-simulator/simulator.ts'
import { signatureOf } from '../github-simulator/webhook-post.ts'
import { eventually } from '../support/simulator.ts'
import { type Received, SECRET, simulatorWithWebhook as setup } from '../support/webhook-receiver.ts'

const AT_ONCE: SimulatorOptions = { queuedMs: 0, runMs: 0 }

describe('a delivery', () => {
  test('is signed over its bytes, as GitHub documents it', async () => {
    const { start, receiver, over, simulator } = await setup()
    await start({ model_name: 'größe ✓' })
    await over(2)
    const { headers, text } = receiver.received[0] as Received
    const expected = createHmac('sha256', SECRET).update(Buffer.from(text)).digest('hex')
    expect(text).toContain('größe ✓')
    expect(headers).toMatchObject({
      'x-hub-signature-256': `sha256=${expected}`,
      'x-github-event': 'workflow_run',
      'x-github-delivery': simulator.deliveries[0]?.guid,
      'x-github-hook-id': String(simulator.deliveries[0]?.hookId),
      'content-type': 'application/json',
    })
    expect(headers['user-agent']).toMatch(/^GitHub-Hookshot\//)
    expect(headers['x-github-delivery']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    // https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    expect(signatureOf('Hello, World!', "It's a Secret to Everybody")).toBe(
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    )
  })

  test('has the same id at every hook', async () => {
    const { simulator, receiver, start, over } = await setup()
    const second = simulator.subscribe({ url: receiver.url, secret: 'another' })
    await start()
    const deliveries = (await over(4)).filter(({ action }) => action === 'requested')
    expect(deliveries.map(({ hookId }) => hookId)).toContain(second)
    expect(new Set(deliveries.map(({ guid }) => guid)).size).toBe(1)
    expect(new Set(deliveries.map(({ headers }) => headers['x-hub-signature-256'])).size).toBe(2)
  })

  test.each<[number | 'never', string, number]>([
    [204, 'OK', 204],
    [500, 'Invalid HTTP Response: 500', 500],
    [302, 'Invalid HTTP Response: 302', 302],
    ['never', 'timed out', 0],
  ])(
    'that is answered with %s is %s, and never sent again by itself',
    async (answers, status, statusCode) => {
      const { simulator, receiver, start, over } = await setup({ webhookTimeoutMs: 300 })
      receiver.answers = answers
      const id = await start()
      await over(2)
      receiver.answers = 202
      simulator.complete(id)
      const [first, , last] = await over(3)
      expect(first).toMatchObject({ action: 'requested', status, statusCode, redelivery: false })
      expect(last).toMatchObject({ action: 'completed', status: 'OK', statusCode: 202 })
      expect(receiver.received).toHaveLength(3)
    },
  )

  test('to nobody has failed, and reaches them when it is redelivered: same body, same id', async () => {
    const { simulator, receiver, start, over } = await setup({ webhooks: [{ url: 'http://127.0.0.1:1/' }] })
    simulator.subscribe({ url: receiver.url, secret: SECRET })
    receiver.answers = 503
    await start()
    const lost = (await over(4)).find(
      ({ statusCode, action }) => statusCode === 503 && action === 'requested',
    )
    expect(simulator.deliveries.map(({ status }) => status)).toContain('failed to connect to host')
    receiver.answers = 200
    const again = await simulator.redeliver(lost?.id ?? 0)
    expect(again).toMatchObject({ guid: lost?.guid, redelivery: true, status: 'OK', body: lost?.body })
    expect(again.id).not.toBe(lost?.id)
    const [first, latest] = [receiver.received[0], receiver.received.at(-1)]
    expect(latest?.text).toBe(first?.text)
    expect({ ...latest?.headers, host: '' }).toEqual({ ...first?.headers, host: '' })
    expect(() => simulator.redeliver(1)).toThrow('no delivery 1')
  })

  test('is given up when the simulator is closed', async () => {
    const { simulator, receiver, start } = await setup()
    receiver.answers = 'never'
    await start()
    await eventually(() => receiver.received).toHaveLength(1)
    simulator.webhookFault({ kind: 'late', delayMs: 60_000 })
    simulator.complete(simulator.runs[0]?.id ?? 0)
    await simulator.close()
    expect(simulator.deliveries[0]?.status).toBe('failed to connect to host')
  })

  test('goes to no other address than one of the web', async () => {
    const { simulator, post } = await setup()
    expect(() => simulator.subscribe({ url: 'ftp://127.0.0.1' })).toThrow('begins with http://')
    expect((await post('/_simulator/webhooks', { body: { url: 'ftp://127.0.0.1' } })).status).toBe(400)
  })
})

describe('a fault of deliveries', () => {
  test('late lets others overtake it', async () => {
    const { simulator, start, told, over } = await setup(AT_ONCE)
    simulator.webhookFault({ kind: 'late', action: 'in_progress', delayMs: 1500 })
    await start()
    await over(3)
    expect(told()).toEqual(['requested: queued', 'completed: success', 'in_progress: in_progress'])
  })

  test('swapped sends it right after the next one of its run', async () => {
    const { simulator, start, told, over } = await setup(AT_ONCE)
    simulator.webhookFault({ kind: 'swapped', action: 'requested' })
    await start()
    await over(3)
    expect(told()).toEqual(['in_progress: in_progress', 'requested: queued', 'completed: success'])
  })

  test('twice sends it once more with the same id', async () => {
    const { simulator, start, told, over } = await setup(AT_ONCE)
    simulator.webhookFault({ kind: 'twice', promotionId: 'p-2', times: Number.POSITIVE_INFINITY })
    await start({ promotion_id: 'p-1' })
    await over(3)
    await start({ promotion_id: 'p-2' })
    const deliveries = await over(9)
    expect(told().slice(3, 5)).toEqual(['requested: queued', 'requested: queued'])
    expect(deliveries[3]?.guid).toBe(deliveries[4]?.guid)
    simulator.clearFaults()
    await start({ promotion_id: 'p-2' })
    await over(12)
  })

  test('dropped never sends it, until it is redelivered', async () => {
    const { simulator, start, told, over } = await setup(AT_ONCE)
    simulator.webhookFault({ kind: 'dropped', action: 'completed' })
    await start()
    await over(3)
    expect(told()).toEqual(['requested: queued', 'in_progress: in_progress'])
    const dropped = simulator.deliveries.find(({ status }) => status === 'dropped')
    await simulator.redeliver(dropped?.id ?? 0)
    expect(told()[2]).toBe('completed: success')
  })

  test('is ordered over HTTP, as are hooks and redeliveries', async () => {
    const { receiver, get, post, start, over, simulator } = await setup({ ...AT_ONCE, webhooks: [] })
    const hook = { url: receiver.url, secret: SECRET }
    expect((await post('/_simulator/webhooks', { body: hook })).status).toBe(201)
    await post('/_simulator/webhook-faults', { body: { kind: 'dropped', action: 'completed' } })
    await start()
    await over(3)
    const listed = JSON.parse((await get('/_simulator/deliveries')).text)
    expect(listed).toEqual(JSON.parse(JSON.stringify(simulator.deliveries)))
    const { id } = listed.find(({ status }: Delivery) => status === 'dropped')
    expect((await post(`/_simulator/deliveries/${id}/redeliver`)).status).toBe(202)
    await over(4)
    expect(receiver.received).toHaveLength(3)
    expect((await post('/_simulator/deliveries/1/redeliver')).status).toBe(404)
    expect((await post('/_simulator/webhook-faults', { body: { kind: 'lost' } })).status).toBe(400)
  })
})
