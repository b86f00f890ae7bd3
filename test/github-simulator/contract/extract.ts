// Takes out of GitHub's published descriptions what the simulator serves and the relay calls, as JSON Schema 2020-12.
// The descriptions are very large: they stay outside, and what is taken is kept beside this file. To take it anew:
//
//   npm install --prefix /tmp/octokit @octokit/openapi@23.0.2 @octokit/openapi-webhooks@12.1.0 \
//     @octokit/webhooks-examples@7.6.1
//   node test/github-simulator/contract/extract.ts /tmp/octokit
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Json, type JsonObject, merged, mergePatchOf } from './merge-patch.ts'

const OPERATIONS = [
  'GET /rate_limit',
  'GET /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/contents/{path}',
  'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}',
  'POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches',
  'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs',
  'GET /repos/{owner}/{repo}/actions/runs',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}',
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel',
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/rerun',
  'POST /app/installations/{installation_id}/access_tokens',
]
/** The forms of a refusal, which the descriptions of operations name for some of their statuses only. */
const REFUSALS = ['basic-error', 'validation-error', 'validation-error-simple']
const NEWER = '2026-03-10'
const GHES = 'ghes-3.19'
/** Words for people, and what neither a validator nor the simulator reads. */
const LEFT_OUT = [
  'description',
  'title',
  'example',
  'examples',
  'externalDocs',
  'default',
  'deprecated',
  'readOnly',
]

const [packages] = process.argv.slice(2)
if (packages === undefined) throw new Error('say where the packages are: see the head of this file')

const rest = read('@octokit/openapi/generated/api.github.com.json')
const described = restDescription(rest)
write('rest.json', {
  source: `@octokit/openapi ${versionOf('@octokit/openapi')}, api.github.com, version 2022-11-28`,
  ...described,
  // The same as merge patches (RFC 7396) for what else answers: a newer version of the API, an Enterprise Server.
  patches: {
    [NEWER]: mergePatchOf(described, restDescription(withBreakingChanges(rest))),
    [GHES]: mergePatchOf(described, restDescription(read(`@octokit/openapi/generated/${GHES}.json`))),
  },
})

const events = read('@octokit/openapi-webhooks/generated/api.github.com.json')
const completed = eventDescription(events, 'completed')
write('workflow-run-event.json', {
  source: `@octokit/openapi-webhooks ${versionOf('@octokit/openapi-webhooks')}, api.github.com, action completed`,
  ...completed,
  patches: {
    requested: mergePatchOf(completed, eventDescription(events, 'requested')),
    in_progress: mergePatchOf(completed, eventDescription(events, 'in-progress')),
  },
})

const examples = read('@octokit/webhooks-examples/api.github.com/index.json') as unknown as JsonObject[]
write('workflow-run-examples.json', {
  source: `@octokit/webhooks-examples ${versionOf('@octokit/webhooks-examples')}, api.github.com`,
  // There is none of `in_progress`.
  examples: { requested: firstExample('requested'), completed: firstExample('completed') },
})

function restDescription(document: JsonObject): JsonObject {
  const operations: JsonObject = {}
  for (const name of OPERATIONS) {
    const [method = '', path = ''] = name.split(' ')
    operations[name] = operationOf(at(document, ['paths', path, method.toLowerCase()]), document)
  }
  const refusals = REFUSALS.map((name) => ({ $ref: `#/components/schemas/${name}` }))
  return { operations, schemas: schemasOf([operations, refusals], document) }
}

function eventDescription(document: JsonObject, action: string): JsonObject {
  const operation = operationOf(at(document, ['webhooks', `workflow-run-${action}`, 'post']), document)
  const name = `webhook-workflow-run-${action}`
  const { [name]: body, ...schemas } = schemasOf(operation, document)
  if (body === undefined) throw new Error(`there is no ${name}`)
  return { operations: { workflow_run: { ...operation, body } }, schemas }
}

function firstExample(action: string): JsonObject {
  const ofRuns = examples.find(({ name }) => name === 'workflow_run')?.examples as JsonObject[]
  const first = ofRuns.find((example) => example.action === action)
  if (first === undefined) throw new Error(`there is no example of ${action}`)
  return first
}

/** Parameters, body and answers. The schema `false` stands for an answer that has no body. */
function operationOf(operation: JsonObject, document: JsonObject): JsonObject {
  const parameters = (operation.parameters ?? []) as JsonObject[]
  const responses = Object.entries(operation.responses as JsonObject)
  const body = contentOf(operation.requestBody as JsonObject | undefined)
  return {
    parameters: parameters.map((parameter) => {
      const { name = '', in: place = '', required = false, schema = {} } = resolved(parameter, document)
      return { name, in: place, required, schema: asSchema(schema) }
    }),
    ...(body === undefined ? {} : { body }),
    responses: Object.fromEntries(
      responses.map(([status, response]) => [
        status,
        contentOf(resolved(response as JsonObject, document)) ?? false,
      ]),
    ),
  }
}

