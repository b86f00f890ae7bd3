// The scripts of the CD workflow, as they stand in its file: the first step against the simulator over real HTTP, by
// the same client that GitHub's runner gives it; and the summary.
import { Octokit } from '@octokit/rest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type SimulatorOptions, startSimulator } from '../github-simulator/simulator.ts'
import { stepOf, workflowFile } from '../support/workflow-file.ts'

const FILE = 'cd_pipeline.yml'
const REPOSITORY = { owner: 'acme', repo: 'models' }
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const PROMOTION = '019ab000-0000-7000-8000-000000000001'
const OTHER = '019ab000-0000-7000-8000-000000000002'
const file = workflowFile(FILE)

type Environment = Record<string, string>
interface Scope {
  github: Octokit
  context: { repo: typeof REPOSITORY; runId: number; runNumber: number }
  core: object
  process: { env: Environment }
  setTimeout: (then: () => void) => void
}

/** actions/github-script makes a script the body of an async function, whose arguments these are. */
async function runScript(step: string, scope: Partial<Scope>): Promise<void> {
  const AsyncFunction = (async () => {}).constructor as new (
    ...text: string[]
  ) => (...given: unknown[]) => Promise<void>
  const script = String(stepOf(file, 'once', step).with?.script)
  await new AsyncFunction(...Object.keys(scope), script)(...Object.values(scope))
}

async function setup(options: SimulatorOptions = {}) {
  const inputs = file.on.workflow_dispatch?.inputs ?? {}
  const simulator = await startSimulator({
    workflows: [{ file: FILE, inputs }],
    runMs: 600_000,
    ...options,
  })
  onTestFinished(simulator.close)
  const github = new Octokit({ baseUrl: simulator.url, auth: 'token', log: SILENT })
  const errors: string[] = []

  async function dispatch(promotion_id: string) {
    await github.rest.actions.createWorkflowDispatch({
      ...REPOSITORY,
      workflow_id: FILE,
      ref: 'main',
      inputs: { model_name: 'fraud-detector', model_version: '5', promotion_id },
    })
    const run = simulator.runs.at(-1)
    if (!run) throw new Error('no run')
    return run
  }

  /** What its first step does in a run. The pauses of a minute take a moment. */
  const firstStep = (run: { id: number; runNumber: number }, promotion: string) =>
    runScript('End here if an older run carries the same promotion', {
      github,
      context: { repo: REPOSITORY, runId: run.id, runNumber: run.runNumber },
      core: { error: (text: string) => errors.push(text) },
      process: {
        env: {
          PROMOTION_ID: promotion,
          GITHUB_WORKFLOW_REF: `acme/models/.github/workflows/${FILE}@refs/heads/main`,
        },
      },
      setTimeout: (then) => void setTimeout(then, 50),
    })

  const cancelled = () => simulator.log.filter(({ path }) => path.endsWith('/cancel')).map(({ path }) => path)
  return { simulator, dispatch, firstStep, errors, cancelled }
}

