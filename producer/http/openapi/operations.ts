/** Every route of ours, described. A test holds this list to the routes that there are. */
import { z } from 'zod'
import {
  lettersQuerySchema,
  promotionsQuerySchema,
  searchQuerySchema,
  targetsQuerySchema,
} from '../../../shared/ask.ts'
import {
  letterSchema,
  orderSchema,
  probeSchema,
  resolveSchema,
  rollbackSchema,
} from '../../../shared/operate.ts'
import { idempotencyKeySchema, promotionRequestSchema } from '../../../shared/promotion.ts'
import { smokeTestSchema } from '../../../shared/smoke-test.ts'
import * as views from '../../../shared/view-schemas.ts'
import { batchSchema } from '../batch.ts'
import { CLOUD_EVENT, cloudEventSchema } from '../cloud-event.ts'
import { LONGEST_WAIT_S } from '../wait.ts'
import * as answers from './answers.ts'
import { type Operation, ofApi, problem } from './operation.ts'

const JSON_TYPE = 'application/json'
const WRONG = problem('What is wrong, by its field')

/** An item of a batch has its key beside it. */
const itemSchema = promotionRequestSchema.extend({ idempotencyKey: idempotencyKeySchema.optional() })

/** One of the two is to be said, which a refinement would not tell. */
const resolveOrder = z.strictObject(resolveSchema.shape).omit({ id: true })

/** Named in the description: the name is what generated clients call it. */
export const SCHEMAS = {
  Problem: answers.problemSchema,
  PromotionRequest: promotionRequestSchema,
  CloudEvent: cloudEventSchema.safeExtend({ data: promotionRequestSchema }),
  BatchRequest: batchSchema.extend({ promotions: z.array(itemSchema).min(1).max(100) }),
  Taken: answers.takenSchema,
  BatchAnswer: answers.batchAnswerSchema,
  Promotion: views.promotionSchema,
  Promotions: views.promotionsSchema,
  Target: views.targetSchema,
  Targets: views.targetsSchema,
  DeadLetter: views.letterSchema,
  DeadLetters: views.lettersSchema,
  Circuit: views.circuitSchema,
  Circuits: views.circuitsSchema,
  Stats: views.statsSchema,
  Found: views.searchSchema,
  SmokeTest: smokeTestSchema,
  SmokeTestSent: answers.smokeTestSentSchema,
  Order: orderSchema,
  RollbackOrder: rollbackSchema,
  DeadLetterOrder: letterSchema.omit({ id: true }),
  ResolveOrder: z.union([
    resolveOrder.omit({ absent: true }).required({ run: true }),
    resolveOrder.omit({ run: true }).required({ absent: true }),
  ]),
  ProbeOrder: probeSchema,
  Held: answers.heldSchema,
  Released: answers.releasedSchema,
  Ordered: answers.orderedSchema,
  RolledBack: answers.rolledBackSchema,
  WorkflowRunEvent: z.looseObject({ action: z.string() }),
  RegistryEvent: z.looseObject({ entity: z.string(), action: z.string() }),
  Delivery: answers.deliverySchema,
  Alive: answers.aliveSchema,
  Ready: answers.readySchema,
  Unready: answers.unreadySchema,
}

