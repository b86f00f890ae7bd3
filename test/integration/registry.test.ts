// The model registry followed: by looks alone, by webhooks that hint, and by both.
import { describe, expect, test } from 'vitest'
import { type FakeMlflow, type Instead, mlflowDelivery, startMlflow } from '../support/mlflow.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { problemOf, setup as startServer } from './http-setup.ts'

const SECRET = 'sentinel-mlflow-secret'
const MODEL = 'fraud-detector'

interface Situation {
  env?: object
  workers?: number
  deployExisting?: boolean
  looked?: boolean
  instead?: Instead
}

/** Version 5 is champion; the relay has looked once, and deploys nothing of what was there. */
async function setup({
  env = {},
  workers = 1,
  deployExisting = false,
  looked = true,
  instead,
}: Situation = {}) {
  const mlflow = await startMlflow()
  if (instead) mlflow.instead(instead)
  for (const version of ['4', '5', '6', '7'])
    mlflow.register(MODEL, version, { accuracy: Number(version) / 10 })
  mlflow.setAlias(MODEL, 'champion', '5')
  const relay = await startRelay({ workers })
  const settings = {
    MLFLOW_TRACKING_URI: mlflow.uri,
    MLFLOW_ALIASES: 'champion=production',
    REGISTRY_INTERVAL_SECONDS: '0.05',
    MLFLOW_WEBHOOK_SECRET: SECRET,
    ...env,
  }
  const start = () => startServer({ redisUrl: relay.redisUrl, env: settings, deployExisting })
  const server = await start()
  const figure = async (name: string) =>
    Number(
      new RegExp(`^promotion_relay_${name} (\\S+)$`, 'm').exec(
        (await server.call('GET', '/metrics')).text,
      )?.[1],
    )
  const hasLooked = async () => {
    const before = mlflow.asked.length
    await until('it has looked twice', () => mlflow.asked.length >= before + 2)
  }
  if (looked) await until('the first look is over', async () => (await figure('registry_reachable')) === 1)
  const deployed = (version: string) =>
    until(`${version} is live`, async () =>
      (await relay.reader.targets(9)).some(({ live }) => live === version),
    )
  const deliver = (data: object, more: object = {}) => {
    const { body, headers } = mlflowDelivery({ data, secret: SECRET, ...more })
    return server.call('POST', '/v1/webhooks/mlflow', { body, headers, token: null })
  }
  return { mlflow, relay, server, start, figure, hasLooked, deployed, deliver }
}

const UNCLEAR = 'nobody knows which came later'

/** While the relay asks for the accuracy of what it is about to promote, once. */
function callMeanwhile(mlflow: FakeMlflow, call: () => Promise<unknown>) {
  let called = false
  mlflow.instead(async (path) => {
    if (path === 'runs/get' && !called) {
      called = true
      await call()
    }
    return undefined
  })
}