describe('the first step', () => {
  test('lets the only run of a promotion go on', async () => {
    const { dispatch, firstStep, cancelled } = await setup()
    await dispatch(OTHER)
    await firstStep(await dispatch(PROMOTION), PROMOTION)
    await dispatch(OTHER)
    expect(cancelled()).toEqual([])
  })

  test('cancels a second run of the same promotion, and says which is the first', async () => {
    const { dispatch, firstStep, errors, cancelled } = await setup()
    const first = await dispatch(PROMOTION)
    const second = await dispatch(PROMOTION)
    await expect(firstStep(second, PROMOTION)).rejects.toThrow('The cancellation did not arrive')
    expect(cancelled()).toEqual([`/repos/acme/models/actions/runs/${second.id}/cancel`])
    expect(errors).toEqual([
      expect.stringContaining(`/runs/${first.id} carries promotion ${PROMOTION} already`),
    ])
  })

  test('lets the first one go on, though a second one is there', async () => {
    const { dispatch, firstStep, cancelled } = await setup()
    const first = await dispatch(PROMOTION)
    await dispatch(PROMOTION)
    await firstStep(first, PROMOTION)
    expect(cancelled()).toEqual([])
  })

  test.each(['success', 'failure', 'cancelled'])(
    'counts a first one that ended as %s',
    async (conclusion) => {
      const { simulator, dispatch, firstStep, cancelled } = await setup()
      simulator.complete((await dispatch(PROMOTION)).id, conclusion)
      await expect(firstStep(await dispatch(PROMOTION), PROMOTION)).rejects.toThrow('did not arrive')
      expect(cancelled()).toHaveLength(1)
    },
  )

  test('finds the first one behind more runs than one page lists', async () => {
    const { dispatch, firstStep, cancelled } = await setup()
    await dispatch(PROMOTION)
    for (let others = 0; others < 120; others += 1) await dispatch(OTHER)
    await expect(firstStep(await dispatch(PROMOTION), PROMOTION)).rejects.toThrow('did not arrive')
    expect(cancelled()).toHaveLength(1)
  })

  test('waits until its own run is listed, since an older one may be listed as late', async () => {
    const { dispatch, firstStep, cancelled, simulator } = await setup({ listDelayMs: 200 })
    await dispatch(PROMOTION)
    await expect(firstStep(await dispatch(PROMOTION), PROMOTION)).rejects.toThrow('did not arrive')
    expect(cancelled()).toHaveLength(1)
    expect(simulator.log.filter(({ method }) => method === 'GET').length).toBeGreaterThan(1)
  })

  test('fails, and so deploys nothing, where nobody can tell', async () => {
    const unlisted = await setup({ listDelayMs: 600_000 })
    await expect(unlisted.firstStep(await unlisted.dispatch(PROMOTION), PROMOTION)).rejects.toThrow(
      'not listed',
    )
    const { simulator, dispatch, firstStep } = await setup()
    const run = await dispatch(PROMOTION)
    simulator.fault({ kind: 'status-before', status: 502, on: 'list-runs', message: 'Bad gateway' })
    await expect(firstStep(run, PROMOTION)).rejects.toThrow('Bad gateway')
  })
})

describe('the summary', () => {
  async function summaryOf(env: Environment): Promise<string> {
    let text = ''
    const summary = { addRaw: (more: string) => (text += more), write: async () => {} }
    const none = {
      MODEL_NAME: '',
      MODEL_VERSION: '',
      MODEL_ACCURACY: '',
      ENVIRONMENT: '',
      TRIGGER_SOURCE: '',
      PROMOTION_ID: '',
    }
    await runScript('Tell what is promoted', { core: { summary }, process: { env: { ...none, ...env } } })
    return text
  }

  test('shows what training promoted', async () => {
    const text = await summaryOf({
      MODEL_NAME: 'fraud detector',
      MODEL_VERSION: '5',
      MODEL_ACCURACY: '1',
      ENVIRONMENT: 'production',
      TRIGGER_SOURCE: 'nightly',
      PROMOTION_ID: 'p1',
    })
    expect(text.split('\n')).toEqual([
      '## Promoted',
      '',
      '| | |',
      '|---|---|',
      '| Model | fraud detector |',
      '| Version | 5 |',
      '| Accuracy | 1 |',
      '| Environment | production |',
      '| Asked for by | nightly |',
      '| Promotion | p1 |',
      '',
    ])
  })

  test('shows a dash for what nobody gave', async () => {
    expect(await summaryOf({ MODEL_VERSION: '5' })).toContain('| Accuracy | - |')
  })

  test('shows texts from outside as they are: no markup, no link, no further row', async () => {
    const hostile = '<img src=x>|[a](https://example.com)`x`\n| Version | 6 |\n**é**'
    const line = (await summaryOf({ MODEL_NAME: hostile }))
      .split('\n')
      .find((one) => one.startsWith('| Model '))
    expect(line).toMatch(/^\| Model \| [\p{L}\p{N} &#;]+ \|$/u)
    const shown = line
      ?.slice('| Model | '.length, -2)
      .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code))
    expect(shown).toBe(hostile)
  })
})
