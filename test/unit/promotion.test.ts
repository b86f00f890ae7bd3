// Bad input of every kind: refused with every problem at once, each with its field and readable words.
import { describe, expect, test } from 'vitest'
import {
  idempotencyKeySchema,
  type ValidPromotion,
  validate,
  validatePromotion,
} from '../../shared/promotion.ts'

const MINIMAL = { model: 'fraud-detector', version: '5' }

function setup(overrides: object = {}) {
  const result = validatePromotion({ ...MINIMAL, ...overrides })
  return {
    value: result.ok ? result.value : undefined,
    /** `field: problem`, as a person would read it. */
    problems: result.ok ? [] : result.problems.map(({ field, problem }) => `${field}: ${problem}`),
  }
}

function problemsOf(input: unknown): string[] {
  const result = validatePromotion(input)
  return result.ok ? [] : result.problems.map(({ field, problem }) => `${field}: ${problem}`)
}

/** As it comes in over HTTP: `__proto__` is a field like any other there. */
function fromJson(text: string): unknown {
  return JSON.parse(text)
}

describe('a promotion', () => {
  test('needs a model and a version; the rest has defaults', () => {
    expect(setup().value).toEqual({
      model: 'fraud-detector',
      version: '5',
      environment: 'production',
      source: 'automated_ct_pipeline',
      rollback: false,
    } satisfies ValidPromotion)
  })

  test('may say everything', () => {
    const full = {
      model: 'Betrugs-Erkennung (EU) 検知',
      version: '2026.11-rc1',
      accuracy: 0.9234,
      environment: 'staging-eu_1.b',
      source: 'nightly',
      rollback: true,
      metrics: { f1: 0.9, loss: -1.5, 'AUC (test)': 0.99 },
    }
    expect(setup(full).value).toEqual(full)
  })

  test.each([
    [0, '0'],
    [5, '5'],
    [20261123, '20261123'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ])('takes the number %d as a version', (version, text) => {
    expect(setup({ version }).value?.version).toBe(text)
  })

  test.each([0, 1, 0.5, 5e-324])('takes an accuracy of %d', (accuracy) => {
    expect(setup({ accuracy }).value?.accuracy).toBe(accuracy)
  })

  test('takes names and versions of the full length', () => {
    const longest = { model: 'm'.repeat(250), version: 'v'.repeat(100), environment: 'e'.repeat(100) }
    expect(setup(longest).value).toMatchObject(longest)
  })

  test('takes what is undefined as not given', () => {
    const given = { accuracy: undefined, environment: undefined, source: undefined, metrics: undefined }
    expect(setup(given).value).toMatchObject({ environment: 'production', source: 'automated_ct_pipeline' })
  })
})

describe('what is no promotion at all', () => {
  test.each([
    ['null', null],
    ['text', 'fraud-detector'],
    ['a number', 5],
    ['a list', [MINIMAL]],
    ['a function', () => MINIMAL],
    ['a boolean', true],
  ])('%s must be an object', (_, input) => {
    expect(problemsOf(input)).toEqual([': must be an object'])
  })

  test('nothing is missing', () => {
    expect(problemsOf(undefined)).toEqual([': is missing'])
  })

  test.each([
    ['an empty object', {}],
    ['a date', new Date(0)],
    ['a map', new Map(Object.entries(MINIMAL))],
  ])('%s lacks its fields', (_, input) => {
    expect(problemsOf(input)).toEqual(['model: is missing', 'version: is missing'])
  })
})

describe('one wrong field', () => {
  const TEXT = 'must not contain control characters'
  const rows: [string, object, string][] = [
    ['an empty model', { model: '' }, 'model: must not be empty'],
    ['a model of white space', { model: ' ' }, 'model: must not begin or end with white space'],
    ['a model with a trailing space', { model: 'm ' }, 'model: must not begin or end with white space'],
    ['an overlong model', { model: 'm'.repeat(251) }, 'model: must be at most 250 characters long'],
    ['a model that is a number', { model: 5 }, 'model: must be a string'],
    ['a model that is null', { model: null }, 'model: must be a string'],
    ['a line feed', { model: 'a\nb' }, `model: ${TEXT}`],
    ['a NUL', { model: 'a\u0000b' }, `model: ${TEXT}`],
    ['an escape sequence', { model: 'a\u001b[2Jb' }, `model: ${TEXT}`],
    ['a C1 control character', { model: 'a\u0085b' }, `model: ${TEXT}`],
    ['a direction override', { model: 'a\u202eb' }, `model: ${TEXT}`],
    ['a zero-width space', { model: 'a\u200bb' }, `model: ${TEXT}`],
    ['a byte order mark', { model: 'a\ufeffb' }, `model: ${TEXT}`],
    ['a line separator', { model: 'a\u2028b' }, `model: ${TEXT}`],
    ['a lone high surrogate', { model: 'a\ud800b' }, `model: ${TEXT}`],
    ['a lone low surrogate', { model: 'a\udc00b' }, `model: ${TEXT}`],
    ['an empty version', { version: '' }, 'version: must not be empty'],
    ['an overlong version', { version: '1'.repeat(101) }, 'version: must be at most 100 characters long'],
    ['a control character in a version', { version: '5\u0007' }, `version: ${TEXT}`],
    ...[null, true, -1, 1.5, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY, 5n, ['5'], {}].map(
      (version): [string, object, string] => [
        `a version that is ${typeof version === 'object' ? JSON.stringify(version) : version}`,
        { version },
        'version: must be text, or a whole number',
      ],
    ),
    ['an accuracy above 1', { accuracy: 1.0001 }, 'accuracy: must be between 0 and 1'],
    ['an accuracy in per cent', { accuracy: 92.34 }, 'accuracy: must be between 0 and 1'],
    ['an accuracy below 0', { accuracy: -0.0001 }, 'accuracy: must be between 0 and 1'],
    ['NaN as accuracy', { accuracy: Number.NaN }, 'accuracy: must be a number'],
    ['Infinity as accuracy', { accuracy: Number.POSITIVE_INFINITY }, 'accuracy: must be a number'],
    ['text as accuracy', { accuracy: '0.9' }, 'accuracy: must be a number'],
    ['null as accuracy', { accuracy: null }, 'accuracy: must be a number'],
    ...['a/b', 'a b', '-a', '.', '..', 'a:b', '{a}', 'prod\n', 'ü'].map(
      (environment): [string, object, string] => [
        `the environment ${JSON.stringify(environment)}`,
        { environment },
        "environment: may hold letters, digits, '.', '_' and '-' only",
      ],
    ),
    [
      'an overlong environment',
      { environment: 'e'.repeat(101) },
      'environment: must be at most 100 characters long',
    ],
    ['an environment that is null', { environment: null }, 'environment: must be a string'],
    ['an empty source', { source: '' }, 'source: must not be empty'],
    ['an overlong source', { source: 's'.repeat(101) }, 'source: must be at most 100 characters long'],
    ['a rollback that is text', { rollback: 'true' }, 'rollback: must be a boolean'],
    ['a rollback that is a number', { rollback: 1 }, 'rollback: must be a boolean'],
    ['metrics that are a list', { metrics: [0.9] }, 'metrics: must be an object'],
    ['metrics that are null', { metrics: null }, 'metrics: must be an object'],
    ['a figure that is text', { metrics: { f1: '0.9' } }, 'metrics.f1: must be a number'],
    ['a figure that is NaN', { metrics: { f1: Number.NaN } }, 'metrics.f1: must be a number'],
    [
      'a figure that is infinite',
      { metrics: { f1: Number.NEGATIVE_INFINITY } },
      'metrics.f1: must be a number',
    ],
    ['a figure without a name', { metrics: { '': 1 } }, 'metrics.: its name must not be empty'],
    [
      'a figure with a hostile name',
      { metrics: { 'a\u0000b': 1 } },
      'metrics.a?b: its name must not contain control characters',
    ],
    ['a field nobody knows', { colour: 'red' }, 'colour: is not a known field'],
    ['a field in other letters', { Model: 'm' }, 'Model: is not a known field'],
    ['an id that is none', { id: 'x' }, 'id: must be a UUIDv7'],
    ['a time that is none', { promotedAt: 'x' }, 'promotedAt: must be a time such as 2026-08-01T12:00:00Z'],
  ]
  test.each(rows)('%s is refused', (_, overrides, problem) => {
    expect(setup(overrides).problems).toEqual([problem])
  })
})

describe('everything wrong is told at once', () => {
  test('across fields', () => {
    const input = {
      version: -1,
      accuracy: 7,
      environment: 'a/b',
      source: ' x',
      rollback: 'no',
      metrics: { a: 'x', b: null },
      colour: 1,
      shape: 2,
    }
    expect(problemsOf(input)).toEqual([
      'model: is missing',
      'version: must be text, or a whole number',
      'accuracy: must be between 0 and 1',
      "environment: may hold letters, digits, '.', '_' and '-' only",
      'source: must not begin or end with white space',
      'rollback: must be a boolean',
      'metrics.a: must be a number',
      'metrics.b: must be a number',
      'colour: is not a known field',
      'shape: is not a known field',
    ])
  })

  test('within one field', () => {
    expect(setup({ model: ` \u0000${'x'.repeat(300)}` }).problems).toEqual([
      'model: must be at most 250 characters long',
      'model: must not contain control characters',
      'model: must not begin or end with white space',
    ])
  })

  test('no words of the schema library come through', () => {
    const everything = problemsOf({
      model: {},
      version: {},
      accuracy: {},
      environment: 1,
      source: 1,
      rollback: 1,
      metrics: 1,
    })
    expect(everything).toHaveLength(7)
    for (const problem of everything)
      expect(problem).not.toMatch(/invalid|expected|received|too (small|big)|record/i)
  })
})

describe('hostile sizes', () => {
  test('fifty figures are kept, fifty-one refused', () => {
    expect(setup({ metrics: figures(50) }).value?.metrics).toEqual(figures(50))
    expect(setup({ metrics: figures(51) }).problems).toEqual(['metrics: must hold at most 50 figures'])
  })

  test('a hundred thousand figures get one answer', () => {
    expect(setup({ metrics: figures(100_000) }).problems).toEqual(['metrics: must hold at most 50 figures'])
  })

  test.each([
    ['figures', { metrics: Object.fromEntries(Object.keys(figures(100_000)).map((name) => [name, 'x'])) }],
    ['fields', figures(100_000)],
  ])('a hundred thousand wrong %s are not answered by as many problems', (_, overrides) => {
    const { problems } = setup(overrides)
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)).toMatch(/^: has 99\d{3} further problems$/)
  })

  test('a text of a megabyte is refused, and not repeated', () => {
    const { problems } = setup({ model: 'x'.repeat(1_000_000) })
    expect(problems.join().length).toBeLessThan(100)
  })

  function figures(count: number) {
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [`figure-${i}`, i]))
  }
})

