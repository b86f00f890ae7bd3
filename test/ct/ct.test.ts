// From a training pipeline to MLflow's tags, with Prefect, scikit-learn and MLflow themselves. The judge of what was
// deployed is the simulated GitHub's list of runs.
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { until } from '../support/until.ts'
import { type AtEnd, CLI, NODE, run, startUp, temporaryDir, type Up } from '../support/up.ts'
import { mlflowAt } from './mlflow.ts'
import { startTraining } from './pipeline.ts'

const mlflow = mlflowAt(inject('mlflowUrl'))
const SECRET = 'secret-of-the-mlflow-webhook'
/** Only at the start. */
const NEVER_AGAIN = '86400'

interface Relay {
  atEnd?: AtEnd
  dataDir?: string
  env?: Record<string, string>
}

async function startRelay({ atEnd = onTestFinished, dataDir, env }: Relay = {}): Promise<Up> {
  const relay = await startUp({
    atEnd,
    dataDir: dataDir ?? path.join(temporaryDir('relay-ct-up', atEnd), 'data'),
    env: {
      MLFLOW_TRACKING_URI: mlflow.url,
      MLFLOW_ALIASES: 'champion=production',
      MLFLOW_WEBHOOK_SECRET: SECRET,
      MLFLOW_FEEDBACK: 'true',
      MLFLOW_DEPLOYED_ALIAS: 'deployed-{environment}',
      REGISTRY_INTERVAL_SECONDS: '1',
      // The pace of the tests is not the relay's.
      DISPATCH_RATE_PER_SECOND: '100',
      ...env,
    },
  })
  if (env?.MLFLOW_ALIASES !== '') await figure(relay, 'registry_reachable', 1)
  return relay
}

const said = (relay: Up) => relay.stdout + relay.stderr

async function stop(relay: Up): Promise<void> {
  relay.kill('SIGTERM')
  expect(await relay.end()).toBe(0)
  expect(said(relay)).not.toContain('could not be told')
}

const KEPT = 'mlflow_webhook_deliveries_total{result="kept"}'
const LAST_LOOK = 'registry_last_look_timestamp_seconds'

/** NaN where it is not shown. */
async function figureOf(relay: Up, name: string): Promise<number> {
  const { body } = await relay.call('GET', '/metrics')
  const line = (body as string).split('\n').find((one) => one.startsWith(`promotion_relay_${name} `))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}

/** Waits until a figure of /metrics is that much. */
async function figure(relay: Up, name: string, atLeast: number): Promise<void> {
  await until(`${name} to be ${atLeast}`, async () => (await figureOf(relay, name)) >= atLeast)
}

/** One that began after now. */
async function anotherLook(relay: Up): Promise<void> {
  for (let look = 0; look < 2; look++) {
    const last = await figureOf(relay, LAST_LOOK)
    await until('another look at the registry', async () => (await figureOf(relay, LAST_LOOK)) > last)
  }
}

/** What webhooks have told until now was looked into: one that came later has had its effect. */
async function heard(relay: Up): Promise<void> {
  const canary = 'told-last'
  await mlflow.register(canary, 1)
  await mlflow.setAlias(canary, 'champion', '1')
  await until('the last webhook to be heard', async () => (await versionsRun(relay, canary)).length === 1)
}

interface Run {
  id: number
  version: string
  accuracy: string
  source: string
}

/** Runs of the model's CD workflow, in the order in which they were started. */
async function runsOf(relay: Up, model: string): Promise<Run[]> {
  const runs: { inputs: Record<string, string>; id: number }[] = await relay.simulator('GET', 'runs')
  return runs
    .filter(({ inputs }) => inputs.model_name === model)
    .map(({ inputs, id }) => ({
      version: inputs.model_version ?? '',
      accuracy: inputs.model_accuracy ?? '',
      source: inputs.trigger_source ?? '',
      id,
    }))
}

const versionsRun = async (relay: Up, model: string) =>
  (await runsOf(relay, model)).map(({ version }) => version)

/** MLflow was told that the version is live: by its tags, and the alias. */
async function liveByMlflow(model: string, version: string) {
  const tags = async () => {
    const told = await mlflow.tags(model, version)
    const alias = await mlflow.alias(model, 'deployed-production')
    return told['cd.status'] === 'deployed' && alias === version && told
  }
  return until(`MLflow to call version ${version} of ${model} live`, tags, 30_000)
}