const PROMOTIONS: Operation[] = [
  ofApi({
    name: 'promote',
    method: 'post',
    path: '/v1/promotions',
    group: 'Promotions',
    summary: 'Promote a version',
    more: 'Sent again, with an `Idempotency-Key` or without, it makes nothing twice. As a CloudEvent it comes in the body, or with the headers `ce-specversion`, `ce-id`, `ce-source` and `ce-type`; then source and id together are the key, unless one is given.',
    scope: 'promote',
    headers: z.object({
      'Idempotency-Key': idempotencyKeySchema
        .optional()
        .describe('The same key never makes a second promotion; kept for 90 days'),
    }),
    takes: { [JSON_TYPE]: SCHEMAS.PromotionRequest, [CLOUD_EVENT]: SCHEMAS.CloudEvent },
    answers: {
      202: { what: 'Accepted, now or before', schema: SCHEMAS.Taken, headers: ['Location'] },
      400: WRONG,
      422: problem('The `Idempotency-Key`, or the `id`, belongs to another promotion'),
    },
  }),
  ofApi({
    name: 'promoteBatch',
    method: 'post',
    path: '/v1/promotions:batch',
    group: 'Promotions',
    summary: 'Promote up to a hundred versions',
    more: 'Each is accepted or refused by itself; the results are in the order of the promotions.',
    scope: 'promote',
    takes: { [JSON_TYPE]: SCHEMAS.BatchRequest },
    answers: {
      200: { what: 'All are accepted, now or before', schema: SCHEMAS.BatchAnswer },
      207: { what: 'One or more are refused', schema: SCHEMAS.BatchAnswer },
      400: WRONG,
    },
  }),
  ofApi({
    name: 'listPromotions',
    method: 'get',
    path: '/v1/promotions',
    group: 'Promotions',
    summary: 'List promotions, the newest first',
    more: 'A page may be shorter than it could be, and even empty, and still have a next one: one call looks at so many promotions at the most.',
    scope: 'read',
    query: promotionsQuerySchema,
    answers: { 200: { what: 'A page of them', schema: SCHEMAS.Promotions }, 400: WRONG },
  }),
  ofApi({
    name: 'showPromotion',
    method: 'get',
    path: '/v1/promotions/{id}',
    group: 'Promotions',
    summary: 'Show a promotion, at once or when it has stopped',
    scope: 'read',
    params: z.object({ id: z.string().min(1).describe('Of the promotion') }),
    query: z.object({
      wait: z
        .number()
        .min(0)
        .max(LONGEST_WAIT_S)
        .optional()
        .describe('Seconds: answer once it has stopped, or when they are over'),
    }),
    answers: {
      200: { what: 'It as it is, and each step of it', schema: SCHEMAS.Promotion },
      400: WRONG,
      404: problem('There is none'),
    },
  }),
  ofApi({
    name: 'search',
    method: 'get',
    path: '/v1/search',
    group: 'Promotions',
    summary: 'Find promotions and targets by what is known of them',
    more: 'At most 20 of each; beginnings of ids, versions and parts of names are looked for among the newest.',
    scope: 'read',
    query: searchQuerySchema,
    answers: { 200: { what: 'What was found', schema: SCHEMAS.Found }, 400: WRONG },
  }),
]

const SMOKE_TESTS: Operation[] = [
  ofApi({
    name: 'sendSmokeTest',
    method: 'post',
    path: '/v1/smoke-tests',
    group: 'Smoke tests',
    summary: 'Send a promotion that is a test',
    more: 'It goes as far as a worker and is not sent; its timeline, at `/v1/promotions/{id}` for an hour, tells how long each step took. With `dispatch` it starts a run of the CD workflow, with `smoke_test` as `trigger_source`. It is in no figure, no list and no news.',
    scope: 'promote',
    takes: { [JSON_TYPE]: SCHEMAS.SmokeTest },
    answers: {
      202: { what: 'It is on its way', schema: SCHEMAS.SmokeTestSent, headers: ['Location'] },
      400: WRONG,
    },
  }),
]

const NO_TARGET = problem('Nothing was ever promoted to it')

const TARGETS: Operation[] = [
  ofApi({
    name: 'listTargets',
    method: 'get',
    path: '/v1/targets',
    group: 'Targets',
    summary: 'List targets, the one that was promoted to last first',
    scope: 'read',
    query: targetsQuerySchema,
    answers: { 200: { what: 'A page of them', schema: SCHEMAS.Targets }, 400: WRONG },
  }),
  ofApi({
    name: 'holdTarget',
    method: 'post',
    path: '/v1/targets/hold',
    group: 'Targets',
    summary: 'Hold a target: what comes is accepted, and waits',
    scope: 'operate',
    takes: { [JSON_TYPE]: SCHEMAS.Order },
    answers: { 200: { what: 'It is held', schema: SCHEMAS.Held }, 400: WRONG, 404: NO_TARGET },
  }),
  ofApi({
    name: 'releaseTarget',
    method: 'post',
    path: '/v1/targets/release',
    group: 'Targets',
    summary: 'Release a target: the newest promotion goes',
    scope: 'operate',
    takes: { [JSON_TYPE]: SCHEMAS.Order },
    answers: { 200: { what: 'It is not held', schema: SCHEMAS.Released }, 400: WRONG, 404: NO_TARGET },
  }),
  ofApi({
    name: 'rollBackTarget',
    method: 'post',
    path: '/v1/targets/rollback',
    group: 'Targets',
    summary: 'Roll a target back, and hold back the version that it is rolled back from',
    scope: 'operate',
    takes: { [JSON_TYPE]: SCHEMAS.RollbackOrder },
    answers: {
      202: { what: 'It is on its way, now or already', schema: SCHEMAS.RolledBack, headers: ['Location'] },
      400: WRONG,
      404: NO_TARGET,
      409: problem('Nobody can tell which version is meant: say so with `to`'),
    },
  }),
]

