/**
 * Holds answers to the description of the API: each status that a described route answers is described, and so is each
 * field, header and content type of it.
 */
import type { ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { createDocument } from '../../producer/http/openapi/document.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema is read as it comes
type Json = any

const document: Json = createDocument('0.0.0')

/** Stricter than what is published, where further fields may come later: here none may be that is not described. */
function closed(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]))
  const isOpen = schema.type === 'object' && schema.properties && schema.additionalProperties === undefined
  return isOpen ? { ...inner, additionalProperties: false } : inner
}

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema({ $id: 'relay', components: { schemas: closed(document.components.schemas) } })

/** Its operation, where the route is a described one. */
function operationFor(method: string, path: string): Json {
  const parts = path.split('/')
  const found = Object.entries<Json>(document.paths).find(([pattern]) => {
    const wanted = pattern.split('/')
    return (
      wanted.length === parts.length && wanted.every((part, i) => part.startsWith('{') || part === parts[i])
    )
  })
  return found?.[1][method.toLowerCase()]
}

/** Made once each: that takes longer than an answer. */
const validators = new Map<string, ValidateFunction>()

function validatorOf(schema: string): ValidateFunction {
  const known = validators.get(schema)
  const validator = known ?? ajv.compile(JSON.parse(schema.replaceAll('"#/', '"relay#/')))
  if (!known) validators.set(schema, validator)
  return validator
}

export interface Answered {
  status: number
  headers: Headers
  /** Parsed, where it is JSON. */
  body: unknown
}

/** @throws what is not described of it */
export function mustBeDescribed(method: string, url: string, { status, headers, body }: Answered): void {
  const path = url.split('?', 1)[0] ?? ''
  const operation = operationFor(method, path)
  // An empty or unreadable address leads to no route.
  if (!operation || path.endsWith('/')) return
  const what = `${method} ${path} answered ${status}`
  const answer = operation.responses[status]
  if (!answer) throw new Error(`${what}, which is not described`)
  const type = (headers.get('content-type') ?? '').split(';', 1)[0] ?? ''
  const content = answer.content[type]
  if (!content) throw new Error(`${what} as ${type}, which is not described`)
  for (const name of Object.keys(answer.headers ?? {}))
    if (!headers.has(name)) throw new Error(`${what} without ${name}`)
  if (!type.endsWith('json')) return
  const validate = validatorOf(JSON.stringify(content.schema))
  if (!validate(body)) throw new Error(`${what}, not as described: ${ajv.errorsText(validate.errors)}`)
}
