/** The CD workflow: is it there and on, and does its file declare what it is sent? */

import { OPTIONAL_INPUTS } from '../../worker/dispatch/outcome.ts'
import type { Answer } from '../../worker/github/answer.ts'
import { wordsOf } from '../../worker/github/answer.ts'
import { type Finding, fault, notLookedAt, ok, unknown, warning } from './finding.ts'
import { readWorkflowText, type WorkflowInput, type WorkflowText } from './workflow-text.ts'

export interface WorkflowFacts {
  /** To the read of the workflow; */
  answer: Answer
  /** and of its file on the ref: undefined where the workflow is not there. */
  file: Answer | undefined
  workflow: string
  ref: string
  repository: string
  /** Names of the inputs that are sent. */
  sent: readonly string[]
}

const FILE_NAMES = ['trigger', 'inputs', 'run-name', 'guard'] as const
export const WORKFLOW_NAMES = ['workflow', 'ref', ...FILE_NAMES] as const

export function judgeWorkflow(facts: WorkflowFacts): Finding[] {
  const { file } = facts
  const state = judgeState(facts)
  if (file === undefined)
    return [state, ...notLookedAt('the workflow could not be read', 'ref', ...FILE_NAMES)]
  const ref = judgeRef(file, facts)
  const text = textIn(file)
  if (text === undefined) return [state, ref, ...notLookedAt('its file could not be read', ...FILE_NAMES)]
  const read = readWorkflowText(text)
  if (typeof read === 'string')
    return [
      state,
      ref,
      fault(
        'trigger',
        `${facts.workflow} is no workflow: ${read}`,
        `correct the file; actionlint tells more`,
      ),
      ...notLookedAt('its file could not be read', 'inputs', 'run-name', 'guard'),
    ]
  return [
    state,
    ref,
    judgeTrigger(read, facts),
    ...judgeInputs(read, facts),
    judgeRunName(read),
    judgeGuard(read),
  ]
}

/** undefined where the file could not be read. */
export function showsId(file: Answer | undefined): boolean | undefined {
  const text = file && textIn(file)
  const read = text === undefined ? undefined : readWorkflowText(text)
  return typeof read === 'object' ? read.showsId : undefined
}

function judgeState({ answer, workflow, repository }: WorkflowFacts): Finding {
  if (answer.kind === 'failed') return unknown('workflow', `not told: ${answer.message}`)
  if (answer.status === 404)
    return fault(
      'workflow',
      `${repository} has no workflow ${workflow} on its default branch, or Actions: read is missing`,
      'put the file into .github/workflows of the default branch, or correct CD_WORKFLOW_NAME',
    )
  if (answer.status === 403)
    return fault('workflow', wordsOf(answer), 'give the credentials Actions: write, which reads too')
  if (answer.status !== 200) return unknown('workflow', wordsOf(answer))
  const { state } = (answer.body ?? {}) as { state?: unknown }
  if (state === 'active') return ok('workflow', `${workflow} is there and on`)
  return fault(
    'workflow',
    `${workflow} is ${String(state).replaceAll('_', ' ')}`,
    `enable it: gh workflow enable ${workflow} --repo ${repository}`,
  )
}

function judgeRef(file: Answer, { ref, workflow }: WorkflowFacts): Finding {
  if (file.kind === 'failed') return unknown('ref', `not told: ${file.message}`)
  const words = wordsOf(file)
  if (file.status === 200) return ok('ref', `${ref} has ${workflow}`)
  if (file.status === 403)
    return warning(
      'ref',
      `its file can't be read, and so not be checked (${words})`,
      'give the credentials Contents: read for this check; dispatching does not need it',
    )
  if (file.status === 404 && /no commit found/i.test(words))
    return fault('ref', `there is no branch or tag ${ref}`, 'correct CD_WORKFLOW_REF, or push it')
  // GitHub hides behind it what may not be seen.
  if (file.status === 404)
    return warning(
      'ref',
      `${ref} has no ${workflow}, or the credentials may not read files`,
      `bring the file to ${ref}, or give the credentials Contents: read for this check`,
    )
  return unknown('ref', words)
}

function judgeTrigger({ hasTrigger }: WorkflowText, { workflow }: WorkflowFacts): Finding {
  if (hasTrigger) return ok('trigger', `${workflow} declares workflow_dispatch`)
  return fault(
    'trigger',
    `${workflow} declares no workflow_dispatch: GitHub refuses each dispatch`,
    'add to the file: on: workflow_dispatch, with its inputs',
  )
}

