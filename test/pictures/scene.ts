/**
 * The scene that the pictures show: a relay at work on the simulator, with something of everything that ops meet. All
 * of it comes about as it does in earnest: promotions over HTTP, faults of GitHub, runs that fail, a person's hold.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/until.ts'
import type { Relay } from './stage.ts'

const LOOK_EVERY_MS = 250

/** @returns ids of promotions to be looked at: one that was tried again and is live, one that is dead-lettered */
export async function play({ url, simulator, token }: Relay) {
  // biome-ignore lint/suspicious/noExplicitAny: answers of the API
  async function call(method: string, path: string, body?: object): Promise<any> {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
  const steer = async (what: string, body: object) => {
    const response = await fetch(`${simulator}/_simulator/${what}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`)
  }
  const promote = async (model: string, version: string, more: object = {}): Promise<string> =>
    (await call('POST', 'promotions', { model, version, accuracy: 0.9, ...more })).id
  const becomes = (id: string, ...states: string[]) =>
    until(
      `${id} becomes ${states}`,
      async () => {
        // The API takes so many requests a minute.
        await pause(LOOK_EVERY_MS)
        const { state } = await call('GET', `promotions/${id}`)
        return states.includes(state)
      },
      60_000,
    )
  const deployed = async (model: string, version: string, more: object = {}) => {
    const id = await promote(model, version, more)
    await becomes(id, 'deployed')
    return id
  }

  await steer('life', { queuedMs: 200, runMs: 600, conclusion: 'success' })
  for (const [model, version] of [
    ['ranking', '11'],
    ['churn', '3'],
    ['pricing', '41'],
    ['search', '7'],
    ['churn', '4'],
    ['pricing', '42'],
    ['ranking', '12'],
  ] as const)
    await deployed(model, version)
  await deployed('churn', '5', { environment: 'staging' })

  // A run that fails, and what was live goes live again.
  await steer('life', { conclusion: 'failure' })
  await becomes(await promote('ranking', '13'), 'failed')
  await steer('life', { conclusion: 'success' })

  // GitHub asks for a pause: tried again after it, and live.
  const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.'
  await steer('faults', {
    kind: 'status-before',
    status: 403,
    message,
    headers: { 'retry-after': '3' },
    times: 1,
  })
  await steer('life', { runMs: 4_000 })
  const triedAgain = await deployed('fraud-detector', '5', {
    accuracy: 0.9234,
    metrics: { auc: 0.981, f1: 0.914 },
  })

  // One that GitHub does not take, and one of which nobody can tell.
  await steer('faults', {
    kind: 'status-before',
    status: 422,
    message: 'Provided inputs are too large.',
    times: 1,
  })
  const dead = await promote('vision', '8')
  await becomes(dead, 'dead_lettered')

  await call('POST', 'targets/hold', { model: 'pricing', by: 'alice', why: 'quarterly audit until Friday' })
  await promote('pricing', '43')

  // Runs that take their time, and what waits behind them.
  await steer('life', { queuedMs: 500, runMs: 3_600_000 })
  const running = await promote('search', '8')
  await becomes(running, 'dispatched')
  const behind = await promote('search', '9')
  await becomes(await promote('fraud-detector', '6', { accuracy: 0.9301 }), 'dispatched')
  return { triedAgain, dead, running, behind }
}
