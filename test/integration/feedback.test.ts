// Each sink is told once at each end; what fails is tried again, then kept for a person; no dispatch waits for it.
import { expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import {
  CHAT_PATH,
  failed,
  MLFLOW_TOKEN,
  SWIFT,
  setup,
  signingSecret,
  textOf,
  told,
  verified,
} from './feedback-setup.ts'

test('a version that is live: MLflow has tags and the alias, the webhook an event, the chat a message, each once', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ workers: 2 })
  const id = await relay.promote('5', { accuracy: 0.9 })
  const { endedAt, runUrl } = await relay.ends(id)
  await told(relay)

  expect(mlflow.tags.get('fraud-detector/5')).toEqual({
    'cd.status': 'deployed',
    'cd.environment': 'production',
    'cd.promotion_id': id,
    'cd.run_url': runUrl,
    'cd.deployed_at': new Date(endedAt ?? 0).toISOString(),
  })
  expect(mlflow.aliases.get('fraud-detector/deployed-production')).toBe('5')
  expect(mlflow.received).toHaveLength(6)
  for (const { headers } of mlflow.received) expect(headers.authorization).toBe(`Bearer ${MLFLOW_TOKEN}`)

  expect(webhook.received).toHaveLength(1)
  const [delivery] = webhook.received
  if (!delivery) throw new Error('no delivery')
  expect(delivery).toMatchObject({ method: 'POST', path: '/hook?of=relay' })
  expect(delivery.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
  const event = verified(secret, delivery)
  expect(event).toMatchObject({ id: `${id}-deployed-2`, type: 'dev.cdevents.service.deployed.0.3.0' })
  expect(event.data.customData.promotion).toMatchObject({
    id,
    state: 'deployed',
    version: '5',
    accuracy: 0.9,
  })

  expect(chat.received.map(({ path }) => path)).toEqual([CHAT_PATH])
  expect(chat.received.map(textOf)).toEqual([
    expect.stringContaining('`fraud-detector` version `5` is live in `production`'),
  ])
  expect(relay.counted.feedback.toSorted()).toEqual(['chat told', 'mlflow told', 'webhook told'])
})

test('every end is told, and where a person is needed; who gave way and was skipped is no news for a chat', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ workers: 0 })
  const gaveWay = await relay.promote('1')
  const refused = await relay.promote('2')
  relay.simulator.fault({ kind: 'status-before', status: 422, body: { message: 'inputs are too large.' } })
  await relay.startWorker()
  await relay.reaches(refused, 'dead_lettered')
  relay.simulator.setLife({ conclusion: 'failure' })
  const broken = await relay.promote('3')
  await relay.ends(broken)
  relay.simulator.setLife({ conclusion: 'cancelled' })
  await relay.ends(await relay.promote('4'))
  relay.simulator.setLife({ conclusion: 'timed_out' })
  await relay.ends(await relay.promote('5'))
  await told(relay)

  const events = webhook.received.map((delivery) => verified(secret, delivery))
  const states = events.map(({ data }) => {
    const { version, state } = data.customData.promotion
    return `${version} ${state}`
  })
  const expected = ['1 superseded', '2 dead_lettered', '3 failed', '4 cancelled', '5 timed_out']
  expect(states.toSorted()).toEqual(expected)
  const statusOf = (version: string) => mlflow.tags.get(`fraud-detector/${version}`)?.['cd.status']
  expect(['1', '2', '3', '4', '5'].map((version) => `${version} ${statusOf(version)}`)).toEqual(expected)
  expect(mlflow.aliases.size).toBe(0)
  expect(chat.received).toHaveLength(4)
  expect(chat.received.map(textOf).join('\n')).not.toContain('version `1`')
  const reasons = events.find(({ id }) => id.startsWith(refused))?.data.customData.promotion.reason
  expect(reasons).toBe('nothing was started: GitHub answered 422: inputs are too large.')
  expect(events.find(({ id }) => id.startsWith(gaveWay))?.data.customData.promotion.supersededBy).toEqual({
    id: refused,
    version: '2',
  })
})

test('a trigger that is off is told as skipped', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ env: { ENABLE_CD_TRIGGER: 'false' } })
  await relay.reaches(await relay.promote('5'), 'skipped')
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.status']).toBe('skipped')
  expect(webhook.received.map((one) => verified(secret, one).type)).toEqual([
    'dev.cdeventsx.promotionrelay-promotion.skipped.0.1.0',
  ])
  expect(chat.received).toEqual([])
})