describe('by looks alone', () => {
  test('what is there at the first look is where we begin; a move is deployed, with its accuracy, once', async () => {
    const { mlflow, relay, deployed, figure, hasLooked } = await setup()
    await hasLooked()
    expect(await relay.reader.newest(9)).toEqual([])

    mlflow.setAlias(MODEL, 'champion', '6')
    await deployed('6')
    await hasLooked()

    expect(relay.simulator.runs).toHaveLength(1)
    expect(relay.simulator.runs[0]?.inputs).toMatchObject({
      model_version: '6',
      model_accuracy: '0.6',
      trigger_source: 'model_registry',
      environment: 'production',
    })
    expect(await figure('registry_finds_total{by="look"}')).toBe(1)
    expect(await figure('registry_last_look_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 60)
  })

  test.each([
    ['a page of something before it', '<html>Log in</html>'],
    ['an answer that was cut off', '{"registered_models": [{"name": "fraud-'],
    ['nothing at all', ''],
    ['what is no object', 'null'],
  ])('%s is no registry that is empty: what is there is still where we begin', async (_, text) => {
    const { mlflow, relay, hasLooked, figure } = await setup({
      looked: false,
      instead: async () => ({ status: 200, text }),
    })
    await hasLooked()
    await until('it is known to be away', async () => (await figure('registry_reachable')) === 0)

    mlflow.instead(async () => undefined)
    await until('it has looked', async () => (await figure('registry_reachable')) === 1)
    await hasLooked()

    expect(await relay.reader.newest(9)).toEqual([])
  })

  test('a registry that holds nothing is where we begin, too', async () => {
    const { mlflow, relay, deployed } = await setup({ instead: async () => ({ status: 200, text: '{}' }) })
    mlflow.instead(async () => undefined)
    await deployed('5')
    expect(relay.versionsRun()).toEqual(['5'])
  })

  test('--deploy-existing deploys what is there', async () => {
    const { deployed } = await setup({ deployExisting: true })
    await deployed('5')
  })

  test('a model that gets the alias later is news', async () => {
    const { mlflow, relay } = await setup()
    mlflow.register('churn', '1')
    mlflow.setAlias('churn', 'champion', '1')
    await until('it is live', async () =>
      (await relay.reader.targets(9)).some(({ model, live }) => model === 'churn' && live === '1'),
    )
    expect(relay.simulator.runs[0]?.inputs).toMatchObject({ model_accuracy: '' })
  })

  test('an alias that moves back puts the older version back', async () => {
    const { mlflow, relay, deployed } = await setup()
    mlflow.setAlias(MODEL, 'champion', '6')
    await deployed('6')
    mlflow.setAlias(MODEL, 'champion', '5')
    await deployed('5')
    expect(relay.versionsRun()).toEqual(['6', '5'])
  })

  test('and one that moves there again deploys the newer one again', async () => {
    const { mlflow, relay, deployed } = await setup()
    for (const version of ['6', '5', '6']) {
      mlflow.setAlias(MODEL, 'champion', version)
      await deployed(version)
    }
    expect(relay.versionsRun()).toEqual(['6', '5', '6'])
  })

  test('so does one that moves back while the newer version is being promoted', async () => {
    const { mlflow, relay, deployed } = await setup()
    mlflow.instead(async (path, query) => {
      if (path === 'runs/get' && query.get('run_id') === `run-${MODEL}-6`)
        mlflow.setAlias(MODEL, 'champion', '5')
      return undefined
    })
    mlflow.setAlias(MODEL, 'champion', '6')
    await deployed('5')
    await relay.idle()
    expect(relay.versionsRun().at(-1)).toBe('5')
  })

  test('a version that a call promotes meanwhile is not overtaken by the one that the registry named before', async () => {
    const { mlflow, relay, deployed, server } = await setup()
    callMeanwhile(mlflow, () => relay.promote('7'))
    mlflow.setAlias(MODEL, 'champion', '6')
    await deployed('7')
    await until('it is decided anew', async () => server.lines.some((line) => line.includes(UNCLEAR)))
    await relay.idle()

    expect(relay.versionsRun()).toEqual(['7'])
    const target = { model: MODEL, environment: 'production' }
    expect(await relay.reader.newestOf(target)).toMatchObject({ version: '7' })
    const states = (await relay.reader.newest(9)).map(({ version, state }) => [version, state])
    expect(Object.fromEntries(states)).toEqual({ 6: 'superseded', 7: 'deployed' })
  })

  test('nor is the one that the registry named lost, where it is the newer of the two', async () => {
    const { mlflow, relay, deployed } = await setup()
    callMeanwhile(mlflow, () => relay.promote('6'))
    mlflow.setAlias(MODEL, 'champion', '7')
    await deployed('7')
    await relay.idle()
    expect(relay.versionsRun().at(-1)).toBe('7')
  })

  test('what a call has promoted is not promoted again, and what is live by a call is not undone', async () => {
    const { mlflow, relay, hasLooked, figure } = await setup()
    await relay.ends(await relay.promote('6'))
    await hasLooked()
    mlflow.setAlias(MODEL, 'champion', '6')
    await hasLooked()
    await relay.idle()

    expect(relay.versionsRun()).toEqual(['6'])
    expect(await figure('registry_finds_total{by="look"}')).toBe(0)
  })

  test('a version that was rolled back from stays held back, and goes once the target is released', async () => {
    const { mlflow, relay, deployed, server, hasLooked } = await setup()
    await relay.ends(await relay.promote('5'))
    await relay.ends(await relay.promote('6'))
    const order = (what: string) => server.call('POST', `/v1/targets/${what}`, { body: { model: MODEL } })
    await relay.ends((await order('rollback')).body.id)

    mlflow.setAlias(MODEL, 'champion', '6')
    await hasLooked()
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['5', '6', '5'])

    await order('release')
    await deployed('6')
  })

  test('stages and tags are followed where they are mapped', async () => {
    const env = {
      MLFLOW_ALIASES: '',
      MLFLOW_STAGES: 'Production=production',
      MLFLOW_TAGS: 'deploy_to=staging',
    }
    const { mlflow, relay } = await setup({ env })
    mlflow.setStage(MODEL, '6', 'Production')
    mlflow.tag(MODEL, '4', 'deploy_to', 'staging')
    mlflow.tag(MODEL, '7', 'deploy_to', 'staging')
    mlflow.tag(MODEL, '5', 'deploy_to', 'elsewhere')
    const live = async () =>
      (await relay.reader.targets(9)).map(({ environment, live }) => `${environment} ${live}`).sort()
    await until('both are live', async () => (await live()).join() === 'production 6,staging 7')
  })

  test('a registry that is away is said once, and asked again', async () => {
    const { mlflow, server, figure, hasLooked, deployed } = await setup()
    mlflow.away(true)
    await until('it is known to be away', async () => (await figure('registry_reachable')) === 0)
    await hasLooked()
    mlflow.setAlias(MODEL, 'champion', '6')
    mlflow.away(false)
    await deployed('6')
    expect(await figure('registry_reachable')).toBe(1)
    expect(server.lines.filter((line) => line.includes('A look at the model registry'))).toHaveLength(1)
  })

  test.each([
    ['a fault of MLflow', { status: 500, text: '{"error_code": "INTERNAL_ERROR"}' }],
    ['an answer that can not be read', { status: 200, text: '<html>' }],
    ['an answer without what was asked for', { status: 200, text: '{}' }],
  ])('%s about one model keeps no other one waiting, and that model comes later', async (_, fault) => {
    const { mlflow, relay, figure, deployed } = await setup()
    for (const model of ['a-first', 'z-last']) mlflow.register(model, '1')
    mlflow.instead(async (path, query) =>
      path === 'model-versions/get' && query.get('name') === MODEL ? fault : undefined,
    )
    for (const [model, version] of [
      [MODEL, '6'] as const,
      ['a-first', '1'] as const,
      ['z-last', '1'] as const,
    ])
      mlflow.setAlias(model, 'champion', version)
    await until('the others are promoted', async () => (await relay.reader.newest(9)).length === 2)
    await until('the look has failed', async () => (await figure('registry_reachable')) === 0)

    mlflow.instead(async () => undefined)
    await deployed('6')
    expect((await relay.reader.newest(9)).length).toBe(3)
  })

  test('nor does one about a mapping keep other mappings waiting', async () => {
    const { mlflow, relay } = await setup({ env: { MLFLOW_TAGS: 'deploy_to=staging' }, looked: false })
    mlflow.instead(async (path) =>
      path === 'registered-models/search' ? { status: 403, text: '{}' } : undefined,
    )
    const looks = () => relay.redis.hkeys('{relay:0}:registry-looks')
    await until('the other one is looked at', async () => (await looks()).length > 0)
    expect(await looks()).toEqual(['tag:deploy_to=staging:staging'])
  })

  test('two servers promote a move once', async () => {
    const { mlflow, relay, start, deployed, hasLooked } = await setup()
    await start()
    mlflow.setAlias(MODEL, 'champion', '6')
    await deployed('6')
    await hasLooked()
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['6'])
    expect(await relay.reader.newest(9)).toHaveLength(1)
  })

  test('credentials go along', async () => {
    const env = { MLFLOW_TRACKING_USERNAME: 'relay', MLFLOW_TRACKING_PASSWORD: 'sentinel-mlflow-password' }
    const { mlflow } = await setup({ env })
    const basic = `Basic ${Buffer.from('relay:sentinel-mlflow-password').toString('base64')}`
    expect(new Set(mlflow.asked.map(({ authorization }) => authorization))).toEqual(new Set([basic]))
  })
})

