// Whatever a worker dies at, what it was about to tell is told: once where nothing had been sent yet, else again with
// the same id.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Pauses } from '../../worker/pauses.ts'
import { startWorkerProcess } from '../support/relay-process.ts'
import { until } from '../support/until.ts'
import { SWIFT, setup, told, verified } from './feedback-setup.ts'

/** Quick to notice that a worker has died. */
const PAUSES: Partial<Pauses> = { lockMs: 1_000, stalledCheckMs: 100, feedback: SWIFT }
const DIE_AT_LINE = new URL('../support/die-at-line.ts', import.meta.url).href

function lineOf(file: string, text: string): string {
  const path = new URL(`../../${file}`, import.meta.url).pathname
  const lines = readFileSync(path, 'utf8').split('\n')
  const at = lines.findIndex((line) => line.includes(text))
  if (at < 0) throw new Error(`${file} has no ${text}`)
  return `${path}:${at + 1}`
}

const envOf = (env: object) => env as Record<string, string>

test.each([
  ['before the job is added', 'await add(sink.name, news)'],
  ['between the queue and the outbox', 'await outbox.remove(entry)'],
])('a worker dies %s: every sink is told once', async (_, text) => {
  const { relay, env, webhook, chat, mlflow, secret } = await setup({
    workers: 0,
    pauses: PAUSES,
    env: { FEEDBACK_AT_DISPATCH: 'true' },
  })
  // Nothing is sent until it has died.
  await relay.queues.feedback.pause()
  const dying = await startWorkerProcess(relay, PAUSES, ['--import', DIE_AT_LINE], {
    ...envOf({ ...env, FEEDBACK_AT_DISPATCH: 'true' }),
    DIE_AT: lineOf('worker/feedback/drain.ts', text),
  })
  const id = await relay.promote('5')
  const [code, signal] = await dying.exit
  expect({ code, signal, output: dying.output() }).toMatchObject({ signal: 'SIGKILL' })
  const added = await relay.queues.feedback.getJobCountByTypes('waiting')
  expect(added > 0).toBe(text.includes('remove'))
  await relay.queues.feedback.resume()
  await relay.startWorker()
  await relay.ends(id)
  await told(relay)
  expect(webhook.received.map((one) => verified(secret, one).id).toSorted()).toEqual([
    `${id}-deployed-2`,
    `${id}-dispatched-1`,
  ])
  expect(chat.received).toHaveLength(1)
  expect(mlflow.aliases.get('fraud-detector/deployed-production')).toBe('5')
})

test('a worker dies while it tells: the next one tells it again, with the same id and body', async () => {
  const { relay, env, webhook, chat, mlflow, secret } = await setup({ workers: 0, pauses: PAUSES })
  webhook.answer = () => 'never'
  const dying = await startWorkerProcess(relay, PAUSES, [], envOf(env))
  const id = await relay.promote('5')
  // Done with, not only received: who dies between MLflow's answer and the end of its turn keeps MLflow waiting.
  const others = async () => (await relay.queues.feedback.getJobCountByTypes('completed')) === 2
  await until(
    'it is being told, and the others are',
    async () => webhook.received.length === 1 && (await others()),
  )
  expect([chat.received.length, mlflow.aliases.size]).toEqual([1, 1])
  dying.child.kill('SIGKILL')
  await dying.exit
  webhook.answer = () => ({ status: 204 })
  await relay.startWorker()
  await told(relay)
  expect(webhook.received.map((one) => verified(secret, one).id)).toEqual([
    `${id}-deployed-2`,
    `${id}-deployed-2`,
  ])
  expect(new Set(webhook.received.map(({ text }) => text)).size).toBe(1)
})

test('the keys of the queues are deleted: what waited in them for a retry is not told, all that comes after is', async () => {
  const { relay, webhook, secret } = await setup({ pauses: { feedback: { ...SWIFT, retryMs: 60_000 } } })
  webhook.answer = () => ({ status: 500 })
  await relay.ends(await relay.promote('5'))
  await until('it waits', () => relay.counted.feedback.includes('webhook again'))
  webhook.answer = () => ({ status: 204 })
  const keys = await relay.redis.keys('{relay:0}:bull:*')
  await relay.redis.del(...keys)
  const next = await relay.promote('6')
  await relay.ends(next)
  await until('the next one is told', () => webhook.received.length === 2)
  await told(relay)
  expect(webhook.received.map((one) => verified(secret, one).id)[1]).toBe(`${next}-deployed-2`)
})
