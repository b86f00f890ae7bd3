// Whether GitHub would start a run for a dispatch, and if not, with which words it refuses: a pure function.
// The order of the checks and the messages are GitHub's; what its schema finds comes as "Invalid request.\n\n…".
import type { ApiVersion } from './api-version.ts'
import type { Workflow } from './settings.ts'

export interface DispatchRequest {
  body: unknown
  workflow: Workflow
  mode: 'github' | 'ghes'
  apiVersion: ApiVersion
}

export type DispatchVerdict =
  | { taken: true; ref: string; inputs: Record<string, string>; tellsRun: boolean }
  | { taken: false; status: 400 | 422; message: string }

/** An Enterprise Server takes fewer: 10 up to 3.19, by its own description. */
const MAX_INPUTS = { github: 25, ghes: 10 }
const MAX_INPUT_CHARACTERS = 65_535

export function dispatchAnswer(request: DispatchRequest): DispatchVerdict {
  const { body, workflow } = request
  if (!isObject(body)) return refused('Body should be a JSON object', 400)
  const flagIsKnown = request.mode === 'github' && request.apiVersion === '2022-11-28'
  const stranger = Object.keys(body).find(
    (key) => !(key === 'ref' || key === 'inputs' || (key === 'return_run_details' && flagIsKnown)),
  )
  if (stranger !== undefined) return invalid(`${JSON.stringify(stranger)} is not a permitted key.`)
  const { ref, inputs = {}, return_run_details: wantsRun = false } = body
  if (ref === undefined) return invalid(`"ref" wasn't supplied.`)
  if (typeof ref !== 'string') return invalid(`For 'properties/ref', ${show(ref)} is not a string.`)
  if (!isObject(inputs)) return invalid(`For 'properties/inputs', ${show(inputs)} is not an object.`)
  if (typeof wantsRun !== 'boolean') {
    return invalid(`For 'properties/return_run_details', ${show(wantsRun)} is not a boolean.`)
  }

  if (workflow.state !== 'active')
    return refused("Cannot trigger a 'workflow_dispatch' on a disabled workflow")
  if (!workflow.trigger) return refused("Workflow does not have 'workflow_dispatch' trigger")
  const shortRef = ref.replace(/^refs\/(heads|tags)\//, '')
  if (!workflow.refs.includes(shortRef)) return refused(`No ref found for: ${ref}`)
  return checkInputs(inputs, request, {
    taken: true,
    ref: shortRef,
    inputs: {},
    tellsRun: request.mode === 'github' && (wantsRun || request.apiVersion === '2026-03-10'),
  })
}

function checkInputs(
  given: Record<string, unknown>,
  { workflow, mode }: DispatchRequest,
  taken: DispatchVerdict & { taken: true },
): DispatchVerdict {
  const declared = workflow.inputs
  const names = Object.keys(given)
  if (declared !== 'any') {
    const unexpected = names.filter((name) => !Object.hasOwn(declared, name))
    if (unexpected.length > 0) {
      return refused(
        `Unexpected inputs provided: [${unexpected.map((name) => JSON.stringify(name)).join(', ')}]`,
      )
    }
    const missing = Object.keys(declared).find((name) => declared[name]?.required && isBlank(given[name]))
    if (missing !== undefined) return refused(`Required input '${missing}' not provided`)
  }
  // Counted as sent: names, quotes and escapes are part of the payload that GitHub limits.
  if (JSON.stringify(given).length > MAX_INPUT_CHARACTERS) return refused('inputs are too large.')
  if (names.length > MAX_INPUTS[mode]) {
    return invalid(`No more than ${MAX_INPUTS[mode]} properties are allowed; ${names.length} were supplied.`)
  }
  const inputs: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string') {
      return invalid(`For 'properties/inputs/properties/${name}', ${show(value)} is not a string.`)
    }
    inputs[name] = value
  }
  return { ...taken, inputs }
}

function refused(message: string, status: 400 | 422 = 422): DispatchVerdict {
  return { taken: false, status, message }
}

function invalid(reason: string): DispatchVerdict {
  return refused(`Invalid request.\n\n${reason}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === ''
}

function show(value: unknown): string {
  return value === null ? 'nil' : JSON.stringify(value)
}