const ID = z.object({
  id: z
    .string()
    .regex(/^[0-9a-fA-F-]{36}$/)
    .describe('Of the promotion'),
})
const NO_LETTER = problem('There is no such promotion, or it was never dead-lettered')
const DONE = (what: string) => ({ what, schema: SCHEMAS.Ordered })

const DEAD_LETTERS: Operation[] = [
  ofApi({
    name: 'listDeadLetters',
    method: 'get',
    path: '/v1/dead-letters',
    group: 'Dead letters',
    summary: 'List the promotions that wait for a person, in the order of their acceptance, the newest first',
    more: 'A page may be shorter than it could be, and even empty, and still have a next one.',
    scope: 'read',
    query: lettersQuerySchema,
    answers: { 200: { what: 'A page of them', schema: SCHEMAS.DeadLetters }, 400: WRONG },
  }),
  ofApi({
    name: 'redrivePromotion',
    method: 'post',
    path: '/v1/promotions/{id}/redrive',
    group: 'Dead letters',
    summary: 'Put a dead letter back into the queue',
    more: 'It can neither double nor overtake: what gave way to a newer version is superseded, and of an unresolved one its run is looked for again.',
    scope: 'operate',
    params: ID,
    takes: { [JSON_TYPE]: SCHEMAS.DeadLetterOrder },
    answers: {
      200: DONE('What the ledger made of it, or would'),
      400: WRONG,
      404: NO_LETTER,
      409: problem('It is no dead letter any more'),
    },
  }),
  ofApi({
    name: 'discardPromotion',
    method: 'post',
    path: '/v1/promotions/{id}/discard',
    group: 'Dead letters',
    summary: 'Discard a dead letter: it is not sent any more',
    scope: 'operate',
    params: ID,
    takes: { [JSON_TYPE]: SCHEMAS.DeadLetterOrder },
    answers: {
      200: DONE('What the ledger made of it, or would'),
      400: WRONG,
      404: NO_LETTER,
      409: problem('It is no dead letter any more, or a run of it may exist'),
    },
  }),
  ofApi({
    name: 'resolvePromotion',
    method: 'post',
    path: '/v1/promotions/{id}/resolve',
    group: 'Dead letters',
    summary: 'Say what became of an unresolved promotion: its run, or that there is none',
    scope: 'operate',
    params: ID,
    takes: { [JSON_TYPE]: SCHEMAS.ResolveOrder },
    answers: {
      200: DONE('What the ledger made of it'),
      400: WRONG,
      404: problem('There is no such promotion'),
      409: problem('It is not unresolved, or the run is that of another'),
    },
  }),
  ofApi({
    name: 'probeCircuit',
    method: 'post',
    path: '/v1/circuits/probe',
    group: 'Dead letters',
    summary: 'Have it looked at now whether what opened a circuit is mended',
    scope: 'operate',
    takes: { [JSON_TYPE]: SCHEMAS.ProbeOrder },
    answers: { 200: DONE('A worker looks within seconds'), 400: WRONG, 404: problem('It is not open') },
  }),
  ofApi({
    name: 'listCircuits',
    method: 'get',
    path: '/v1/circuits',
    group: 'Figures',
    summary: 'List the open circuits: what makes promotions wait',
    scope: 'read',
    query: z.strictObject({}),
    answers: { 200: { what: 'All of them', schema: SCHEMAS.Circuits }, 400: WRONG },
  }),
  ofApi({
    name: 'readStats',
    method: 'get',
    path: '/v1/stats',
    group: 'Figures',
    summary: 'Tell how it goes: counts, success, latency, workers',
    scope: 'read',
    query: z.strictObject({}),
    answers: { 200: { what: 'The figures', schema: SCHEMAS.Stats }, 400: WRONG },
  }),
]

