// The webhook event `workflow_run` as GitHub describes it: its headers and its payload.
import { readFileSync } from 'node:fs'
import { type JsonObject, merged } from './merge-patch.ts'
import { createValidator } from './validator.ts'

export type RunAction = 'requested' | 'in_progress' | 'completed'

export interface Delivered {
  /** Names in lower case. */
  headers: Readonly<Record<string, unknown>>
  payload: unknown
}

/** @returns what is wrong with the delivery, empty where nothing is */
export function eventProblems(action: RunAction, { headers, payload }: Delivered): string[] {
  const { patches, source: _, ...completed } = read('workflow-run-event.json')
  const patch = (patches as Record<string, JsonObject>)[action] ?? {}
  const description = merged(merged(completed, patch), MENDED)
  const parameters = at(description, ['operations', 'workflow_run']).parameters as JsonObject[]
  const missing = parameters
    .map(({ name }) => String(name))
    .filter((name) => typeof headers[name.toLowerCase()] !== 'string')
  return [
    ...missing.map((name) => `no header ${name}`),
    ...createValidator(description).problems(payload, ['operations', 'workflow_run', 'body']),
  ]
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
