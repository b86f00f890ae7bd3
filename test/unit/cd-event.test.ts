// Events against the schemas that CDEvents and CloudEvents publish.
import { globSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { STATES } from '../../shared/ledger/promotion-record.ts'
import { bodyFor, purlOf } from '../../worker/feedback/cd-event.ts'
import type { News } from '../../worker/feedback/news.ts'
import { ID, newsOf, PARENT } from '../support/news.ts'
import { ROOT } from '../support/up.ts'

const schemas = globSync('test/contract/cdevents/**/*.json', { cwd: ROOT }).map((file) =>
  JSON.parse(readFileSync(`${ROOT}/${file}`, 'utf8')),
)
const cdevents = new Ajv2020({ strict: false, allErrors: true, schemas })
formats.default(cdevents)
const cloudevents = new Ajv({ strict: false, allErrors: true })
formats.default(cloudevents)
const validEnvelope = cloudevents.compile(
  JSON.parse(readFileSync(`${ROOT}/test/contract/cloudevents/cloudevents.json`, 'utf8')),
)

/** The schema whose `type` is this one. */
function validatorOf(type: string) {
  const { $id } =
    schemas.find(({ properties }) => properties?.context?.properties.type.enum?.includes(type)) ??
    schemas.find(({ properties }) => properties?.context?.properties.type.pattern)
  return cdevents.getSchema($id)
}

/** The event, once it has passed both schemas and is inside as it is outside. */
function eventOf(more: Partial<News>) {
  const event = JSON.parse(bodyFor(newsOf(more)))
  expect([validEnvelope(event), validEnvelope.errors]).toEqual([true, null])
  const validate = validatorOf(event.type)
  expect([validate?.(event.data), validate?.errors]).toEqual([true, null])
  const { context, subject } = event.data
  expect(event).toMatchObject({
    id: context.id,
    source: context.source,
    type: context.type,
    subject: subject.id,
    time: context.timestamp,
  })
  return event
}

test('the first version of a target is a service deployed, with a purl and its environment', () => {
  const event = eventOf({ state: 'deployed' })
  expect(event).toMatchObject({
    specversion: '1.0',
    type: 'dev.cdevents.service.deployed.0.3.0',
    source: '/promotion-relay/acme/models/cd_pipeline.yml',
    subject: 'production/fraud-detector',
    time: '2026-11-23T12:00:00.123Z',
    datacontenttype: 'application/json',
  })
  expect(event.data.context).toMatchObject({ specversion: '0.5.1', chainId: ID })
  expect(event.data.subject.content).toEqual({
    environment: { id: 'production' },
    artifactId: 'pkg:mlflow/fraud-detector@6',
  })
})

test.each<[string, string, Partial<News>]>([
  ['another one in its place', 'service.upgraded', { state: 'deployed', replaced: '5' }],
  ['the same again', 'service.deployed', { state: 'deployed', replaced: '6' }],
  ['one that was gone back to', 'service.rolledback', { state: 'deployed', replaced: '7', rollback: true }],
  [
    'one that an automated rollback put back',
    'service.rolledback',
    { state: 'deployed', replaced: '6', rollback: true, parent: { id: PARENT, version: '7' } },
  ],
  ['a run that was started', 'pipelinerun.queued', { state: 'dispatched' }],
  ['a run that is looked for', 'pipelinerun.queued', { state: 'dispatched', run: undefined as never }],
  ['a run that failed', 'pipelinerun.finished', { state: 'failed' }],
  ['a run that was cancelled', 'pipelinerun.finished', { state: 'cancelled' }],
  ['a run that took too long', 'pipelinerun.finished', { state: 'timed_out' }],
])('%s: %s', (_, type, more) => {
  expect(eventOf(more).type).toBe(`dev.cdevents.${type}.0.3.0`)
})

test.each([
  ['failed', 'failure'],
  ['cancelled', 'cancel'],
  ['timed_out', 'error'],
] as const)('%s is the outcome %s of its pipeline run, with the reason', (state, outcome) => {
  const { subject } = eventOf({ state, reason: 'its run ended: failure' }).data
  expect(subject).toEqual({
    id: '9001',
    content: {
      pipelineName: 'cd_pipeline.yml',
      uri: 'https://github.com/acme/models/actions/runs/9001',
      outcome,
      errors: 'its run ended: failure',
    },
  })
})

test.each([
  ['superseded', 'superseded'],
  ['skipped', 'skipped'],
  ['dead_lettered', 'deadlettered'],
  ['unresolved', 'unresolved'],
] as const)(
  '%s, which CDEvents has no type for, is a custom one of its namespace for tools',
  (state, word) => {
    const event = eventOf({ state })
    expect(event.type).toBe(`dev.cdeventsx.promotionrelay-promotion.${word}.0.1.0`)
    expect(event.data.subject).toMatchObject({ id: ID, content: { model: 'fraud-detector', version: '6' } })
  },
)

test('every type carries the promotion in the same place', () => {
  for (const state of STATES) {
    const { customData, customDataContentType } = eventOf({ state }).data
    expect(customDataContentType).toBe('application/json')
    expect(customData.promotion).toMatchObject({
      id: ID,
      state,
      model: 'fraud-detector',
      version: '6',
      environment: 'production',
      accuracy: 0.9234,
      triggerSource: 'automated_ct_pipeline',
      reason: 'as it is',
      acceptedAt: '2026-11-23T11:56:40.123Z',
    })
  }
})

test('a failure names what puts the former version back, and both are one chain', () => {
  const failed = eventOf({ state: 'failed', rolledBackBy: { id: 'b', version: '5' } })
  expect(failed.data.customData.promotion.rolledBackBy).toEqual({ id: 'b', version: '5' })
  const back = eventOf({ promotionId: 'b', rollback: true, parent: { id: ID, version: '6' } })
  expect(back.data.context.chainId).toBe(failed.data.context.chainId)
  expect(back.data.customData.promotion.parent).toEqual({ id: ID, version: '6' })
})

test('what is simulated says so', () => {
  expect(eventOf({ simulated: true }).data.customData.simulated).toBe(true)
  expect(eventOf({}).data.customData).not.toHaveProperty('simulated')
})

describe('names from outside', () => {
  test('are encoded in the purl', () => {
    expect(purlOf({ model: 'team/fraud detector@2?x#y', version: '1.0+ä' })).toBe(
      'pkg:mlflow/team%2Ffraud%20detector%402%3Fx%23y@1.0%2B%C3%A4',
    )
  })

  test('of the greatest length leave the body under 20 kB, whatever its state', () => {
    for (const state of STATES) {
      const other = { id: ID, version: '🙂'.repeat(50) }
      const body = bodyFor(
        newsOf({
          ...{ state, model: '🙂'.repeat(125), version: '🙂'.repeat(50), environment: 'e'.repeat(100) },
          ...{ trigger: '🙂'.repeat(50), reason: '🙂'.repeat(500), supersededBy: other, rolledBackBy: other },
          ...{
            parent: other,
            replaced: other.version,
            scope: `${'o'.repeat(100)}/${'n'.repeat(100)}/${'w'.repeat(100)}`,
          },
          run: { id: '9'.repeat(20), url: `https://github.com/${'p'.repeat(300)}` },
        }),
      )
      expect([state, Buffer.byteLength(body)]).toEqual([state, expect.toSatisfy((size) => size < 20_000)])
    }
  })
})