describe('hostile names', () => {
  test('are shown cut, printable and well-formed', () => {
    const names = [
      '\u001b[31mred',
      '\u202eabc',
      'a\u2028b',
      '\ud800',
      'z'.repeat(10_000),
      `${'y'.repeat(59)}😀`,
    ]
    const { problems } = setup(Object.fromEntries(names.map((name) => [name, 1])))
    expect(problems).toEqual([
      '?[31mred: is not a known field',
      '?abc: is not a known field',
      'a?b: is not a known field',
      '\ufffd: is not a known field',
      `${'z'.repeat(60)}: is not a known field`,
      `${'y'.repeat(59)}\ufffd: is not a known field`,
    ])
  })

  test('a __proto__ is a field that nobody knows, and gives nothing', () => {
    expect(problemsOf(fromJson('{"__proto__": {"model": "m", "version": "1"}}'))).toEqual([
      'model: is missing',
      'version: is missing',
      '__proto__: is not a known field',
    ])
  })

  test('constructor, toString and hasOwnProperty are fields that nobody knows', () => {
    const input = fromJson('{"model":"m","version":"1","constructor":1,"toString":2,"hasOwnProperty":3}')
    expect(problemsOf(input)).toEqual([
      'constructor: is not a known field',
      'toString: is not a known field',
      'hasOwnProperty: is not a known field',
    ])
  })

  test('a figure named __proto__ reaches no prototype, and a figure named constructor is a figure', () => {
    const result = validatePromotion(
      fromJson('{"model":"m","version":"1","metrics":{"__proto__":{"polluted":1},"constructor":2}}'),
    )
    if (!result.ok) throw new Error('refused')
    expect(Object.entries(result.value.metrics ?? {})).toEqual([['constructor', 2]])
    expect((result.value.metrics as Record<string, unknown>).polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('an idempotency key', () => {
  test('is text of at most 255 characters', () => {
    expect(validate(idempotencyKeySchema, 'run-17/step 3')).toEqual({ ok: true, value: 'run-17/step 3' })
    expect(validate(idempotencyKeySchema, 'k'.repeat(255)).ok).toBe(true)
  })

  test.each([
    ['', 'must not be empty'],
    ['k'.repeat(256), 'must be at most 255 characters long'],
    ['a\r\nb', 'must not contain control characters'],
    [' a', 'must not begin or end with white space'],
    [17, 'must be a string'],
  ])('%j is refused', (key, problem) => {
    expect(validate(idempotencyKeySchema, key)).toEqual({ ok: false, problems: [{ field: '', problem }] })
  })
})
