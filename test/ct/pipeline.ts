/** A training pipeline at work: runs of the Prefect flow in train.py, and what is seen of them. */
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { until } from '../support/until.ts'
import { temporaryDir, type Up } from '../support/up.ts'
import { startPython } from './python-program.ts'

const TRAIN = fileURLToPath(new URL('train.py', import.meta.url))
/** Most of it is importing MLflow, Prefect and scikit-learn. */
const FLOW_WITHIN_MS = 120_000

/** What train.py says, line by line, put together. */
export interface Trained {
  version: string
  accuracy: number
  /** Of the promotion; undefined where the flow got no further than the alias. */
  status?: string
  id?: string
  reason?: string
}

export interface Training {
  /** To its own end. @throws with what it printed if that is not a good one */
  end(): Promise<Trained>
  /** It has set the alias, and will never call. */
  aliasIsSet(): Promise<Trained>
  /** kill -9. */
  kill(): Promise<void>
}

export function startTraining(
  model: string,
  relay: Pick<Up, 'url' | 'token'>,
  { args = [], env = {} }: { args?: readonly string[]; env?: Record<string, string> } = {},
): Training {
  const program = startPython(inject('python'), {
    args: [TRAIN, model, ...args],
    home: temporaryDir('relay-ct-flow'),
    env: {
      MLFLOW_TRACKING_URI: inject('mlflowUrl'),
      PREFECT_API_URL: inject('prefectApiUrl'),
      RELAY_URL: relay.url,
      RELAY_API_TOKEN: relay.token,
      ...env,
    },
  })
  const said = () =>
    Object.assign(
      {},
      ...program.stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line)),
    )
  return {
    async end() {
      const code = await program.end(FLOW_WITHIN_MS)
      if (code !== 0) throw new Error(`the flow ended with ${code}\n${program.stdout}\n${program.stderr}`)
      return said()
    },
    async aliasIsSet() {
      const isSet = () => {
        if (program.ended !== undefined) throw new Error(`the flow ended\n${program.stderr}`)
        return said().alias !== undefined
      }
      await until('the flow to have set the alias', isSet, FLOW_WITHIN_MS)
      return said()
    },
    async kill() {
      program.kill('SIGKILL')
      await program.end()
    },
  }
}
