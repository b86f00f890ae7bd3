import { expect, test } from 'vitest'
import { sentThoughHeld } from '../chaos/held.ts'
import { needlessDoubts } from '../chaos/needless.ts'
import { type Ended, type Evidence, judge, judgePlain, type RunSeen } from '../chaos/verdict.ts'

const MADE_AT = Date.parse('2026-11-01T12:00:00Z')
/** A UUIDv7 made at a time. */
const idMadeAt = (ms: number) => {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
const ID = idMadeAt(MADE_AT)
const answer = (id: string, more: object = {}) => ({
  id,
  status: 'accepted' as const,
  target: 'fraud',
  version: '1',
  key: '',
  askedAt: MADE_AT,
  answeredAt: MADE_AT + 10,
  ...more,
})
const ended = (id: string, state: string, more: Partial<Ended> = {}): Ended => ({
  id,
  target: 'production/fraud',
  seq: 1,
  version: '1',
  acceptedAt: MADE_AT,
  state,
  rollback: false,
  ...more,
})
const run = (id: string, promotionId: string, conclusion: string | null = 'success'): RunSeen => ({
  id,
  promotionId,
  isRollback: false,
  createdAt: MADE_AT + 100,
  conclusion,
  ends: conclusion === null ? [] : [{ attempt: 1, conclusion, at: MADE_AT + 200 }],
})
/** Ends of its attempts, at seconds after its creation; the last is the newest. */
const runAgain = (id: string, promotionId: string, ...ends: [conclusion: string, s: number][]): RunSeen => ({
  ...run(id, promotionId, ends.at(-1)?.[0] ?? null),
  ends: ends.map(([conclusion, s], index) => ({ attempt: index + 1, conclusion, at: MADE_AT + s * 1_000 })),
})
const evidence = (more: Partial<Evidence>): Evidence => ({
  answers: [],
  promotions: [],
  runs: [],
  windows: [],
  live: new Map(),
  needless: [],
  sentThoughHeld: [],
  ...more,
})

test('a promotion that is deployed by its own run that succeeded is well', () => {
  const verdict = judge(
    evidence({
      answers: [answer(ID)],
      promotions: [ended(ID, 'deployed', { runId: '7' })],
      runs: [run('7', ID)],
      live: new Map([['production/fraud', '1']]),
    }),
  )
  expect(verdict).toMatchObject({ lost: [], doubled: [], stale: [], stuck: [], ends: { deployed: 1 } })
})

test('what was accepted and is not in the ledger is lost', () => {
  expect(judge(evidence({ answers: [answer(ID)] })).lost).toMatchObject([{ promotionId: ID }])
})

test('what was accepted within the lost second of a restart is counted apart', () => {
  const windows = [{ from: MADE_AT - 500, to: MADE_AT + 500 }]
  const verdict = judge(evidence({ answers: [answer(ID)], runs: [run('7', ID)], windows }))
  expect(verdict).toMatchObject({ lost: [], inWindow: [ID] })
})

test('a restart excuses nothing that was accepted before its window', () => {
  const windows = [{ from: MADE_AT + 11, to: MADE_AT + 1_000 }]
  expect(judge(evidence({ answers: [answer(ID)], windows })).lost).toHaveLength(1)
})

test('a run whose promotion the ledger does not know is lost, though nobody was told of it', () => {
  expect(judge(evidence({ runs: [run('7', ID)] })).lost).toMatchObject([{ promotionId: ID }])
})

test.each([
  ['deployed, and its run failed', ended(ID, 'deployed', { runId: '7' }), [run('7', ID, 'failure')]],
  [
    'deployed by the run of another',
    ended(ID, 'deployed', { runId: '7' }),
    [run('7', idMadeAt(MADE_AT + 1))],
  ],
  ['superseded by nothing', ended(ID, 'superseded', { supersededBy: 'gone' }), []],
  ['skipped', ended(ID, 'skipped'), []],
])('a ledger that says what is not so has lost a promotion: %s', (_case, promotion, runs) => {
  const other = ended(idMadeAt(MADE_AT + 1), 'deployed', { seq: 2, runId: '7' })
  const { lost } = judge(evidence({ promotions: [promotion, other], runs }))
  expect(lost).toContainEqual(expect.objectContaining({ promotionId: ID }))
})

test('superseded, although its run was started, is lost', () => {
  const newer = idMadeAt(MADE_AT + 1)
  const { lost } = judge(
    evidence({
      promotions: [
        ended(ID, 'superseded', { supersededBy: newer }),
        ended(newer, 'deployed', { seq: 2, runId: '8' }),
      ],
      runs: [run('7', ID), run('8', newer)],
      live: new Map([['production/fraud', '1']]),
    }),
  )
  expect(lost).toMatchObject([{ promotionId: ID, why: 'it has given way, although run 7 was started' }])
})

test('a target whose last success is not the one called live has lost it', () => {
  const { lost } = judge(
    evidence({
      promotions: [ended(ID, 'deployed', { runId: '7', version: '2' })],
      runs: [run('7', ID)],
      live: new Map([['production/fraud', '1']]),
    }),
  )
  expect(lost).toMatchObject([{ why: 'last to succeed for production/fraud, and 1 is called live' }])
})

test.each<[string, Parameters<typeof runAgain>[2][], string]>([
  [
    'has succeeded again after it',
    [
      ['success', 1],
      ['success', 9],
    ],
    '1',
  ],
  [
    'has failed as it was started again',
    [
      ['success', 1],
      ['failure', 9],
    ],
    '2',
  ],
  [
    'has succeeded again before it',
    [
      ['failure', 1],
      ['success', 3],
    ],
    '2',
  ],
])('what is live has succeeded last by the time of GitHub, where an older run %s', (_case, ends, live) => {
  const newer = idMadeAt(MADE_AT + 1)
  const promotions = [
    ended(ID, ends[0]?.[0] === 'success' ? 'deployed' : 'failed', { runId: '7', version: '1' }),
    ended(newer, 'deployed', { seq: 2, runId: '8', version: '2' }),
  ]
  const runs = [runAgain('7', ID, ...ends), runAgain('8', newer, ['success', 5])]
  const lost = (version: string) =>
    judge(evidence({ promotions, runs, live: new Map([['production/fraud', version]]) })).lost

  expect(lost(live)).toEqual([])
  expect(lost(live === '1' ? '2' : '1')).toHaveLength(1)
})

test('a success that was begun anew before anybody looked may be live, or not', () => {
  const runs = [
    runAgain('7', ID, ['success', 1]),
    runAgain('8', idMadeAt(MADE_AT + 1), ['success', 5], ['failure', 9]),
  ]
  const promotions = [
    ended(ID, 'deployed', { runId: '7', version: '1' }),
    ended(idMadeAt(MADE_AT + 1), 'failed', { seq: 2, runId: '8', version: '2' }),
  ]
  for (const version of ['1', '2']) {
    const live = new Map([['production/fraud', version]])
    expect(judge(evidence({ promotions, runs, live })).lost).toEqual([])
  }
})

const OTHER = idMadeAt(MADE_AT + 1)
const failed = (more: Partial<Ended> = {}) => ended(ID, 'failed', { runId: '7', version: '2', ...more })
const back = (more: Partial<Ended> = {}) =>
  ended(OTHER, 'deployed', { seq: 2, runId: '8', rollback: true, parent: ID, ...more })
const FIRST = idMadeAt(MADE_AT - 1)

test.each<[string, Ended[], number]>([
  ['puts right a failure by what was live', [failed(), back()], 0],
  ['puts right a rollback', [failed({ rollback: true }), back()], 1],
  ['puts right what did not fail', [failed({ state: 'cancelled' }), back()], 1],
  ['puts back what was never live', [failed(), back({ version: '9' })], 1],
])('a rollback that %s', (_case, promotions, faults) => {
  const all = [ended(FIRST, 'deployed', { seq: 0, runId: '6' }), ...promotions]
  const runs = [run('6', FIRST), run('7', ID, 'failure'), run('8', OTHER)]
  expect(judge(evidence({ promotions: all, runs })).stale).toHaveLength(faults)
})

test('a version is skipped after a rollback, and else it is lost', () => {
  const skipped = ended(OTHER, 'skipped', { seq: 3 })
  const rollback = ended(ID, 'deployed', { runId: '7', rollback: true })
  const live = new Map([['production/fraud', '1']])
  expect(judge(evidence({ promotions: [rollback, skipped], runs: [run('7', ID)], live })).lost).toEqual([])
  expect(judge(evidence({ promotions: [skipped] })).lost).toMatchObject([{ promotionId: OTHER }])
})

test('what is sent while a person holds its target is told, but for a rollback and what was claimed before', () => {
  const holds = [{ target: 'production/fraud', from: 1_000, to: 5_000 }]
  const post = (at: number, isRollback = false) => ({ promotionId: ID, at, isRollback })
  const faults = (posts: ReturnType<typeof post>[], windows: { from: number; to: number }[] = []) =>
    sentThoughHeld({ holds, posts, targetOf: () => 'production/fraud', windows, sendDeadlineMs: 1_000 })

  expect(faults([post(3_000)])).toMatchObject([{ promotionId: ID }])
  expect(faults([post(900), post(1_900), post(3_000, true), post(5_100)])).toEqual([])
  expect(faults([post(3_000)], [{ from: 500, to: 1_500 }])).toEqual([])
})

test('two runs of one promotion are a double', () => {
  const promotions = [ended(ID, 'deployed', { runId: '7' })]
  expect(judge(evidence({ promotions, runs: [run('7', ID), run('8', ID)] })).doubled).toHaveLength(1)
})

test('two promotions of one idempotency key are a double', () => {
  const other = idMadeAt(MADE_AT + 1)
  const answers = [answer(ID, { key: 'k' }), answer(other, { key: 'k' })]
  const promotions = [ended(ID, 'deployed', { runId: '7' }), ended(other, 'deployed', { seq: 2, runId: '8' })]
  const { doubled } = judge(evidence({ answers, promotions, runs: [run('7', ID), run('8', other)] }))
  expect(doubled).toMatchObject([{ why: expect.stringContaining('key k') }])
})

test('a run of an earlier promotion after one of a later is stale', () => {
  const newer = idMadeAt(MADE_AT + 1)
  const promotions = [ended(ID, 'deployed', { runId: '8' }), ended(newer, 'deployed', { seq: 2, runId: '7' })]
  const { stale } = judge(evidence({ promotions, runs: [run('7', newer), run('8', ID)] }))
  expect(stale).toMatchObject([{ promotionId: ID }])
})

test('what has not ended is stuck', () => {
  expect(judge(evidence({ promotions: [ended(ID, 'accepted')] })).stuck).toMatchObject([
    { why: 'still accepted' },
  ])
})

test('a plain worker has lost what it never started', () => {
  const verdict = judgePlain(evidence({ answers: [answer(ID)], promotions: [ended(ID, 'finished')] }))
  expect(verdict.lost).toHaveLength(1)
})

const COURSE = { timelines: [], posts: [], struck: [], windows: [], toldInVain: [] }
const doubted = {
  id: ID,
  entries: [
    { at: MADE_AT, what: 'dispatching', attempt: 1, worker: 'w1.1' },
    { at: MADE_AT + 3_000, what: 'in_doubt', why: 'unknown' },
  ],
}

test('a doubt about an attempt that sent nothing, and whose worker lived, is needless', () => {
  expect(needlessDoubts({ ...COURSE, timelines: [doubted] })).toMatchObject([{ promotionId: ID }])
})

test.each([
  ['it was sent', { posts: [{ promotionId: ID, at: MADE_AT + 20 }] }],
  ['its worker was killed', { struck: [{ worker: 'w1.1', at: MADE_AT + 20 }] }],
  ['Redis went back in time', { windows: [{ from: MADE_AT - 10, to: MADE_AT + 900 }] }],
])('a doubt has its cause where %s', (_case, cause) => {
  expect(needlessDoubts({ ...COURSE, timelines: [doubted], ...cause })).toEqual([])
})

test('an outcome told in vain has its cause in a second that was lost at its claim, however late it is told', () => {
  const toldInVain = [{ promotionId: ID, attempt: 1, worker: 'w1.1', at: MADE_AT + 16_000, tookMs: 15_700 }]
  expect(needlessDoubts({ ...COURSE, toldInVain })).toMatchObject([{ promotionId: ID }])
  const windows = [{ from: MADE_AT, to: MADE_AT + 900 }]
  expect(needlessDoubts({ ...COURSE, toldInVain, windows })).toEqual([])
})

test('an outcome told in vain has its cause in a stop between its claim and its call', () => {
  const toldInVain = [{ promotionId: ID, attempt: 1, worker: 'w1.1', at: MADE_AT + 16_000, tookMs: 60 }]
  const struck = [{ worker: 'w1.1', at: MADE_AT + 10 }]
  const found = needlessDoubts({ ...COURSE, timelines: [doubted], toldInVain, struck })
  expect(found).toEqual([])
})
