// The same promotions and the same runs, followed in four ways: each comes to the same states.
import { expect, test } from 'vitest'
import type { RelayOptions } from '../support/relay.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { setup as startServer } from './http-setup.ts'

const SECRET = 'sentinel-webhook-secret'

interface Way {
  name: string
  hasWebhooks: boolean
  /** Between two looks at a run, s. */
  pollSeconds: number
  /** Nothing is heard as the runs of the second versions end: no webhook, no answer to a read. */
  isDeafOnce: boolean
  /** Calls of GitHub's API for each deployment at most; the poll may ask as often as it likes. */
  most: number
}

const NEVER = 3600
const WAYS: readonly Way[] = [
  { name: 'webhooks only', hasWebhooks: true, pollSeconds: NEVER, isDeafOnce: false, most: 3 },
  { name: 'the poll only', hasWebhooks: false, pollSeconds: 0.1, isDeafOnce: false, most: 1_000 },
  { name: 'both', hasWebhooks: true, pollSeconds: 1, isDeafOnce: false, most: 4 },
  {
    name: 'both, and neither for a while',
    hasWebhooks: true,
    pollSeconds: 0.02,
    isDeafOnce: true,
    most: 1_000,
  },
]

const MODELS = ['churn', 'fraud', 'ranking']
const VERSIONS = ['1', '2', '3']
/** How the runs end that do not succeed. */
const CONCLUSIONS: Readonly<Record<string, string>> = { 'fraud 2': 'failure', 'ranking 3': 'cancelled' }

const EXPECTED = [
  'churn 1 deployed, success',
  'churn 2 deployed, success',
  'churn 3 deployed, success',
  'fraud 1 deployed, success',
  'fraud 2 failed, failure',
  'fraud 3 deployed, success',
  'ranking 1 deployed, success',
  'ranking 2 deployed, success',
  'ranking 3 cancelled, cancelled',
  'churn: 3 is live',
  'fraud: 3 is live',
  'ranking: 2 is live',
]

test.for(WAYS)('followed by $name', async (way, { annotate }) => {
  const relay = await started(way)
  const { simulator } = relay
  for (const version of VERSIONS) {
    const ids = await Promise.all(MODELS.map((model) => relay.promote(version, { model })))
    const started = () => simulator.runs.filter(({ status }) => status === 'in_progress')
    await until('their runs are in progress', () => started().length === MODELS.length)
    const isDeaf = way.isDeafOnce && version === '2'
    if (isDeaf) {
      simulator.webhookFault({ kind: 'dropped', times: Number.POSITIVE_INFINITY })
      simulator.fault({ kind: 'status-before', status: 503, on: 'get-run', times: Number.POSITIVE_INFINITY })
    }
    for (const { id, inputs } of started())
      simulator.complete(id, CONCLUSIONS[`${inputs.model_name} ${version}`] ?? 'success')
    if (isDeaf) {
      const asked = simulator.log.length
      await until('it was asked in vain', () => simulator.log.length > asked + MODELS.length)
      expect(await relay.reader.countByState()).toMatchObject({ dispatched: MODELS.length })
      simulator.clearFaults()
    }
    for (const id of ids) await relay.ends(id)
  }
  await relay.idle()

  const promotions = await relay.reader.newest(100)
  const states = promotions.map(
    ({ model, version, state, conclusion }) => `${model} ${version} ${state}, ${conclusion}`,
  )
  const live = (await relay.reader.targets(10)).map((one) => `${one.model}: ${one.live} is live`)
  expect([...states.sort(), ...live.sort()]).toEqual(EXPECTED)
  const calls = simulator.log.length / simulator.runs.length
  await annotate(`${way.name}: ${calls.toFixed(1)} calls of GitHub's API for each deployment`)
  expect(calls).toBeLessThanOrEqual(way.most)
})

async function started({ hasWebhooks, pollSeconds }: Way) {
  const options: RelayOptions = {
    env: { TRACK_INTERVAL_SECONDS: String(pollSeconds) },
    pauses: { sweepMs: 600_000, resolveMs: 600_000 },
    simulator: { queuedMs: 0, runMs: 600_000 },
  }
  const relay = await startRelay(options)
  if (!hasWebhooks) return relay
  const server = await startServer({ redisUrl: relay.redisUrl, env: { GITHUB_WEBHOOK_SECRET: SECRET } })
  relay.simulator.subscribe({ url: `${server.url}/v1/webhooks/github`, secret: SECRET })
  return relay
}
