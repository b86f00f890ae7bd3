// docs/examples that need Python's libraries, as they stand, each against a relay of its own.
import path from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { exampleOf } from '../support/docs.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'
import { ROOT, startUp, temporaryDir, type Up } from '../support/up.ts'
import { startPython } from './python-program.ts'

const WITHIN_MS = 120_000

async function startRelay(env: Record<string, string> = {}): Promise<Up> {
  return startUp({ dataDir: path.join(temporaryDir('relay-examples'), 'data'), env })
}

/** @returns what it printed */
async function runPython(python: string, args: readonly string[], env: Record<string, string>) {
  const program = startPython(python, { args, env, home: temporaryDir('relay-example') })
  const code = await program.end(WITHIN_MS)
  if (code !== 0) throw new Error(`exit ${code}\n${program.stdout}\n${program.stderr}`)
  return program.stdout
}

/** Version 5 went, once, as the examples say it; nothing else is on its way. */
async function fiveIsLive(relay: Up): Promise<void> {
  const live = async () => {
    const { promotions = [] } = (await relay.call('GET', '/v1/promotions')).body
    const own = promotions.filter((one: { model: string }) => one.model === 'fraud-detector')
    return own.length === 1 && own[0].state === 'deployed'
  }
  await until('version 5 to be live', live)
  const runs: { inputs: Record<string, string> }[] = await relay.simulator('GET', 'runs')
  expect(runs.map(({ inputs }) => inputs).filter((one) => one.model_name === 'fraud-detector')).toMatchObject(
    [{ model_version: '5', model_accuracy: '0.9234' }],
  )
  relay.kill('SIGTERM')
  await relay.end()
}

const callsOf = (relay: Up) => ({ RELAY_URL: relay.url, RELAY_API_TOKEN: relay.token })

test('Prefect: a flow promotes by the task', async () => {
  const relay = await startRelay()
  const said = await runPython(inject('python'), [path.join(ROOT, exampleOf('prefect_flow.py'))], {
    PREFECT_API_URL: inject('prefectApiUrl'),
    ...callsOf(relay),
  })
  expect(said).toMatch(/^accepted [0-9a-f-]{36}$/m)
  await fiveIsLive(relay)
})

test('Airflow: the DAG is one, and its run promotes', async () => {
  const relay = await startRelay()
  const home = temporaryDir('relay-airflow')
  const airflow = {
    AIRFLOW_HOME: home,
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
    AIRFLOW__CORE__DAGS_FOLDER: path.dirname(path.join(ROOT, exampleOf('airflow_dag.py'))),
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: 'False',
    ...callsOf(relay),
  }
  const call = (...args: string[]) => runPython(inject('airflowPython'), ['-m', 'airflow', ...args], airflow)
  await call('db', 'migrate')
  expect(await call('dags', 'test', 'fraud_detector')).toContain('state=success')
  await fiveIsLive(relay)
})

test("BullMQ: a job of Python's own client is a promotion", async () => {
  const redis = await startPrivateRedis()
  onTestFinished(redis.stop)
  const relay = await startRelay({ REDIS_URL: redis.url })
  await runPython(inject('python'), [path.join(ROOT, exampleOf('bullmq_client.py'))], {
    REDIS_URL: redis.url,
  })
  await fiveIsLive(relay)
})