test('a dispatch is told where that is asked for, and never after the end in MLflow', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ env: { FEEDBACK_AT_DISPATCH: 'true' } })
  relay.simulator.hold()
  const id = await relay.promote('5')
  await relay.reaches(id, 'dispatched')
  await until('MLflow has it', () => mlflow.tags.get('fraud-detector/5')?.['cd.status'] === 'dispatched')
  expect(mlflow.aliases.size).toBe(0)
  relay.simulator.release()
  await relay.ends(id)
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.status']).toBe('deployed')
  expect(webhook.received.map((one) => verified(secret, one).type)).toEqual([
    'dev.cdevents.pipelinerun.queued.0.3.0',
    'dev.cdevents.service.deployed.0.3.0',
  ])
  expect(chat.received).toHaveLength(1)
})

test('what MLflow could not be told in time does not put back what came later', async () => {
  const { relay, mlflow } = await setup({
    env: { FEEDBACK_AT_DISPATCH: 'true' },
    pauses: { feedback: { ...SWIFT, retryMs: 200 } },
  })
  const serve = mlflow.answer
  mlflow.answer = () => ({ status: 503 })
  relay.simulator.hold()
  const id = await relay.promote('5')
  await until('it was refused', () => relay.counted.feedback.includes('mlflow again'))
  relay.simulator.release()
  await relay.ends(id)
  mlflow.answer = serve
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.status']).toBe('deployed')
  expect(relay.counted.feedback).toContain('mlflow outdated')
})

test('an older failure of a version does not overwrite that it has gone live since', async () => {
  const { relay, mlflow } = await setup({ pauses: { feedback: { ...SWIFT, retryMs: 400 } } })
  const serve = mlflow.answer
  relay.simulator.setLife({ conclusion: 'failure' })
  mlflow.answer = () => ({ status: 500 })
  await relay.ends(await relay.promote('5'))
  await until('it was refused', () => relay.counted.feedback.includes('mlflow again'))
  mlflow.answer = serve
  relay.simulator.setLife({ conclusion: 'success' })
  const again = await relay.promote('5')
  await relay.ends(again)
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')).toMatchObject({
    'cd.status': 'deployed',
    'cd.promotion_id': again,
  })
  expect(relay.counted.feedback).toContain('mlflow outdated')
})

test('the alias stays with the version that is live when an older one is told late', async () => {
  const { relay, mlflow } = await setup({ pauses: { feedback: { ...SWIFT, retryMs: 300 } } })
  const serve = mlflow.answer
  mlflow.answer = () => ({ status: 500 })
  await relay.ends(await relay.promote('5'))
  await until('it was refused', () => relay.counted.feedback.includes('mlflow again'))
  mlflow.answer = serve
  await relay.ends(await relay.promote('6'))
  await told(relay)
  expect(mlflow.aliases.get('fraud-detector/deployed-production')).toBe('6')
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.status']).toBe('deployed')
})

test('a model that MLflow does not know fails at once, with what it said; once it is there, Retry tells it', async () => {
  const { relay, mlflow } = await setup()
  mlflow.missing.add('fraud-detector/5')
  const id = await relay.promote('5')
  await relay.ends(id)
  const job = await failed(relay, 'mlflow', `${id}-deployed-2`)
  expect(job).toMatchObject({
    attemptsMade: 1,
    failedReason: expect.stringMatching(/^answered 404: .*Model Version 5 not found/),
  })
  expect(mlflow.received).toHaveLength(1)

  mlflow.missing.clear()
  await job.retry('failed')
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.status']).toBe('deployed')
})

test('a user and a password are used as MLflow does', async () => {
  const { relay, mlflow } = await setup({
    env: {
      MLFLOW_TRACKING_TOKEN: '',
      MLFLOW_TRACKING_USERNAME: 'relay',
      MLFLOW_TRACKING_PASSWORD: 'pass:word-0003',
    },
  })
  await relay.ends(await relay.promote('5'))
  await told(relay)
  const basic = `Basic ${Buffer.from('relay:pass:word-0003').toString('base64')}`
  expect(new Set(mlflow.received.map(({ headers }) => headers.authorization))).toEqual(new Set([basic]))
})

