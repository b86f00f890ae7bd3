// One description loaded into a validator: finds what is wrong with a value by the place of its schema.
// Stricter than GitHub's schemas in one point: what an object doesn't describe, it may not have. The simulator is to
// invent nothing that a client could come to rely on.
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { Json, JsonObject } from './merge-patch.ts'

export interface Validator {
  /** @returns what is wrong, each with its place in the value; empty where nothing is */
  problems(value: unknown, schemaAt: readonly string[]): string[]
}

export function createValidator(description: JsonObject): Validator {
  // Union types are how `nullable` came out; formats of numbers say only how large they get.
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictTypes: false, strictSchema: false })
  formats.default(ajv)
  ajv.addSchema({ $id: 'description', ...closed(description) })
  return {
    problems: (value, schemaAt) => {
      const validate = ajv.getSchema(`description#/${schemaAt.map(pointerPart).join('/')}`)
      if (!validate) throw new Error(`the description has no ${schemaAt.join('/')}`)
      if (validate(value) === true) return []
      return (validate.errors ?? []).map(({ instancePath, message, params }) => {
        const { additionalProperty = '' } = params as { additionalProperty?: string }
        return `${instancePath || '/'} ${message}${additionalProperty && `: ${additionalProperty}`}`
      })
    },
  }
}

function closed(value: JsonObject): JsonObject {
  const deep = (one: Json): Json => {
    if (Array.isArray(one)) return one.map(deep)
    return one === null || typeof one !== 'object' ? one : closed(one)
  }
  const result = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, deep(one)]))
  const describesMembers = typeof value.properties === 'object' && value.additionalProperties === undefined
  return describesMembers ? { ...result, additionalProperties: false } : result
}

function pointerPart(key: string): string {
  return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))
}
