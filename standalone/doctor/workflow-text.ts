/** What the text of a workflow says of the things that the relay counts on. */
import { parse } from 'yaml'

export interface WorkflowInput {
  required: boolean
  hasDefault: boolean
  /** `string` where the file says nothing. */
  type: string
  options: string[]
}

export interface WorkflowText {
  hasTrigger: boolean
  inputs: Readonly<Record<string, WorkflowInput>>
  /** Its `run-name` shows the promotion's id. */
  showsId: boolean
  /** A job ends a second run of one promotion, as far as can be told. */
  hasGuard: boolean
}

/** @returns why it can't be read, as a text. */
export function readWorkflowText(text: string): WorkflowText | string {
  let file: unknown
  try {
    file = parse(text, { logLevel: 'error', maxAliasCount: 100 })
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? 'it is no YAML'
  }
  const workflow = asObject(file)
  if (!workflow) return 'it holds no workflow'
  // YAML 1.1 reads `on` as true; this parser does not.
  const { on } = workflow
  const triggers = typeof on === 'string' ? [on] : Array.isArray(on) ? on : Object.keys(asObject(on) ?? {})
  const dispatch = asObject(asObject(on)?.workflow_dispatch)
  const inputs = Object.entries(asObject(dispatch?.inputs) ?? {})
  return {
    hasTrigger: triggers.includes('workflow_dispatch'),
    inputs: Object.fromEntries(inputs.map(([name, about]) => [name, inputFrom(asObject(about) ?? {})])),
    showsId: ID.test(String(workflow['run-name'] ?? '')),
    hasGuard: Object.values(asObject(workflow.jobs) ?? {}).some(isGuard),
  }
}

const ID = /inputs\.promotion_id|inputs\[['"]promotion_id['"]\]/
/** How a step may look for older runs and end its own: by the API's clients, or by GitHub's command line. */
const LOOKS_FOR_RUNS = /listWorkflowRuns|actions\/(workflows|runs)|gh run list|gh api/

function isGuard(job: unknown): boolean {
  const text = JSON.stringify(job) ?? ''
  return ID.test(text) && LOOKS_FOR_RUNS.test(text)
}

function inputFrom(about: Record<string, unknown>): WorkflowInput {
  return {
    required: about.required === true,
    hasDefault: about.default !== undefined && about.default !== '',
    type: typeof about.type === 'string' ? about.type : 'string',
    options: Array.isArray(about.options) ? about.options.map(String) : [],
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}
