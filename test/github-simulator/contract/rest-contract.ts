// GitHub's REST API as it describes itself: which requests it knows, and what its answers look like.
import { readFileSync } from 'node:fs'
import { type JsonObject, merged } from './merge-patch.ts'
import { createValidator, type Validator } from './validator.ts'

/** Versions of the API at github.com, and an Enterprise Server. */
export type Server = '2022-11-28' | '2026-03-10' | 'ghes-3.19'

export interface RestContract {
  /** @returns what is wrong with the request, empty where nothing is */
  requestProblems(request: Request): string[]
  /** @returns what is wrong with the answer to that request */
  answerProblems(request: Pick<Request, 'method' | 'path'>, answer: RestAnswer): string[]
}

export interface Request {
  method: string
  /** With its query, without /api/v3. */
  path: string
  /** Parsed; undefined where there was none. */
  body?: unknown
}

export interface RestAnswer {
  status: number
  /** As it came. */
  text: string
}

interface Operation {
  parameters: { name: string; in: 'path' | 'query'; required: boolean; schema: JsonObject }[]
  body?: JsonObject
  responses: Record<string, JsonObject | false>
}

interface Found {
  /** As the description calls it: `GET /repos/{owner}/{repo}`. */
  name: string
  operation: Operation
  /** Values of the path's parameters. */
  values: Record<string, string>
}

export function restContract(server: Server): RestContract {
  const {
    patches,
    source: _,
    ...base
  } = JSON.parse(readFileSync(new URL('rest.json', import.meta.url), 'utf8')) as JsonObject
  const patch = (patches as Record<string, JsonObject>)[server] ?? {}
  const description = merged(merged(base, patch), MENDED)
  const operations = description.operations as unknown as Record<string, Operation>
  const validator = createValidator(description)
  // Compiled now: a test that watches a clock is not to wait for it.
  for (const [name, { responses }] of Object.entries(operations)) {
    const described = Object.keys(responses).filter((status) => responses[status])
    for (const status of described) validator.problems(null, ['operations', name, 'responses', status])
  }
  validator.problems(null, ['schemas', 'refusal'])

  return {
    requestProblems: (request) => {
      const [pathname = '', search = ''] = request.path.split('?', 2)
      const found = find(operations, request.method, pathname)
      if (!found) return [`${request.method} ${pathname} is not described`]
      return [
        ...parameterProblems(found, new URLSearchParams(search), validator),
        ...bodyProblems(found, request.body, validator),
      ]
    },
    answerProblems: (request, answer) => {
      const found = find(operations, request.method, request.path.split('?', 1)[0] ?? '')
      const schemaAt = found ? answerSchema(found, answer.status) : refusalSchema(answer.status)
      if (!schemaAt) return [`${found?.name} does not answer ${answer.status}`]
      if (schemaAt === 'no body') return answer.text === '' ? [] : [`${answer.status} with a body`]
      try {
        return validator.problems(JSON.parse(answer.text), schemaAt)
      } catch (error) {
        if (error instanceof SyntaxError) return [`${answer.status} with a body that is no JSON`]
        throw error
      }
    },
  }
}

/**
 * Where the description is known to be silent. Every refusal carries `status`, which only `basic-error` names; the one
 * of an API version (400) says why in `errors`, as text: see `api-version.ts`.
 */
const MENDED: JsonObject = {
  schemas: {
    'basic-error': { properties: { errors: { type: 'string' } } },
    'validation-error': { properties: { status: { type: 'string' } } },
    'validation-error-simple': { properties: { status: { type: 'string' } } },
    refusal: {
      anyOf: ['basic-error', 'validation-error', 'validation-error-simple'].map((name) => ({
        $ref: `#/schemas/${name}`,
      })),
    },
  },
}

/**
 * Described as a date-time, while its own words send the reader to the search syntax (`>=2026-11-23T10:00:00Z`):
 * https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
 */
const NOT_AS_DESCRIBED = ['created']

function find(operations: Record<string, Operation>, method: string, pathname: string): Found | undefined {
  for (const [name, operation] of Object.entries(operations)) {
    const [wanted, template = ''] = name.split(' ')
    const pattern = template.replaceAll(/{(\w+)}/g, '(?<$1>[^/]+)')
    const match = wanted === method ? new RegExp(`^${pattern}$`).exec(pathname) : null
    if (match) return { name, operation, values: { ...match.groups } }
  }
  return undefined
}

function answerSchema({ name, operation }: Found, status: number): string[] | 'no body' | undefined {
  const described = operation.responses[status]
  if (described) return ['operations', name, 'responses', String(status)]
  if (described === false) return 'no body'
  // Of a conditional request: described for few operations, promised for all.
  // https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
  if (status === 304) return 'no body'
  return refusalSchema(status)
}

/** Most operations describe no refusal of their own: all of them have one form. */
function refusalSchema(status: number): string[] | undefined {
  return status >= 400 ? ['schemas', 'refusal'] : undefined
}

function parameterProblems({ name, operation, values }: Found, query: URLSearchParams, validator: Validator) {
  const strangers = [...query.keys()].filter(
    (key) => !operation.parameters.some((one) => one.in === 'query' && one.name === key),
  )
  const problems = strangers.map((key) => `the query ${key} is not described`)
  for (const [index, parameter] of operation.parameters.entries()) {
    const given = parameter.in === 'path' ? values[parameter.name] : query.get(parameter.name)
    if (given === undefined || given === null) {
      if (parameter.required) problems.push(`${parameter.name} is missing`)
      continue
    }
    if (NOT_AS_DESCRIBED.includes(parameter.name)) continue
    const schemaAt = ['operations', name, 'parameters', String(index), 'schema']
    const wrong = readings(decodeURIComponent(given)).map((reading) => validator.problems(reading, schemaAt))
    if (wrong.every((one) => one.length > 0)) problems.push(`${parameter.name}: ${wrong[0]?.join(', ')}`)
  }
  return problems
}

/** In a path or a query a number is text. */
function readings(text: string): unknown[] {
  return /^\d+$/.test(text) ? [text, Number(text)] : [text]
}

function bodyProblems({ name, operation }: Found, body: unknown, validator: Validator): string[] {
  if (body === undefined) return []
  if (operation.body === undefined) return ['it has a body, and none is described']
  return validator.problems(body, ['operations', name, 'body'])
}
