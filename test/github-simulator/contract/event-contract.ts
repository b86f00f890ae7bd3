// The webhook event `workflow_run` as GitHub describes it: its headers and its payload.
import { readFileSync } from 'node:fs'
import type { RunAction } from '../run-news.ts'
import { type JsonObject, merged } from './merge-patch.ts'
import { createValidator, type Validator } from './validator.ts'

export interface Delivered {
  /** Names in lower case. */
  headers: Readonly<Record<string, unknown>>
  payload: unknown
}

interface EventContract {
  headers: string[]
  validator: Validator
}

const contracts = new Map<RunAction, EventContract>()

/** @returns what is wrong with the delivery, empty where nothing is */
export function eventProblems(action: RunAction, { headers, payload }: Delivered): string[] {
  const contract = contracts.get(action) ?? contractOf(action)
  contracts.set(action, contract)
  const missing = contract.headers.filter((name) => typeof headers[name.toLowerCase()] !== 'string')
  return [
    ...missing.map((name) => `no header ${name}`),
    ...contract.validator.problems(payload, ['operations', 'workflow_run', 'body']),
  ]
}

function contractOf(action: RunAction): EventContract {
  const { patches, source: _, ...completed } = read('workflow-run-event.json')
  const patch = (patches as Record<string, JsonObject>)[action] ?? {}
  const description = merged(merged(completed, patch), MENDED)
  const parameters = at(description, ['operations', 'workflow_run']).parameters as JsonObject[]
  return { headers: parameters.map(({ name }) => String(name)), validator: createValidator(description) }
}

/** Published by people, and older than the description. There is none of `in_progress`. */
export function examplePayload(action: 'requested' | 'completed'): JsonObject {
  return at(read('workflow-run-examples.json'), ['examples', action])
}

/** `in_progress` alone does not name `display_title`, which `requested` and `completed` require: an oversight. */
const MENDED: JsonObject = {
  operations: {
    workflow_run: {
      body: { properties: { workflow_run: { properties: { display_title: { type: 'string' } } } } },
    },
  },
}

function read(file: string): JsonObject {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as JsonObject
}

function at(value: JsonObject, keys: string[]): JsonObject {
  return keys.reduce((one, key) => one[key] as JsonObject, value)
}