const WEBHOOKS: Operation[] = [
  {
    name: 'takeGithubWebhook',
    method: 'post',
    path: '/v1/webhooks/github',
    group: 'Webhooks',
    summary: "Take GitHub's webhook about a workflow run",
    more: 'For GitHub: signed with the secret in `GITHUB_WEBHOOK_SECRET`.',
    headers: z.object({
      'X-Hub-Signature-256': z.string().optional().describe('`sha256=` and the HMAC of the body'),
      'X-GitHub-Event': z.string().optional(),
      'X-GitHub-Delivery': z.string().optional(),
    }),
    takes: { [JSON_TYPE]: SCHEMAS.WorkflowRunEvent },
    answers: {
      202: { what: 'Kept, or of no interest', schema: SCHEMAS.Delivery },
      400: problem('It is no event about a workflow run'),
      401: problem('The signature is not valid'),
      404: problem('Webhooks are off'),
      413: problem('The body is too large'),
      415: problem('The body is of another content type'),
      503: problem('It could not be kept', ['Retry-After']),
    },
  },
  {
    name: 'takeMlflowWebhook',
    method: 'post',
    path: '/v1/webhooks/mlflow',
    group: 'Webhooks',
    summary: "Take MLflow's webhook about an alias or a tag",
    more: 'For MLflow: signed with the secret in `MLFLOW_WEBHOOK_SECRET`.',
    headers: z.object({
      'X-MLflow-Signature': z.string().optional().describe('`v1,` and the HMAC of id, time and body'),
      'X-MLflow-Delivery-Id': z.string().optional(),
      'X-MLflow-Timestamp': z.string().optional().describe('Seconds since the epoch'),
    }),
    takes: { [JSON_TYPE]: SCHEMAS.RegistryEvent },
    answers: {
      202: { what: 'Kept, or of no interest', schema: SCHEMAS.Delivery },
      400: problem('It is no event of a registry, or too old'),
      401: problem('The signature is not valid'),
      404: problem('Webhooks of MLflow are off'),
      413: problem('The body is too large'),
      503: problem('It could not be kept', ['Retry-After']),
    },
  },
]

const HEALTH: Operation[] = [
  {
    name: 'isAlive',
    method: 'get',
    path: '/healthz',
    group: 'Health',
    summary: 'Tell whether the process lives',
    answers: { 200: { what: 'It does', schema: SCHEMAS.Alive } },
  },
  {
    name: 'isReady',
    method: 'get',
    path: '/readyz',
    group: 'Health',
    summary: 'Tell whether it reaches Redis',
    answers: {
      200: { what: 'It does', schema: SCHEMAS.Ready },
      503: { what: 'It does not', schema: SCHEMAS.Unready, headers: ['Retry-After'] },
    },
  },
  {
    name: 'readMetrics',
    method: 'get',
    path: '/metrics',
    group: 'Health',
    summary: 'Figures for Prometheus',
    answers: { 200: { what: 'In the text format 0.0.4', type: 'text/plain' } },
  },
  {
    name: 'readDescription',
    method: 'get',
    path: '/openapi.json',
    group: 'This description',
    summary: 'This description, as OpenAPI 3.1',
    answers: { 200: { what: 'The document', schema: z.looseObject({ openapi: z.string() }) } },
  },
  {
    name: 'readPage',
    method: 'get',
    path: '/docs',
    group: 'This description',
    summary: 'This description, to be read',
    answers: { 200: { what: 'A page', type: 'text/html' } },
  },
]

export const OPERATIONS: readonly Operation[] = [
  ...PROMOTIONS,
  ...SMOKE_TESTS,
  ...TARGETS,
  ...DEAD_LETTERS,
  ...WEBHOOKS,
  ...HEALTH,
]
