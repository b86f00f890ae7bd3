// docs/examples, as they stand, against a relay as a newcomer has it. Those that need Python's libraries: test/ct.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { exampleOf, textOf } from '../support/docs.ts'
import { ROOT, run, startUp, temporaryDir, type Up } from '../support/up.ts'
import type { WorkflowFile } from '../support/workflow-file.ts'

let relay: Up
const undo: (() => void | Promise<void>)[] = []
beforeAll(async () => {
  const atEnd = (step: () => void | Promise<void>) => void undo.push(step)
  relay = await startUp({ dataDir: path.join(temporaryDir('relay-examples', atEnd), 'data'), atEnd })
})
afterAll(async () => {
  relay.kill('SIGTERM')
  await relay.end()
  for (const step of undo.reverse()) await step()
})

/** The examples need it; a newcomer's machine may have none. */
const onPath = (program: string) =>
  (process.env.PATH ?? '').split(':').some((dir) => existsSync(path.join(dir, program)))

const bash = (script: readonly string[], env: Record<string, string>) =>
  run('bash', script, { env: { RELAY_URL: relay.url, RELAY_API_TOKEN: relay.token, ...env } })

async function inputsOf(model: string): Promise<Record<string, string>[]> {
  const runs: { inputs: Record<string, string> }[] = await relay.simulator('GET', 'runs')
  return runs.map(({ inputs }) => inputs).filter(({ model_name }) => model_name === model)
}

test.skipIf(!onPath('jq'))('curl promotes, waits until it is live, and is known again', async () => {
  const script = path.join(ROOT, exampleOf('curl.sh'))
  const first = await bash([script], { RUN_ID: 'run-7' })
  expect([first.code, first.stderr]).toEqual([0, ''])
  expect(JSON.parse(first.said[0] ?? '')).toMatchObject({ status: 'accepted' })
  expect(first.said[1]).toBe('deployed')
  const again = await bash([script], { RUN_ID: 'run-7' })
  expect(JSON.parse(again.said[0] ?? '')).toMatchObject({ status: 'duplicate', state: 'deployed' })
  expect(await inputsOf('fraud-detector')).toMatchObject([{ model_version: '5', model_accuracy: '0.9234' }])
})

test.skipIf(!onPath('jq'))('curl ends with a failure where its deployment does', async () => {
  await relay.simulator('POST', 'life', { queuedMs: 20, runMs: 20, conclusion: 'failure' })
  const script = textOf(exampleOf('curl.sh')).replace('"fraud-detector"', '"fails"')
  const { code, said } = await bash(['-c', script], { RUN_ID: 'run-8' })
  await relay.simulator('POST', 'life', { queuedMs: 20, runMs: 20, conclusion: 'success' })
  expect([code, said[1]]).toEqual([1, 'failed'])
})

test.skipIf(!onPath('jq'))(
  'the workflow of GitHub Actions promotes, once also where it runs again',
  async () => {
    const { jobs } = parse(textOf(exampleOf('github-actions.yml'))) as WorkflowFile
    const step = jobs.promote?.steps.find(({ name }) => name === 'Promote')
    expect(Object.keys(step?.env ?? {})).toEqual(['RELAY_URL', 'RELAY_API_TOKEN', 'VERSION', 'ACCURACY'])
    const env = { VERSION: '6', ACCURACY: '0.94', GITHUB_REPOSITORY: 'acme/training', GITHUB_RUN_ID: '77' }
    // As a step's shell does.
    const promote = () => bash(['-eo', 'pipefail', '-c', step?.run ?? ''], env)
    const [first, again] = [await promote(), await promote()]
    expect([first.code, again.code]).toEqual([0, 0])
    const [{ id, status }, second] = [JSON.parse(first.stdout), JSON.parse(again.stdout)]
    expect([status, second.status, second.id]).toEqual(['accepted', 'duplicate', id])
    await relay.reaches(id, 'deployed')
    const wrong = await bash(['-eo', 'pipefail', '-c', step?.run ?? ''], { ...env, ACCURACY: '94' })
    expect(wrong.code).not.toBe(0)
    expect(wrong.stdout).toContain('must be between 0 and 1')
  },
)

test("SageMaker's approval becomes a promotion by the rule of EventBridge", async () => {
  const template = textOf(exampleOf('sagemaker-eventbridge.yml'))
  const { Resources } = parse(template, { logLevel: 'silent' })
  const { EventPattern, Targets } = Resources.Approved.Properties
  // As it is documented.
  const event = {
    'detail-type': 'SageMaker Model Package State Change',
    source: 'aws.sagemaker',
    detail: {
      ModelPackageGroupName: 'churn-by-sagemaker',
      ModelPackageVersion: 3,
      ModelPackageStatus: 'Completed',
      ModelApprovalStatus: 'Approved',
    },
  }
  expect(EventPattern['detail-type']).toContain(event['detail-type'])
  expect(EventPattern.source).toContain(event.source)
  expect(EventPattern.detail).toEqual({ ModelApprovalStatus: [event.detail.ModelApprovalStatus] })
  const { InputPathsMap, InputTemplate } = Targets[0].InputTransformer
  const at = (jsonPath: string) =>
    jsonPath
      .split('.')
      .slice(1)
      // biome-ignore lint/suspicious/noExplicitAny: whatever the path leads to
      .reduce((value: any, key) => value[key], event)
  const body = (InputTemplate as string).replaceAll(/<(\w+)>/g, (_, name) =>
    JSON.stringify(at(InputPathsMap[name])),
  )
  expect(Resources.Relay.Properties.InvocationEndpoint).toMatch(/\/v1\/promotions$/)

  const promoted = await relay.call('POST', '/v1/promotions', JSON.parse(body))
  const again = await relay.call('POST', '/v1/promotions', JSON.parse(body))

  expect([promoted.status, again.body.status, again.body.id]).toEqual([202, 'duplicate', promoted.body.id])
  await relay.reaches(promoted.body.id, 'deployed')
  expect(await inputsOf('churn-by-sagemaker')).toMatchObject([
    { model_version: '3', trigger_source: 'sagemaker' },
  ])
})

test("W&B's alias becomes a promotion by the payload of its automation", async () => {
  const variables: Record<string, string> = {
    artifact_collection_name: 'cifar10-classifier',
    artifact_version_index: 'v3',
    event_author: 'alice',
  }
  const payload = textOf(exampleOf('wandb-payload.json'))
  const body = payload.replaceAll(/\$\{(\w+)\}/g, (_, name) => variables[name] ?? `no ${name}`)
  const promoted = await relay.call('POST', '/v1/promotions', JSON.parse(body))
  expect(promoted.status).toBe(202)
  await relay.reaches(promoted.body.id, 'deployed')
  expect(await inputsOf('cifar10-classifier')).toMatchObject([
    { model_version: 'v3', trigger_source: 'wandb:alice' },
  ])
})