/** What is lost where an input of ours is not declared. */
const LOST: Readonly<Record<string, string>> = {
  promotion_id: "a run whose answer was lost can't be found by its title",
  model_name: 'the workflow does not learn which model it deploys',
  environment: 'the workflow does not learn where it deploys',
}

function judgeInputs({ hasTrigger, inputs }: WorkflowText, { sent }: WorkflowFacts): Finding[] {
  if (!hasTrigger) return notLookedAt('there is no trigger', 'inputs')
  const findings = [...strangers(inputs, sent), ...undeclared(inputs, sent), ...narrowed(inputs, sent)]
  return findings.length > 0 ? findings : [ok('inputs', `declares all that are sent: ${sent.join(', ')}`)]
}

type Inputs = WorkflowText['inputs']

/** Required, and not sent. */
function strangers(inputs: Inputs, sent: readonly string[]): Finding[] {
  const names = Object.keys(inputs).filter(
    (name) => inputs[name]?.required && !inputs[name]?.hasDefault && !sent.includes(name),
  )
  if (names.length === 0) return []
  const words = `the workflow requires ${names.join(', ')}, which the relay does not send: GitHub refuses each dispatch`
  return [fault('inputs', words, `take required: true from ${names.join(', ')}, or give a default`)]
}

/** Sent, and not declared. */
function undeclared(inputs: Inputs, sent: readonly string[]): Finding[] {
  const missing = sent.filter((name) => inputs[name] === undefined)
  const needed = missing.filter((name) => !OPTIONAL_INPUTS.includes(name))
  const optional = missing.filter((name) => OPTIONAL_INPUTS.includes(name))
  const findings: Finding[] = []
  if (needed.length > 0)
    findings.push(
      fault(
        'inputs',
        `the workflow does not declare ${needed.join(', ')}: GitHub refuses each dispatch`,
        linesFor(needed),
      ),
    )
  if (optional.length > 0) {
    const lost = optional.flatMap((name) => LOST[name] ?? [])
    findings.push(
      warning(
        'inputs',
        `the workflow does not declare ${optional.join(', ')}: ${lost.join('; ')}`,
        linesFor(optional),
      ),
    )
  }
  return findings
}

function linesFor(names: readonly string[]): string {
  const each = names.map((name) => `  ${name}:\n    type: string`)
  return `add under on.workflow_dispatch.inputs:\n${each.join('\n')}`
}

/** Declared so that some of what is sent is refused. */
function narrowed(inputs: Inputs, sent: readonly string[]): Finding[] {
  const problems = sent.flatMap((name) => problemOf(name, inputs[name]))
  if (problems.length === 0) return []
  return [
    warning(
      'inputs',
      problems.join('; '),
      'declare them as type: string, and let the workflow itself check what it gets',
    ),
  ]
}

function problemOf(name: string, input: WorkflowInput | undefined): string[] {
  if (!input) return []
  if (input.type === 'choice') return [`${name} takes ${input.options.join(', ')} only`]
  if (input.type === 'number' || input.type === 'boolean') return [`${name} takes a ${input.type} only`]
  if (name === 'model_accuracy' && input.required && !input.hasDefault)
    return ['model_accuracy is required, and empty where the caller gives none']
  return []
}

function judgeRunName({ showsId: shows }: WorkflowText): Finding {
  if (shows) return ok('run-name', 'shows the promotion id')
  return warning(
    'run-name',
    "it does not show the promotion id: a run whose answer was lost can't be found by it",
    `add to the file: run-name: Deploy \${{ inputs.model_name }} \${{ inputs.model_version }} (\${{ inputs.promotion_id }})`,
  )
}

function judgeGuard({ hasGuard }: WorkflowText): Finding {
  if (hasGuard) return ok('guard', 'a step looks for an older run of the same promotion')
  return warning(
    'guard',
    'no step was seen that ends a second run of one promotion',
    'copy the job `once` of .github/workflows/cd_pipeline.yml, and have every other job need it',
  )
}

function textIn(file: Answer): string | undefined {
  if (file.kind === 'failed' || file.status !== 200) return undefined
  const { content, encoding } = (file.body ?? {}) as { content?: unknown; encoding?: unknown }
  if (typeof content !== 'string' || encoding !== 'base64') return undefined
  return Buffer.from(content, 'base64').toString('utf8')
}