function contentOf(holder: JsonObject | undefined): Json | undefined {
  const content = (holder?.content as JsonObject | undefined)?.['application/json'] as JsonObject | undefined
  return content?.schema === undefined ? undefined : asSchema(content.schema)
}

/** Every schema that is referred to, also by others. */
function schemasOf(from: Json, document: JsonObject): JsonObject {
  const schemas: JsonObject = {}
  const waiting: Json[] = [from]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (value === null || typeof value !== 'object') continue
    waiting.push(...Object.values(value))
    const reference = Array.isArray(value) ? undefined : value.$ref
    if (typeof reference !== 'string') continue
    const name = reference.split('/').at(-1) ?? ''
    if (schemas[name] !== undefined) continue
    const schema = asSchema(at(document, ['components', 'schemas', name]))
    schemas[name] = schema
    waiting.push(schema)
  }
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** OpenAPI 3.0's `nullable` becomes a type of its own; 3.1 has JSON Schema's words already. */
function asSchema(value: Json): Json {
  if (Array.isArray(value)) return value.map(asSchema)
  if (value === null || typeof value !== 'object') return value
  const { nullable, properties, ...others } = value
  const kept = Object.entries(others).filter(([key]) => !LEFT_OUT.includes(key) && !key.startsWith('x-'))
  const schema: JsonObject = Object.fromEntries(kept.map(([key, one]) => [key, asSchema(one)]))
  if (Array.isArray(schema.required)) schema.required = schema.required.toSorted()
  if (typeof schema.$ref === 'string')
    schema.$ref = schema.$ref.replace('#/components/schemas/', '#/schemas/')
  if (properties !== undefined) {
    const entries = Object.entries(properties as JsonObject)
    schema.properties = Object.fromEntries(entries.map(([name, one]) => [name, asSchema(one)]))
  }
  if (nullable !== true) return schema
  if (schema.type === undefined) return { anyOf: [schema, { type: 'null' }] }
  if (Array.isArray(schema.enum) && !schema.enum.includes(null)) schema.enum = [...schema.enum, null]
  return { ...schema, type: [schema.type, 'null'] }
}

/** What a newer version changes is published beside what it changes: merge patches of schemas, JSON patches else. */
function withBreakingChanges(value: JsonObject): JsonObject {
  let changed = value
  for (const { version, patch } of (value['x-github-breaking-changes'] ?? []) as JsonObject[]) {
    if (version !== NEWER) continue
    if (Array.isArray(patch)) changed = patched(changed, patch as JsonObject[])
    else changed = merged(changed, patch as JsonObject)
  }
  const deep = (one: Json): Json => {
    if (Array.isArray(one)) return one.map(deep)
    return one === null || typeof one !== 'object' ? one : withBreakingChanges(one)
  }
  return Object.fromEntries(Object.entries(changed).map(([key, one]) => [key, deep(one)]))
}

function patched(value: JsonObject, steps: JsonObject[]): JsonObject {
  const result = structuredClone(value)
  for (const step of steps) {
    const path = String(step.path).split('/').slice(1)
    const keys = path.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = keys.pop() ?? ''
    const holder = at(result, keys)
    if (step.op === 'remove') delete holder[last]
    else holder[last] = step.value ?? null
  }
  return result
}

function resolved(value: JsonObject, document: JsonObject): JsonObject {
  return typeof value.$ref === 'string' ? at(document, value.$ref.split('/').slice(1)) : value
}

/** @throws where the description has no such place: it has changed, and this file must follow */
function at(value: JsonObject, keys: string[]): JsonObject {
  const found = keys.reduce<Json | undefined>((one, key) => (one as JsonObject | undefined)?.[key], value)
  if (found === null || typeof found !== 'object') throw new Error(`there is no ${keys.join('/')}`)
  return found as JsonObject
}

function read(path: string): JsonObject {
  return JSON.parse(readFileSync(join(packages ?? '', 'node_modules', path), 'utf8')) as JsonObject
}

function versionOf(name: string): string {
  return String(read(`${name}/package.json`).version)
}

/** One schema or operation a line, so that a change can be read and the file stays small. */
function write(file: string, content: JsonObject): void {
  const lines = (value: Json, depth: number): string => {
    if (depth === 0 || value === null || typeof value !== 'object' || Array.isArray(value))
      return JSON.stringify(value)
    const members = Object.entries(value).map(
      ([key, one]) => `${JSON.stringify(key)}: ${lines(one, depth - 1)}`,
    )
    return `{\n${members.join(',\n')}\n}`
  }
  writeFileSync(new URL(file, import.meta.url), `${lines(content, 2)}\n`)
}