test('a retry has the same id and the same body, and a time and signature of its own', async () => {
  const { relay, webhook, secret } = await setup({ pauses: { feedback: { ...SWIFT, retryMs: 400 } } })
  webhook.answer = () => ({ status: webhook.received.length < 3 ? 503 : 204 })
  const id = await relay.promote('5')
  await relay.ends(id)
  await told(relay)

  expect(webhook.received).toHaveLength(3)
  const same = <T>(of: T[]) => new Set(of).size === 1
  expect(same(webhook.received.map(({ text }) => text))).toBe(true)
  expect(same(webhook.received.map(({ headers }) => headers['webhook-id']))).toBe(true)
  for (const one of webhook.received) {
    verified(secret, one)
    expect(Math.abs(Number(one.headers['webhook-timestamp']) - one.at / 1000)).toBeLessThan(2)
  }
  expect(relay.counted.feedback.filter((one) => one.startsWith('webhook'))).toEqual([
    'webhook again',
    'webhook again',
    'webhook told',
  ])
})

test('what fails to the last stays under Failed with its reason, and Retry sends it with the same id', async () => {
  const { relay, webhook, secret } = await setup()
  webhook.answer = () => ({ status: 500, body: 'no room' })
  const id = await relay.promote('5')
  await relay.ends(id)
  const job = await failed(relay, 'webhook', `${id}-deployed-2`)
  expect(job).toMatchObject({ attemptsMade: 12, failedReason: 'answered 500: no room' })
  expect(job.data).toMatchObject({
    sink: 'webhook',
    model: 'fraud-detector',
    next: expect.stringContaining('Retry'),
  })
  expect(webhook.received).toHaveLength(12)

  webhook.answer = () => ({ status: 200 })
  await job.retry('failed')
  await told(relay)
  expect(webhook.received).toHaveLength(13)
  expect(new Set(webhook.received.map((one) => verified(secret, one).id))).toEqual(
    new Set([`${id}-deployed-2`]),
  )
  expect(relay.counted.feedback.filter((one) => one === 'webhook failed')).toHaveLength(1)
})

test('a Retry that fails again is one more call, and under Failed again', async () => {
  const { relay, chat } = await setup()
  chat.answer = () => ({ status: 404, body: 'no_service' })
  const id = await relay.promote('5')
  await relay.ends(id)
  const job = await failed(relay, 'chat', `${id}-deployed-2`)
  expect(job.failedReason).toBe('answered 404: no_service')
  await job.retry('failed')
  await until('it was sent again', () => chat.received.length === 2)
  await failed(relay, 'chat', `${id}-deployed-2`)
  await told(relay)
  expect(chat.received).toHaveLength(2)
})

test('410 switches the webhook off: nothing more is sent there, until the setting names another address', async () => {
  const { relay, webhook, chat, secret } = await setup({ workers: 0 })
  const worker = await relay.startWorker()
  webhook.answer = () => ({ status: 410 })
  const first = await relay.promote('5')
  await relay.ends(first)
  const job = await failed(relay, 'webhook', `${first}-deployed-2`)
  expect(job.failedReason).toMatch(/^answered 410/)
  expect(relay.lines.some(({ level, msg }) => level === 'error' && msg.includes('answered 410'))).toBe(true)
  await until('the metric shows it', () => relay.told.off.get('webhook'))

  webhook.answer = () => ({ status: 204 })
  await relay.ends(await relay.promote('6'))
  await told(relay)
  expect(webhook.received).toHaveLength(1)
  expect(relay.counted.feedback).toContain('webhook off')
  expect(chat.received).toHaveLength(2)
  await worker.close()
  const same = await relay.startWorker()
  await relay.ends(await relay.promote('7'))
  await told(relay)
  expect(webhook.received).toHaveLength(1)
  await same.close()

  await relay.startWorker({ env: { FEEDBACK_WEBHOOK_URL: `${webhook.url}/elsewhere` } })
  await until('another address is none that wants nothing', () => relay.told.off.get('webhook') === false)
  await job.retry('failed')
  await relay.ends(await relay.promote('8'))
  await told(relay)
  expect(webhook.received.slice(1).map(({ path }) => path)).toEqual(['/elsewhere', '/elsewhere'])
  expect(webhook.received.slice(1).map((one) => verified(secret, one).id)).toContain(`${first}-deployed-2`)
})

test('while a secret takes another’s place the receiver may have either', async () => {
  const [old, fresh] = [signingSecret(), signingSecret()]
  const { relay, webhook } = await setup({ env: { FEEDBACK_WEBHOOK_SECRET: `${fresh},${old}` } })
  await relay.ends(await relay.promote('5'))
  await told(relay)
  const [delivery] = webhook.received
  if (!delivery) throw new Error('no delivery')
  for (const secret of [old, fresh]) verified(secret, delivery)
  expect(() => verified(signingSecret(), delivery)).toThrow('No matching signature found')
  expect(() => verified(old, { ...delivery, text: delivery.text.replace('5', '6') })).toThrow()
})