/** Whatever was on its way has come to its end: what is in the ledger, and nothing more, was sent. */
async function settled(relay: Up, model: string): Promise<string[]> {
  const look = async () => {
    const { status, body } = await relay.call('GET', '/v1/promotions')
    // Asked too often.
    if (status !== 200) return false
    const own: { model: string; version: string; state: string }[] = body.promotions
    const states = own.filter((one) => one.model === model).map(({ version, state }) => `${version} ${state}`)
    return !states.some((one) => /accepted|dispatch/.test(one)) && states.reverse()
  }
  return until('all of them to have ended', look, 30_000)
}

describe('MLflow sends webhooks', () => {
  let relay: Up
  const undo: (() => void | Promise<void>)[] = []

  beforeAll(async () => {
    const atEnd: AtEnd = (step) => undo.push(step)
    const port = String(await pickFreePort())
    relay = await startRelay({ atEnd, env: { PORT: port, REGISTRY_INTERVAL_SECONDS: NEVER_AGAIN } })
    undo.push(() => stop(relay))
    undo.push(await mlflow.webhook(`${relay.url}/v1/webhooks/mlflow`, SECRET))
  })
  afterAll(async () => {
    for (const step of undo.reverse()) await step()
  })

  test('a flow trains, registers and promotes: one dispatch with version and accuracy, and MLflow is told', async () => {
    const model = 'fraud-detector'
    await mlflow.register(model, 4)
    const trained = await startTraining(model, relay).end()
    expect(trained).toMatchObject({ version: '5', status: expect.stringMatching(/^(accepted|duplicate)$/) })
    expect(trained.accuracy).toBeGreaterThan(0.5)

    const tags = await liveByMlflow(model, '5')
    const [run, ...more] = await runsOf(relay, model)
    expect(more).toEqual([])
    expect(run).toMatchObject({ version: '5', accuracy: String(trained.accuracy) })
    expect(tags).toMatchObject({
      'cd.status': 'deployed',
      'cd.environment': 'production',
      'cd.promotion_id': trained.id,
      'cd.simulated': 'true',
      'cd.run_url': expect.stringContaining(`/${run?.id}`),
      'cd.deployed_at': expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    // The webhook and the call told the same.
    await figure(relay, KEPT, 1)
    expect(await settled(relay, model)).toEqual(['5 deployed'])
    expect(await versionsRun(relay, model)).toEqual(['5'])
  })

  test('a flow that is killed between alias and call has promoted all the same', async () => {
    const model = 'churn'
    const flow = startTraining(model, relay, { args: ['--never-call'] })
    const trained = await flow.aliasIsSet()
    await flow.kill()

    await liveByMlflow(model, trained.version)
    expect(await runsOf(relay, model)).toEqual([
      expect.objectContaining({
        version: '1',
        accuracy: String(trained.accuracy),
        source: 'model_registry',
      }),
    ])
  })

  test('the same alias set twice is one dispatch', async () => {
    const model = 'credit'
    await startTraining(model, relay).end()
    await liveByMlflow(model, '1')
    const kept = await figureOf(relay, KEPT)
    await mlflow.setAlias(model, 'champion', '1')
    await mlflow.setAlias(model, 'champion', '1')

    await figure(relay, KEPT, kept + 2)
    await heard(relay)
    expect(await settled(relay, model)).toEqual(['1 deployed'])
    expect(await versionsRun(relay, model)).toEqual(['1'])
  })

  test('an alias that moves back has the older version deployed again', async () => {
    const model = 'demand'
    const first = await startTraining(model, relay, { args: ['--iterations', '2'] }).end()
    await liveByMlflow(model, '1')
    await startTraining(model, relay).end()
    await liveByMlflow(model, '2')

    await mlflow.setAlias(model, 'champion', '1')

    await liveByMlflow(model, '1')
    const runs = await runsOf(relay, model)
    expect(runs.map(({ version }) => version)).toEqual(['1', '2', '1'])
    expect(runs[2]).toMatchObject({ accuracy: String(first.accuracy), source: 'model_registry' })
    expect(await settled(relay, model)).toEqual(['1 deployed', '2 deployed', '1 deployed'])
  })
})

describe('MLflow sends no webhooks', () => {
  let relay: Up
  const undo: (() => void | Promise<void>)[] = []

  beforeAll(async () => {
    const atEnd: AtEnd = (step) => undo.push(step)
    relay = await startRelay({ atEnd, env: { ROLLBACK_ON_FAILURE: 'true' } })
    undo.push(() => stop(relay))
  })
  afterAll(async () => {
    for (const step of undo.reverse()) await step()
  })

  test('what the registry says is found by a look, also where the flow never called', async () => {
    const model = 'fraud-by-looks'
    const flow = startTraining(model, relay, { args: ['--never-call'] })
    const trained = await flow.aliasIsSet()
    await flow.kill()

    await liveByMlflow(model, '1')
    expect(await runsOf(relay, model)).toEqual([
      expect.objectContaining({
        version: '1',
        accuracy: String(trained.accuracy),
        source: 'model_registry',
      }),
    ])
    await figure(relay, 'registry_finds_total{by="look"}', 1)
  })

  test('a version whose run fails is rolled back, and not offered again by the registry that names it', async () => {
    const model = 'ranking'
    await mlflow.register(model, 4)
    await startTraining(model, relay).end()
    await liveByMlflow(model, '5')

    await relay.simulator('POST', 'life', { queuedMs: 50, runMs: 150, conclusion: 'failure' })
    await relay.simulator('POST', 'hold', { status: 'in_progress' })
    await startTraining(model, relay).end()
    const [, six] = await until('the run of version 6', async () => {
      const runs = await runsOf(relay, model)
      return runs.length === 2 && runs
    })
    await relay.simulator('POST', 'life', { queuedMs: 50, runMs: 150, conclusion: 'success' })
    expect(six).toMatchObject({ version: '6' })
    await relay.simulator('POST', `runs/${six?.id}/complete`, { conclusion: 'failure' })
    await relay.simulator('POST', 'release', {})

    const failed = await until('MLflow to be told of the failure', async () => {
      const tags = await mlflow.tags(model, '6')
      return tags['cd.status'] === 'failed' && tags
    })
    expect(failed['cd.run_url']).toContain(`/${six?.id}`)
    await until('version 5 to be put back', async () => (await versionsRun(relay, model)).length === 3)
    await settled(relay, model)
    await liveByMlflow(model, '5')

    // The registry still names version 6; and names it anew.
    expect(await mlflow.alias(model, 'champion')).toBe('6')
    await anotherLook(relay)
    await mlflow.setAlias(model, 'champion', '5')
    await anotherLook(relay)
    await mlflow.setAlias(model, 'champion', '6')
    await until('it is said to be held back', () => /rolled back from: it is held back/.test(said(relay)))
    await anotherLook(relay)

    expect(await settled(relay, model)).toEqual(['5 deployed', '6 failed', '5 deployed'])
    const runs = await runsOf(relay, model)
    expect(runs.map(({ version, source }) => [version, source])).toEqual([
      ['5', 'automated_ct_pipeline'],
      ['6', 'automated_ct_pipeline'],
      ['5', 'automated_rollback'],
    ])
    expect((await mlflow.tags(model, '6'))['cd.status']).toBe('failed')
  })
})

test('a relay that is down meanwhile: the promotion is spooled, and delivered later, once', async () => {
  const model = 'late-news'
  const dataDir = path.join(temporaryDir('relay-ct-up'), 'data')
  const spool = path.join(temporaryDir('relay-ct-spool'), 'spool')
  const port = String(await pickFreePort())
  const former = await startRelay({ dataDir, env: { PORT: port } })
  await stop(former)

  const trained = await startTraining(model, former, {
    args: ['--timeout', '2'],
    env: { SPOOL_DIR: spool },
  }).end()
  expect(trained).toMatchObject({ version: '1', status: 'spooled' })

  // First the spool alone tells of it, then the registry too.
  const patient = { PORT: port, RESOLVE_PATIENCE_SECONDS: '1' }
  const relay = await startRelay({ dataDir, env: { ...patient, MLFLOW_ALIASES: '' } })
  const flush = () =>
    run(NODE, [CLI, 'flush', '--url', relay.url], {
      env: { SPOOL_DIR: spool, RELAY_API_TOKEN: relay.token },
    })
  expect(await flush()).toMatchObject({ code: 0, stdout: 'delivered 1, left 0\n' })
  await relay.reaches(trained.id ?? '', 'deployed', 120_000)
  await liveByMlflow(model, '1')
  expect(await flush()).toMatchObject({ code: 0, stdout: 'delivered 0, left 0\n' })
  const runs = await runsOf(relay, model)
  expect(runs).toEqual([expect.objectContaining({ version: '1', accuracy: String(trained.accuracy) })])
  await stop(relay)

  const followed = await startRelay({ dataDir, env: patient })
  await anotherLook(followed)
  expect(await settled(followed, model)).toEqual(['1 deployed'])
  await stop(followed)
})
