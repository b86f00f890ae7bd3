// A failed version that is rolled back, seen from outside: who is told what, and what the figures say.
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { setup, textOf, told, verified } from './feedback-setup.ts'
import { setup as startServer } from './http-setup.ts'

test('v6 failed and v5 is put back: MLflow, webhook and chat say so, and so do the figures', async () => {
  const { relay, mlflow, webhook, chat, secret } = await setup({ env: { ROLLBACK_ON_FAILURE: 'true' } })
  await relay.ends(await relay.promote('5'))
  relay.simulator.setLife({ conclusion: 'failure' })
  relay.simulator.hold(undefined, 'in_progress')
  const six = await relay.promote('6')
  await until('it runs', () => relay.simulator.runs.length === 2)
  relay.simulator.setLife({ conclusion: 'success' })
  relay.simulator.release()
  await relay.ends(six)
  const back = (await relay.reader.promotion(six))?.rolledBackBy ?? ''
  await relay.ends(back)
  await told(relay)

  expect(relay.versionsRun()).toEqual(['5', '6', '5'])
  expect(mlflow.tags.get('fraud-detector/6')).toMatchObject({ 'cd.status': 'failed', 'cd.promotion_id': six })
  expect(mlflow.tags.get('fraud-detector/5')).toMatchObject({
    'cd.status': 'deployed',
    'cd.promotion_id': back,
  })
  expect(mlflow.aliases.get('fraud-detector/deployed-production')).toBe('5')

  const events = webhook.received.map((one) => verified(secret, one))
  expect(events.map(({ type }) => type.replace(/\.\d.*/, ''))).toEqual([
    'dev.cdevents.service.deployed',
    'dev.cdevents.pipelinerun.finished',
    'dev.cdevents.service.rolledback',
  ])
  const [, failure, again] = chat.received.map(textOf)
  expect(failure).toMatch(/version `6`[\s\S]*fail[\s\S]*`5`/)
  expect(failure).toContain('This version is held back: promote a new one, or release the target.')
  expect(again).toMatch(/`5`[\s\S]*live/)

  const server = await startServer({ redisUrl: relay.redisUrl })
  const { text } = await server.call('GET', '/metrics')
  for (const line of [
    'promotion_relay_rollbacks_total{kind="automated"} 1',
    'promotion_relay_held_targets{kind="rollback"} 1',
    'promotion_relay_deployments_total{conclusion="success"} 2',
    'promotion_relay_deployments_total{conclusion="failure"} 1',
    'promotion_relay_drifted_targets 0',
  ])
    expect(text).toContain(`${line}\n`)
})
