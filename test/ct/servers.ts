/**
 * MLflow's tracking server and Prefect's server, the real ones, on 127.0.0.1 and a directory of their own, for all test
 * files of this lane. Nothing of the machine's own settings reaches them, and they report to nobody.
 */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { pickFreePort } from '../../shared/redis/embedded/free-port.ts'
import { until } from '../support/until.ts'
import { type AtEnd, temporaryDir } from '../support/up.ts'
import { type PythonProgram, startPython } from './python-program.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    python: string
    airflowPython: string
    mlflowUrl: string
    prefectApiUrl: string
  }
}

/** Importing MLflow alone is seconds, on two cores that others use too. */
const START_WITHIN_MS = 180_000

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const python = process.env.CT_PYTHON
  const airflowPython = process.env.CT_AIRFLOW_PYTHON
  if (!python || !airflowPython) throw new Error('this lane is run by: npm run e2e:ct')
  const undo: (() => void | Promise<void>)[] = []
  const atEnd: AtEnd = (step) => undo.push(step)
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const home = temporaryDir('relay-ct', atEnd)
    const startedAt = performance.now()
    const [mlflowUrl, prefectApiUrl] = await Promise.all([
      startMlflow(python, path.join(home, 'mlflow'), atEnd),
      startPrefect(python, path.join(home, 'prefect'), atEnd),
    ])
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    process.stdout.write(`MLflow at ${mlflowUrl}, Prefect at ${prefectApiUrl}, up within ${seconds} s\n`)
    project.provide('python', python)
    project.provide('airflowPython', airflowPython)
    project.provide('mlflowUrl', mlflowUrl)
    project.provide('prefectApiUrl', prefectApiUrl)
    return stop
  } catch (error) {
    await stop()
    throw error
  }
}

async function startMlflow(python: string, home: string, atEnd: AtEnd): Promise<string> {
  const port = await pickFreePort()
  const server = startPython(python, {
    home,
    atEnd,
    args: [
      ...['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
      ...[
        '--backend-store-uri',
        `sqlite:///${home}/mlflow.db`,
        '--artifacts-destination',
        `${home}/artifacts`,
      ],
    ],
    env: {
      // The relay is at http:// and on this machine.
      MLFLOW_WEBHOOK_ALLOWED_SCHEMES: 'http,https',
      MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true',
      // Of a Fernet: the webhooks' secrets lie in the database encrypted.
      MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: randomBytes(32).toString('base64url').padEnd(44, '='),
      // A test registers its own, and waits for no minute.
      MLFLOW_WEBHOOK_CACHE_TTL: '0',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    },
  })
  const url = `http://127.0.0.1:${port}`
  await answers('MLflow', `${url}/health`, server)
  return url
}

async function startPrefect(python: string, home: string, atEnd: AtEnd): Promise<string> {
  const port = await pickFreePort()
  const server = startPython(python, {
    home,
    atEnd,
    args: ['-m', 'prefect', 'server', 'start', '--host', '127.0.0.1', '--port', String(port), '--no-ui'],
  })
  const url = `http://127.0.0.1:${port}/api`
  await answers('Prefect', `${url}/health`, server)
  return url
}

async function answers(what: string, url: string, server: PythonProgram): Promise<void> {
  const look = async () => {
    if (server.ended !== undefined) throw new Error('it ended')
    return fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
  }
  await until(`${what} to be up`, look, START_WITHIN_MS).catch((error: Error) => {
    throw new Error(`${error.message}\n${server.stdout}\n${server.stderr}`)
  })
}
