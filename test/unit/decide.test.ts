// The decision table: each outcome's next step, and the limit of attempts.
import { describe, expect, test } from 'vitest'
import { decide, type Policy } from '../../worker/dispatch/decide.ts'
import type { Outcome } from '../../worker/dispatch/outcome.ts'

const POLICY: Policy = {
  maxAttempts: 8,
  backoff: { baseMs: 2_000, maxMs: 300_000 },
  circuitPauseMs: 60_000,
  repository: 'acme/models',
  workflow: 'cd_pipeline.yml',
}

function setup(overrides: Partial<Policy> = {}) {
  const policy = { ...POLICY, ...overrides }
  return {
    next: (outcome: Outcome, spent = 0, random = 0.5) => decide(outcome, { spent }, policy, () => random),
  }
}

const TRANSIENT: Outcome = {
  kind: 'transient',
  detail: 'nothing was sent: connect ECONNREFUSED',
  ours: false,
}

describe('each outcome has its next step', () => {
  const REPOSITORY = 'acme/models'
  const WORKFLOW = 'acme/models/cd_pipeline.yml'
  const waits = (scope: string, reason: string, waitMs = 60_000, untilReset = false) => ({
    kind: 'again',
    delayMs: 0,
    spend: false,
    circuit: { scope, reason, waitMs, untilReset },
  })
  const detail = 'GitHub answered'
  const rows: [string, Outcome, object][] = [
    [
      'dispatched with its run is tracked',
      { kind: 'dispatched', detail, runId: '7', runUrl: 'https://github.com/acme/models/actions/runs/7' },
      { kind: 'track', runId: '7', runUrl: 'https://github.com/acme/models/actions/runs/7' },
    ],
    ['dispatched without its run is tracked too', { kind: 'dispatched', detail }, { kind: 'track' }],
    [
      'adjusted is sent again at once, unspent',
      { kind: 'adjusted', detail, drop: { what: 'run_details' } },
      { kind: 'again', delayMs: 0, spend: false },
    ],
    [
      'rejected is dead-lettered at the first time',
      { kind: 'rejected', detail },
      { kind: 'dead_letter', exhausted: false },
    ],
    ...(['workflow_missing', 'workflow_disabled', 'no_trigger', 'bad_ref'] as const).map(
      (reason): [string, Outcome, object] => [
        `${reason} waits behind the workflow's circuit, unspent`,
        { kind: 'workflow_fault', reason, detail },
        waits(WORKFLOW, reason),
      ],
    ),
    ...(['credentials', 'permission', 'repository_missing', 'moved', 'refused'] as const).map(
      (reason): [string, Outcome, object] => [
        `${reason} waits behind the repository's circuit, unspent`,
        { kind: 'repository_fault', reason, detail },
        waits(REPOSITORY, reason),
      ],
    ),
    [
      'throttled waits for as long as GitHub said',
      { kind: 'throttled', detail, waitMs: 17_000 },
      waits(REPOSITORY, 'throttled', 17_000, true),
    ],
    [
      'throttled without a time waits for our own pause, which grows',
      { kind: 'throttled', detail },
      waits(REPOSITORY, 'throttled', 60_000, false),
    ],
    ['transient backs off and is spent', TRANSIENT, { kind: 'again', delayMs: 1_000, spend: true }],
    [
      'transient by our own doing backs off, unspent',
      { ...TRANSIENT, ours: true },
      { kind: 'again', delayMs: 1_000, spend: false },
    ],
    ['unknown is never sent again on a guess', { kind: 'unknown', detail }, { kind: 'unknown' }],
  ]
  test.each(rows)('%s', (_, outcome, expected) => {
    expect(setup().next(outcome)).toEqual(expected)
  })
})

describe('the limit of attempts', () => {
  test('seven failures are followed by another attempt, the eighth by the dead letter', () => {
    const { next } = setup()
    const steps = [0, 1, 2, 3, 4, 5, 6, 7].map((spent) => next(TRANSIENT, spent).kind)
    expect(steps).toEqual([...Array(7).fill('again'), 'dead_letter'])
  })

  test('the dead letter of an exhausted one gives way to a newer promotion', () => {
    expect(setup().next(TRANSIENT, 7)).toEqual({ kind: 'dead_letter', exhausted: true })
  })

  test('each failure backs off longer than the one before', () => {
    const { next } = setup()
    const delays = [0, 1, 2, 3, 4, 5, 6].map((spent) => next(TRANSIENT, spent, 0.5))
    expect(delays.map((step) => 'delayMs' in step && step.delayMs)).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000,
    ])
  })

  test('with one attempt allowed, the first failure is the last', () => {
    expect(setup({ maxAttempts: 1 }).next(TRANSIENT, 0)).toEqual({ kind: 'dead_letter', exhausted: true })
  })

  test('a count beyond the limit, after the limit was lowered, ends as well', () => {
    expect(setup().next(TRANSIENT, 99)).toEqual({ kind: 'dead_letter', exhausted: true })
  })

  test('what is not the fault of the promotion never spends it, however often it comes', () => {
    const { next } = setup()
    const faults: Outcome[] = [
      { kind: 'workflow_fault', reason: 'bad_ref', detail: '' },
      { kind: 'repository_fault', reason: 'credentials', detail: '' },
      { kind: 'throttled', detail: '' },
      { kind: 'transient', detail: '', ours: true },
      { kind: 'adjusted', detail: '', drop: { what: 'api_version' } },
    ]
    for (const fault of faults) expect(next(fault, 1_000)).toMatchObject({ kind: 'again', spend: false })
  })

  test('an unknown one is looked for, not dead-lettered, also at the limit', () => {
    expect(setup().next({ kind: 'unknown', detail: '' }, 7)).toEqual({ kind: 'unknown' })
  })

  test('a dispatched one is tracked, also at the limit', () => {
    expect(setup().next({ kind: 'dispatched', detail: '', runId: '7' }, 99)).toMatchObject({ kind: 'track' })
  })
})