/** Looks are an hour apart: what happens, a webhook has brought about. */
const RARE = { REGISTRY_INTERVAL_SECONDS: '3600' }

describe('by webhooks', () => {
  test('a hint has the registry asked at once', async () => {
    const { mlflow, deployed, deliver, figure } = await setup({ env: RARE })
    mlflow.setAlias(MODEL, 'champion', '6')
    expect(await deliver({ name: MODEL, alias: 'champion', version: '6' })).toMatchObject({
      status: 202,
      body: { status: 'kept' },
    })
    await deployed('6')
    expect(await figure('registry_finds_total{by="hint"}')).toBe(1)
    expect(await figure('mlflow_webhook_deliveries_total{result="kept"}')).toBe(1)
  })

  test('out of order and twice they end in what the registry says', async () => {
    const { mlflow, relay, deployed, deliver, start } = await setup({ env: RARE })
    await start()
    mlflow.setAlias(MODEL, 'champion', '7')
    const second = { name: MODEL, alias: 'champion', version: '7' }
    await deliver(second)
    await deployed('7')
    await deliver(
      { name: MODEL, alias: 'champion', version: '6' },
      { timestamp: Math.floor(Date.now() / 1000) - 5 },
    )
    await deliver(second)
    await until('no hint is left', async () => (await relay.redis.exists('{relay:0}:registry-hints')) === 0)
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['7'])
  })

  test('a hint that a call overtakes is looked into again, and undoes nothing', async () => {
    const { mlflow, relay, deployed, deliver, server } = await setup({ env: RARE })
    callMeanwhile(mlflow, () => relay.promote('7'))
    mlflow.setAlias(MODEL, 'champion', '6')
    await deliver({ name: MODEL, alias: 'champion', version: '6' })
    await deployed('7')
    await until('it is decided anew', async () => server.lines.some((line) => line.includes(UNCLEAR)))
    await until('no hint is left', async () => (await relay.redis.exists('{relay:0}:registry-hints')) === 0)
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['7'])
  })

  test('a move back that was too quick for looks is deployed', async () => {
    const { mlflow, relay, deployed, deliver } = await setup({ env: RARE })
    await relay.ends(await relay.promote('6'))
    // To 6 and back to 5, which was noted already.
    await deliver(
      { name: MODEL, alias: 'champion', version: '5' },
      { timestamp: Math.ceil(Date.now() / 1000) + 1 },
    )
    await deployed('5')
    expect(mlflow.asked.length).toBeGreaterThan(0)
  })

  test('other aliases, other events and other mappings are ignored', async () => {
    const { deliver, relay } = await setup({ env: RARE })
    const ignored = [
      await deliver({ name: MODEL, alias: 'challenger', version: '6' }),
      await deliver({ name: MODEL, alias: 'champion' }, { action: 'deleted' }),
      await deliver(
        { name: MODEL, version: '6', key: 'deploy_to', value: 'production' },
        { entity: 'model_version_tag', action: 'set' },
      ),
      await deliver({ name: MODEL }, { entity: 'registered_model' }),
    ]
    for (const reply of ignored) expect(reply).toMatchObject({ status: 202, body: { status: 'ignored' } })
    expect(await relay.redis.exists('{relay:0}:registry-hints')).toBe(0)
  })

  test('what is forged, stale or garbled changes nothing, and is counted', async () => {
    const { mlflow, relay, server, deliver, figure } = await setup({ env: RARE })
    mlflow.setAlias(MODEL, 'champion', '6')
    const data = { name: MODEL, alias: 'champion', version: '6' }
    const { body, headers } = mlflowDelivery({ data, secret: SECRET })
    const post = (change: object) =>
      server.call('POST', '/v1/webhooks/mlflow', { body, headers: { ...headers, ...change }, token: null })

    const refused = [
      await deliver(data, { secret: 'another-secret' }),
      await post({ 'x-mlflow-signature': '' }),
      await post({ 'x-mlflow-delivery-id': 'another' }),
      await post({ 'x-mlflow-timestamp': '1' }),
    ]
    for (const reply of refused)
      expect([reply.status, problemOf(reply).title]).toEqual([401, expect.any(String)])
    expect((await deliver(data, { timestamp: 1_700_000_000 })).status).toBe(400)
    expect((await deliver(data, { entity: 5 })).status).toBe(400)
    expect(await figure('mlflow_webhook_deliveries_total{result="forged"}')).toBe(4)
    expect(await figure('mlflow_webhook_deliveries_total{result="stale"}')).toBe(1)
    expect(await figure('mlflow_webhook_deliveries_total{result="unreadable"}')).toBe(1)
    expect(await relay.reader.newest(9)).toEqual([])
    expect(server.lines.join('')).not.toContain(SECRET)
  })

  test('either of two secrets is good', async () => {
    const { deliver } = await setup({
      env: { ...RARE, MLFLOW_WEBHOOK_SECRET: `sentinel-new-secret,${SECRET}` },
    })
    const data = { name: MODEL, alias: 'champion', version: '5' }
    expect((await deliver(data)).status).toBe(202)
    expect((await deliver(data, { secret: 'sentinel-new-secret' })).status).toBe(202)
  })

  test('with the registry away a hint is kept, and looked into by whichever server is there', async () => {
    const { mlflow, deployed, deliver, relay, server, start } = await setup({ env: RARE })
    mlflow.away(true)
    mlflow.setAlias(MODEL, 'champion', '6')
    await deliver({ name: MODEL, alias: 'champion', version: '6' })
    await until('it was asked in vain', async () => server.lines.some((line) => line.includes('broke off')))
    await server.close()
    expect(await relay.redis.hlen('{relay:0}:registry-hints')).toBe(1)
    mlflow.away(false)
    await start()
    await deployed('6')
  })

  test('a hint that MLflow answers with a fault keeps no other one waiting, and comes again', async () => {
    const { mlflow, relay, server, deliver } = await setup({ env: RARE })
    mlflow.away(true)
    for (const name of [MODEL, 'churn']) {
      mlflow.register(name, '8')
      mlflow.setAlias(name, 'champion', '8')
      await deliver({ name, alias: 'champion', version: '8' })
    }
    await until('they were asked for in vain', async () =>
      server.lines.some((line) => line.includes('broke off')),
    )
    let first: string | null | undefined
    mlflow.instead(async (path, query) => {
      if (path !== 'registered-models/alias') return undefined
      first ??= query.get('name')
      return query.get('name') === first ? { status: 500, text: '{}' } : undefined
    })
    mlflow.away(false)
    await until('one is left', async () => (await relay.redis.hlen('{relay:0}:registry-hints')) === 1)
    expect((await relay.reader.newest(9)).map(({ model }) => model)).toEqual([
      first === 'churn' ? MODEL : 'churn',
    ])

    mlflow.instead(async () => undefined)
    await until('both are promoted', async () => (await relay.reader.newest(9)).length === 2)
  })

  test.each(['MLFLOW_WEBHOOK_SECRET', 'MLFLOW_ALIASES'])('without %s the route is closed', async (name) => {
    const { deliver } = await setup({ env: { [name]: '' }, looked: false })
    expect((await deliver({})).status).toBe(404)
  })
})
