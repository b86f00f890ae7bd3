// The workflow files: what the relay counts on, and what keeps a stranger's text and code out of them.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadSettings } from '../../shared/config.ts'
import { promotionFrom } from '../../shared/ledger/promotion-record.ts'
import { SMOKE_TEST } from '../../shared/smoke-test.ts'
import { inputsFor } from '../../worker/dispatch/inputs.ts'
import { OPTIONAL_INPUTS } from '../../worker/dispatch/outcome.ts'
import { ROOT } from '../support/up.ts'
import { workflowFile, workflowNames, workflowText } from '../support/workflow-file.ts'

const cd = workflowFile('cd_pipeline.yml')
const ci = workflowFile('ci.yml')

/** What is sent at the least: a promotion that says nothing it need not say. */
function leastSent(): Record<string, string> {
  const promotion = promotionFrom({
    id: '019ab000-0000-7000-8000-000000000001',
    state: 'dispatching',
    model: 'fraud-detector',
    version: '5',
    environment: 'production',
    source: 'automated_ct_pipeline',
  })
  if (!promotion) throw new Error('no promotion')
  return inputsFor(promotion)
}

describe('the CD workflow', () => {
  const declared = cd.on.workflow_dispatch?.inputs ?? {}

  test('declares the inputs that the relay sends, and no others, as texts', () => {
    expect(Object.keys(declared).sort()).toEqual(Object.keys(leastSent()).sort())
    expect(new Set(Object.values(declared).map(({ type }) => type))).toEqual(new Set(['string']))
  })

  test('requires only what the relay always sends', () => {
    const sent = leastSent()
    const required = Object.keys(declared).filter((name) => declared[name]?.required)
    expect(required).toEqual(['model_version'])
    for (const name of required) {
      expect(sent[name]).not.toBe('')
      expect(OPTIONAL_INPUTS).not.toContain(name)
    }
  })

  test('has the name that the relay dispatches by default, and starts on a push too', () => {
    const loaded = loadSettings({}, [])
    expect(workflowNames()).toContain(loaded.ok && loaded.settings.CD_WORKFLOW_NAME)
    expect(cd.on.push).toEqual({ branches: ['main'] })
  })

  test('shows the promotion id in the title of its runs, before what may be long', () => {
    const title = cd['run-name'] ?? ''
    expect(title.indexOf('inputs.promotion_id')).toBeGreaterThan(0)
    expect(title.indexOf('inputs.promotion_id')).toBeLessThan(title.indexOf('inputs.model_name'))
  })

  test('begins with the step that ends a second run, and everything waits for it', () => {
    expect(cd.jobs.once?.steps[0]?.name).toBe('End here if an older run carries the same promotion')
    expect(Object.values(cd.jobs).map(({ needs }) => needs)).toEqual([undefined, 'once', 'image'])
  })

  test('builds and deploys nothing for a smoke test', () => {
    expect(workflowText('cd_pipeline.yml')).toMatch(
      /^ {2}image:\n[\s\S]*? {4}if: inputs\.trigger_source != 'smoke_test'$/m,
    )
    expect(SMOKE_TEST.source).toBe('smoke_test')
  })

  test('deploys one at a time for a model and environment, and cancels none that runs', () => {
    expect(cd.concurrency).toBeUndefined()
    const { concurrency, environment = '' } = cd.jobs.deploy ?? {}
    expect(concurrency?.['cancel-in-progress']).toBe(false)
    expect(concurrency?.group).toContain('inputs.model_name || github.ref')
    expect(environment).toContain("inputs.environment || 'production'")
    expect(concurrency?.group.endsWith(environment)).toBe(true)
  })

  test('gives each job what it needs, and nothing more', () => {
    const permissions = Object.entries(cd.jobs).map(([name, job]) => [name, job.permissions])
    expect(cd.permissions).toEqual({})
    expect(Object.fromEntries(permissions)).toEqual({
      once: { actions: 'write' },
      image: { contents: 'read', packages: 'write' },
      deploy: undefined,
    })
  })
})

describe('the CI workflow', () => {
  test('runs the tests on each Node and each Redis that is supported', () => {
    expect(ci.jobs.test?.strategy?.matrix).toEqual({
      node: [22, 24, 26],
      redis: ['redis:7-alpine', 'redis:8-alpine', 'valkey/valkey:8-alpine'],
    })
    expect(Object.keys(ci.jobs)).toEqual(['check', 'test', 'python', 'ct', 'containers'])
  })

  test('runs npm scripts that there are', () => {
    const run = workflowText('ci.yml').matchAll(/npm (?:run )?((?:test|check|e2e)\S*)/g)
    const names = [...run].map(([, name]) => name)
    expect(names).toEqual([
      'check',
      'test:package',
      'test:browser',
      'test:bench',
      'test',
      'test:python',
      'e2e:ct',
      'test:containers',
    ])
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(names))
  })

  test('may read the repository, and nothing else', () => {
    expect(ci.permissions).toEqual({ contents: 'read' })
    expect(Object.values(ci.jobs).map(({ permissions }) => permissions)).toEqual(
      Object.keys(ci.jobs).map(() => undefined),
    )
  })
})

describe.each(workflowNames())('%s', (name) => {
  const steps = Object.values(workflowFile(name).jobs).flatMap((job) => job.steps)

  test('pins each action by its commit, and says the version beside it', () => {
    const used = workflowText(name).match(/^.*\buses:.*$/gm) ?? []
    expect(used.length).toBe(steps.filter(({ uses }) => uses).length)
    for (const line of used) expect(line).toMatch(/ uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test('puts no expression into a script: texts from outside come as variables', () => {
    const scripts = steps
      .flatMap((step) => [step.run, step.with?.script])
      .filter((text) => text !== undefined)
    expect(scripts.length).toBeGreaterThan(0)
    for (const script of scripts) expect(script).not.toContain('${{')
  })

  test('keeps no credentials in a checkout', () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))
    expect(checkouts.length).toBeGreaterThan(0)
    for (const step of checkouts) expect(step.with).toEqual({ 'persist-credentials': false })
  })
})

test('one action goes by one commit in every workflow', () => {
  const used = workflowNames().flatMap(
    (name) => workflowText(name).match(/[\w-]+\/[\w-]+@[0-9a-f]{40}/g) ?? [],
  )
  const actions = new Set(used.map((one) => one.split('@')[0]))
  expect(new Set(used).size).toBe(actions.size)
})

test.skipIf(!hasActionlint())('the workflows pass actionlint, that of the examples too', () => {
  expect(actionlint(['-no-color'])).toBe('')
  expect(actionlint(['-no-color', 'docs/examples/github-actions.yml'])).toBe('')
})

function hasActionlint(): boolean {
  try {
    return actionlint(['-version']) !== ''
  } catch {
    return false
  }
}

/** @returns what it says, also where it complains. @throws where there is none */
function actionlint(args: readonly string[]): string {
  try {
    return execFileSync('actionlint', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    if (stdout === undefined) throw error
    return `${stdout}${stderr}`
  }
}
