/**
 * `npm run e2e:ct`: from a training pipeline to MLflow's tags, with MLflow and Prefect themselves. Arguments go to
 * vitest. Ends with 77, and says why, where PyPI does not answer.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { preparePython } from './python.ts'

const SKIPPED = 77
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))

const say = (line: string) => process.stdout.write(`${line}\n`)
const pipelines = await prepare('requirements.txt')
const airflow = await prepare('requirements-airflow.txt')
const vitest = spawn(process.execPath, [VITEST, 'run', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, LANE: 'ct', CT_PYTHON: pipelines, CT_AIRFLOW_PYTHON: airflow },
})
const [code] = await once(vitest, 'exit')
process.exit(code ?? 1)

/** @returns its Python */
async function prepare(list: string): Promise<string> {
  const prepared = await preparePython(list, say)
  if (prepared.ok) return prepared.python
  const what = prepared.isSkipped ? 'skipped, since PyPI does not answer' : 'not tested'
  say(`e2e:ct: the way from MLflow, Prefect and Airflow was ${what}: ${prepared.reason}`)
  process.exit(prepared.isSkipped ? SKIPPED : 1)
}
