import { expect, test } from 'vitest'
import type { TimelineEntry } from '../../shared/ledger/promotion-record.ts'
import { courseOf } from '../../worker/ops/pages/course.ts'

const entry = (at: number, what: string, more: object = {}): TimelineEntry => ({ at, what, ...more })
const brief = (course: ReturnType<typeof courseOf>) =>
  course.map(({ lane, from, to, tone, open }) => [lane, from, to, tone, ...(open ? ['open'] : [])])

test('what waited, was tried again and was deployed: each stretch where it was', () => {
  const timeline = [
    entry(0, 'accepted'),
    entry(100, 'waiting', { code: 'in_flight', detail: '4' }),
    entry(5_000, 'dispatching', { attempt: 1 }),
    entry(5_200, 'outcome', { attempt: 1, outcome: 'transient', detail: 'refused', tookMs: 200 }),
    entry(7_000, 'dispatching', { attempt: 2 }),
    entry(7_300, 'outcome', { attempt: 2, outcome: 'dispatched', detail: 'run 1', tookMs: 300 }),
    entry(7_300, 'dispatched', { runId: '1' }),
    entry(9_000, 'run', { runId: '1', status: 'in_progress' }),
    entry(20_000, 'deployed', { runId: '1', conclusion: 'success' }),
  ]
  const course = courseOf(timeline, { state: 'deployed' }, 99_000)
  expect(brief(course)).toEqual([
    ['waiting', 0, 100, 'quiet'],
    ['waiting', 100, 5_000, 'warn'],
    ['attempts', 5_000, 5_200, 'bad'],
    ['waiting', 5_200, 7_000, 'warn'],
    ['attempts', 7_000, 7_300, 'good'],
    ['run', 7_300, 9_000, 'quiet'],
    ['run', 9_000, 20_000, 'good'],
  ])
  expect(course[1]?.label).toBe('waiting: version 4 of the same target is on its way')
})

test('what goes on reaches to now, and what is over does not', () => {
  const waiting = [entry(0, 'accepted'), entry(50, 'waiting', { code: 'held', detail: 'alice' })]
  expect(brief(courseOf(waiting, { state: 'accepted' }, 1_000)).at(-1)).toEqual([
    'waiting',
    50,
    1_000,
    'warn',
    'open',
  ])

  const buried = [...waiting, entry(200, 'dead_lettered', { reason: 'too large' })]
  expect(brief(courseOf(buried, { state: 'dead_lettered' }, 1_000)).at(-1)).toEqual([
    'waiting',
    200,
    1_000,
    'bad',
    'open',
  ])

  const over = [...waiting, entry(200, 'superseded', { by: 'p2' })]
  expect(brief(courseOf(over, { state: 'superseded' }, 1_000)).at(-1)).toEqual(['waiting', 50, 200, 'warn'])
})

test('an attempt whose intent the timeline has lost begins where its answer says', () => {
  const course = courseOf(
    [entry(1_000, 'outcome', { attempt: 7, outcome: 'rejected', detail: '', tookMs: 400 })],
    { state: 'dead_lettered' },
    1_000,
  )
  expect(brief(course)).toContainEqual(['attempts', 600, 1_000, 'bad'])
})
