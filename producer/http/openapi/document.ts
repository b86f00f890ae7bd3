/** The description of the API as an OpenAPI 3.1 document, made of the schemas that requests are checked by. */
import { z } from 'zod'
import { type Answer, HEADERS, type Operation } from './operation.ts'
import { OPERATIONS, SCHEMAS } from './operations.ts'

type Json = Record<string, unknown>

export type Document = ReturnType<typeof createDocument>

/** @param version of the package */
export function createDocument(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'promotion-relay',
      version,
      description: INTRODUCTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(OPERATIONS.map(({ group }) => group))].map((name) => ({ name })),
    paths: paths(),
    components: {
      schemas: schemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Scopes: `promote`, `read`, `operate`.' },
      },
    },
  }
}

const INTRODUCTION = `Carries a model promotion from continuous training to the workflow that deploys it.

Text is printable, and begins and ends with no white space. Errors are \`application/problem+json\` (RFC 9457) and name
every wrong field. Beside those of each route: 400, 408 and 431 for what is no readable HTTP, 404 and 405 (with \`Allow\`)
for what is no route. \`HEAD\` and \`OPTIONS\` are answered too.`

function paths(): Record<string, Json> {
  const all: Record<string, Json> = {}
  for (const operation of OPERATIONS) {
    all[operation.path] = { ...all[operation.path], [operation.method]: described(operation) }
  }
  return all
}

function described({ name, group, summary, more, scope, takes, answers, ...operation }: Operation): Json {
  const { params, query, headers } = operation
  const parameters = [
    ...parametersIn('path', params),
    ...parametersIn('query', query),
    ...parametersIn('header', headers),
  ]
  return {
    operationId: name,
    tags: [group],
    summary,
    ...(more ? { description: more } : {}),
    ...(scope ? { security: [{ token: [scope] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(takes ? { requestBody: { required: true, content: mapValues(takes, contentOf) } } : {}),
    responses: mapValues(answers, answerOf),
  }
}

function parametersIn(where: 'path' | 'query' | 'header', schema: z.ZodObject | undefined): Json[] {
  if (!schema) return []
  const { properties = {}, required = [] } = jsonSchemaOf(schema) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...own }]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(description ? { description } : {}),
    schema: own,
  }))
}

function answerOf({ what, schema, type = 'application/json', headers = [] }: Answer): Json {
  return {
    description: what,
    ...(headers.length > 0
      ? {
          headers: Object.fromEntries(
            headers.map((name) => [
              name,
              { required: true, description: HEADERS[name], schema: { type: 'string' } },
            ]),
          ),
        }
      : {}),
    content: { [type]: schema ? contentOf(schema) : { schema: { type: 'string' } } },
  }
}

function contentOf(schema: z.ZodType): Json {
  const name = Object.entries(SCHEMAS).find(([, one]) => one === schema)?.[0]
  return { schema: name === undefined ? jsonSchemaOf(schema) : { $ref: refTo(name) } }
}

/** Those that are named, each by reference to the others. */
function schemas(): Record<string, Json> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id })
  const all = z.toJSONSchema(registry, { io: 'input', uri: refTo }).schemas
  return mapValues(all, ({ $schema: _schema, $id: _id, ...schema }: Json) => schema)
}

function jsonSchemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' }) as Json
  return rest
}

function refTo(name: string): string {
  return `#/components/schemas/${name}`
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}