test('a private address is refused unless that is allowed: at once, for a person, and nothing connects', async () => {
  const { webhook, relay } = await setup({ workers: 0 })
  const address = { FEEDBACK_WEBHOOK_URL: `https://localhost:${webhook.port}/hook` }
  const others = { MLFLOW_FEEDBACK: 'false', CHAT_WEBHOOK_URL: `https://127.0.0.1:${webhook.port}/chat` }
  await relay.startWorker({ env: { ...address, ...others, FEEDBACK_ALLOW_PRIVATE: 'false' } })
  const id = await relay.promote('5')
  await relay.ends(id)
  for (const sink of ['webhook', 'chat'] as const) {
    const job = await failed(relay, sink, `${id}-deployed-2`)
    expect(job).toMatchObject({
      attemptsMade: 1,
      failedReason: expect.stringContaining('is no public address'),
    })
  }
  expect(webhook.received).toEqual([])
})

test('receivers that hang hold up no dispatch, and one of them not the others', async () => {
  const { relay, webhook, chat, mlflow } = await setup({
    env: { WORKER_CONCURRENCY: '2' },
    pauses: { feedback: { ...SWIFT, stopMs: 50 } },
  })
  webhook.answer = () => 'never'
  const versions = Array.from({ length: 30 }, (_, i) => String(i + 1))
  const ids = await Promise.all(versions.map((version) => relay.promote(version, { model: `m-${version}` })))
  for (const id of ids) await relay.reaches(id, 'deployed')
  await until('all others are told', () => chat.received.length === 30 && mlflow.aliases.size === 30)
  expect(webhook.received.length).toBeLessThanOrEqual(8)
})

test('a worker that is stopped does not wait for a receiver that hangs, and the next one tells it', async () => {
  const { relay, webhook } = await setup({
    workers: 0,
    pauses: { feedback: { ...SWIFT, stopMs: 50 } },
  })
  const worker = await relay.startWorker()
  webhook.answer = () => 'never'
  const id = await relay.promote('5')
  await relay.ends(id)
  await until('it is being told', () => webhook.received.length === 1)
  await worker.close()
  webhook.answer = () => ({ status: 204 })
  await relay.startWorker()
  await told(relay)
  expect(webhook.received).toHaveLength(2)
  expect(new Set(webhook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(relay.counted.feedback.filter((one) => one === 'webhook again')).toEqual([])
})

test('what is simulated is told as such', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ workers: 0 })
  await relay.redis.set('{relay:0}:simulated', '1')
  await relay.startWorker()
  await relay.ends(await relay.promote('5'))
  await told(relay)
  expect(mlflow.tags.get('fraud-detector/5')?.['cd.simulated']).toBe('true')
  expect(webhook.received.map((one) => verified(secret, one).data.customData)).toEqual([
    expect.objectContaining({ simulated: true }),
  ])
  expect(chat.received.map(textOf)).toEqual([expect.stringMatching(/^SIMULATED: /)])
})

test('without any sink nothing is kept', async () => {
  const relay = await startRelay({ pauses: { feedback: SWIFT } })
  await relay.ends(await relay.promote('5'))
  await until('the outbox is empty', async () => (await relay.redis.exists('{relay:0}:news')) === 0)
  expect(await relay.queues.feedback.getJobCountByTypes('waiting', 'delayed', 'active', 'completed')).toBe(0)
})

test('no secret is in a job, also where the receiver sends it back', async () => {
  const { relay, webhook, chat, mlflow, secret } = await setup()
  const echo = ({ headers, path, text }: { headers: object; path: string; text: string }) => ({
    status: 400,
    body: `you sent ${JSON.stringify(headers)} ${path} ${text}`.slice(0, 2_000),
  })
  for (const receiver of [webhook, chat, mlflow]) receiver.answer = echo
  chat.answer = ({ path }) => ({ status: 400, body: `no such place: ${path}` })
  mlflow.answer = ({ headers }) => ({ status: 400, body: `not for you: ${headers.authorization}` })
  const id = await relay.promote('5')
  await relay.ends(id)
  const jobs = await Promise.all(
    (['mlflow', 'webhook', 'chat'] as const).map((sink) => failed(relay, sink, `${id}-deployed-2`)),
  )
  const seen = JSON.stringify([jobs.map((job) => job.asJSON()), relay.lines])
  expect(seen).toContain('no such place: [redacted]')
  expect(seen).toContain('not for you: Bearer [redacted]')
  for (const word of [MLFLOW_TOKEN, CHAT_PATH, secret, secret.slice(6)]) expect(seen).not.toContain(word)
})
