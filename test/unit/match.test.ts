// Whose run is it? By the promotion's id in its title; otherwise by time, and then only a person may decide.
import { describe, expect, test } from 'vitest'
import type { Run } from '../../worker/github/client.ts'
import { CLOCK_MARGIN_MS, type Listing, lookFor } from '../../worker/resolve/match.ts'

const ID = '019ab000-0000-7000-8000-000000000001'
const OTHER_ID = '019ab000-0000-7000-8000-00000000000f'
const FROM = Date.UTC(2026, 10, 23, 8)
const UNTIL = FROM + 35_000

function run(overrides: Partial<Run> = {}): Run {
  return {
    id: '15',
    htmlUrl: 'https://github.com/acme/models/actions/runs/15',
    displayTitle: 'CD',
    status: 'queued',
    conclusion: '',
    runAttempt: 1,
    createdAt: FROM + 1_000,
    updatedAt: FROM + 1_000,
    ...overrides,
  }
}

function look(runs: Run[], listing: Partial<Listing> = {}) {
  return lookFor({ id: ID, from: FROM, until: UNTIL }, { runs, proven: false, owners: new Map(), ...listing })
}

const NAMED = run({ id: '16', displayTitle: `Deploy fraud-detector 5 ${ID}` })
const FOUND = { kind: 'found', runId: '16', runUrl: NAMED.htmlUrl }
const NOT_LISTED = { kind: 'not_listed' }

describe('an id in a title', () => {
  test.each([true, false])('is certain, be it proven that titles show ids (%s) or not', (proven) => {
    expect(look([run(), NAMED, run({ id: '17' })], { proven })).toEqual(FOUND)
  })

  test('is certain whenever the run was created: clocks may be wrong', () => {
    expect(look([{ ...NAMED, createdAt: FROM - 3_600_000 }])).toEqual(FOUND)
    expect(look([{ ...NAMED, createdAt: Number.NaN }])).toEqual(FOUND)
  })

  test('of two runs with it the older one is meant: CD itself ends the later one', () => {
    const later = run({ id: '20', displayTitle: `Deploy fraud-detector 5 ${ID}`, createdAt: FROM + 9_000 })
    // GitHub lists the newest first.
    expect(look([later, NAMED])).toEqual(FOUND)
  })
})

describe('where titles are proven to show ids', () => {
  test('a run without its id is not its own, however near', () => {
    expect(look([run()], { proven: true })).toEqual(NOT_LISTED)
  })

  test('a run of another promotion is not its own', () => {
    expect(look([run({ displayTitle: `Deploy churn 1 ${OTHER_ID}` })], { proven: true })).toEqual(NOT_LISTED)
  })
})

describe('where nothing is proven', () => {
  test('no run at all means that it is not listed', () => {
    expect(look([])).toEqual(NOT_LISTED)
  })

  test('a run within its window that nobody explains goes to a person, and is named', () => {
    expect(look([run()])).toEqual({
      kind: 'unexplained',
      detail: expect.stringContaining('run 15 may be its own'),
    })
  })

  test('a run that is known to be somebody’s explains itself', () => {
    expect(look([run()], { owners: new Map([['15', OTHER_ID]]) })).toEqual(NOT_LISTED)
  })

  test.each([
    ['a margin before the intent', FROM - CLOCK_MARGIN_MS, 'unexplained'],
    ['earlier than that', FROM - CLOCK_MARGIN_MS - 1, 'not_listed'],
    ['a margin after the last moment', UNTIL + CLOCK_MARGIN_MS, 'unexplained'],
    ['later than that', UNTIL + CLOCK_MARGIN_MS + 1, 'not_listed'],
  ])('a run created %s is judged by the window', (_, createdAt, kind) => {
    expect(look([run({ createdAt })]).kind).toBe(kind)
  })

  test('a run whose time can not be read may be its own', () => {
    expect(look([run({ createdAt: Number.NaN })]).kind).toBe('unexplained')
  })

  test('of many that are not explained five are named', () => {
    const runs = Array.from({ length: 9 }, (_, n) => run({ id: String(n + 1) }))
    expect(look(runs)).toMatchObject({ detail: expect.stringContaining('run 1, 2, 3, 4, 5 may') })
  })
})
