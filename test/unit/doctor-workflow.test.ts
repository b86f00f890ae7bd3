// What the doctor says of a workflow's file: what it declares against what is sent.
import { describe, expect, test } from 'vitest'
import type { Finding } from '../../standalone/doctor/finding.ts'
import { judgeWorkflow, showsId, type WorkflowFacts } from '../../standalone/doctor/workflow.ts'
import { readWorkflowText } from '../../standalone/doctor/workflow-text.ts'
import { INPUT_NAMES } from '../../worker/dispatch/inputs.ts'
import type { Answer } from '../../worker/github/answer.ts'
import { workflowText } from '../support/workflow-file.ts'

const answered = (status: number, body: unknown = {}): Answer => ({
  kind: 'answered',
  status,
  body,
  headers: {},
})
const fileOf = (text: string) =>
  answered(200, { type: 'file', encoding: 'base64', content: Buffer.from(text).toString('base64') })

function judged(change: Partial<WorkflowFacts>): Finding[] {
  return judgeWorkflow({
    answer: answered(200, { state: 'active' }),
    file: fileOf(workflowText('cd_pipeline.yml')),
    workflow: 'cd_pipeline.yml',
    ref: 'main',
    repository: 'acme/models',
    sent: INPUT_NAMES,
    ...change,
  })
}

const named = (findings: Finding[], name: string) => findings.filter((one) => one.name === name)

/** Our template with other inputs: each line of the text indented as it is under `inputs`. */
function withInputs(lines: string): string {
  return `on:\n  workflow_dispatch:\n    inputs:\n${lines.replaceAll(/^/gm, '      ')}\n`
}

const OURS = INPUT_NAMES.map((name) => `${name}: {}`).join('\n')

test('the template that comes with the relay is right in everything', () => {
  const findings = judged({})
  expect(findings.map(({ name, status }) => `${name} ${status}`)).toEqual(
    ['workflow', 'ref', 'trigger', 'inputs', 'run-name', 'guard'].map((name) => `${name} ok`),
  )
})

describe('inputs', () => {
  const ofInputs = (lines: string) => named(judged({ file: fileOf(withInputs(lines)) }), 'inputs')

  test('a required one that is not sent is a fault', () => {
    const [finding, ...more] = ofInputs(`${OURS}\nregion: { required: true }`)
    expect([finding?.status, more]).toEqual(['fault', []])
    expect(finding?.detail).toContain('requires region')
  })

  test.each(['region: { required: true, default: eu }', 'region: { required: false }'])(
    '%s is none',
    (line) => {
      expect(ofInputs(`${OURS}\n${line}`).map(({ status }) => status)).toEqual(['ok'])
    },
  )

  test('one of ours that it lacks and may lack is a warning, with what is lost and the lines to add', () => {
    const [finding, ...more] = ofInputs(OURS.replace('promotion_id: {}\n', ''))
    expect([finding?.status, more]).toEqual(['warning', []])
    expect(finding?.detail).toContain("a run whose answer was lost can't be found")
    expect(finding?.mend).toContain('promotion_id:\n    type: string')
  })

  test('one of ours that GitHub would refuse each dispatch for is a fault', () => {
    expect(ofInputs(OURS.replace('trigger_source: {}\n', '')).map(({ status }) => status)).toEqual(['fault'])
  })

  test.each([
    [
      'environment: {}',
      'environment: { type: choice, options: [production, staging] }',
      'environment takes production, staging only',
    ],
    ['model_version: {}', 'model_version: { type: number }', 'model_version takes a number only'],
    ['model_accuracy: {}', 'model_accuracy: { required: true }', 'model_accuracy is required'],
  ])('%s as %s warns of what will be refused', (ours, theirs, words) => {
    const [finding] = ofInputs(OURS.replace(ours, theirs))
    expect([finding?.status, finding?.detail]).toEqual(['warning', expect.stringContaining(words)])
  })
})

describe('the trigger', () => {
  test.each([
    'on: workflow_dispatch',
    'on: [push, workflow_dispatch]',
    'on: { workflow_dispatch: }',
    '"on":\n  workflow_dispatch:\n    inputs:',
  ])('is found in %j', (text) => {
    expect(readWorkflowText(text)).toMatchObject({ hasTrigger: true, inputs: {} })
  })

  test.each(['on: push', 'on: [push]', 'on: { push: }', 'jobs: {}'])('is not in %j', (text) => {
    const findings = judged({ file: fileOf(text) })
    expect(named(findings, 'trigger')[0]?.status).toBe('fault')
    expect(named(findings, 'inputs')[0]).toMatchObject({
      status: 'unknown',
      detail: 'not looked at: there is no trigger',
    })
  })
})

describe('run-name and guard', () => {
  const text = workflowText('cd_pipeline.yml')

  test('a run-name without the promotion id is warned of', () => {
    const without = text.replaceAll(/^run-name:[\s\S]*?\n\n/gm, 'run-name: Deploy\n\n')
    expect(named(judged({ file: fileOf(without) }), 'run-name')[0]?.status).toBe('warning')
    expect([showsId(fileOf(text)), showsId(fileOf(without)), showsId(answered(403))]).toEqual([
      true,
      false,
      undefined,
    ])
  })

  test('a workflow whose jobs look for no older run is warned of', () => {
    const without = text.replaceAll('listWorkflowRuns', 'nothing')
    expect(named(judged({ file: fileOf(without) }), 'guard')[0]?.status).toBe('warning')
  })
})

describe('what can not be read', () => {
  test.each([
    [
      'a workflow that is not there',
      { answer: answered(404), file: undefined },
      'workflow',
      'fault',
      'has no workflow',
    ],
    [
      'one that is disabled',
      { answer: answered(200, { state: 'disabled_inactivity' }) },
      'workflow',
      'fault',
      'disabled inactivity',
    ],
    [
      'a ref that is not there',
      { file: answered(404, { message: 'No commit found for the ref main' }) },
      'ref',
      'fault',
      'no branch or tag main',
    ],
    [
      'a file that is not on it',
      { file: answered(404, { message: 'Not Found' }) },
      'ref',
      'warning',
      'main has no cd_pipeline.yml',
    ],
    [
      'files that may not be read',
      { file: answered(403, { message: 'Resource not accessible' }) },
      'ref',
      'warning',
      'Resource not accessible',
    ],
    ['a server fault', { file: answered(500) }, 'ref', 'unknown', 'GitHub answered 500'],
    [
      'no answer',
      { file: { kind: 'failed', code: 'X', message: 'gone' } as Answer },
      'ref',
      'unknown',
      'gone',
    ],
    ['a file that is no YAML', { file: fileOf('on: [') }, 'trigger', 'fault', 'is no workflow'],
    ['a file that is no workflow', { file: fileOf('hello') }, 'trigger', 'fault', 'it holds no workflow'],
  ])('%s', (_, change, name, status, words) => {
    const findings = judged(change)
    expect(named(findings, name)[0]).toMatchObject({ status, detail: expect.stringContaining(words) })
    const rest = findings.slice(findings.findIndex((one) => one.name === name) + 1)
    // One that is disabled has a file all the same.
    const goesOn = findings.some(({ name: other, status: its }) => other === 'trigger' && its === 'ok')
    expect(goesOn || rest.every(({ detail }) => detail.startsWith('not looked at: '))).toBe(true)
  })
})
