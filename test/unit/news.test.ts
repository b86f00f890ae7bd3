// The snapshot that all sinks are told: of then, whatever the promotion has become since.
import { expect, test } from 'vitest'
import type { NewsEntry } from '../../shared/ledger/news.ts'
import { type Promotion, promotionFrom, type State } from '../../shared/ledger/promotion-record.ts'
import { type Context, namedBy, newsFrom } from '../../worker/feedback/news.ts'

function promotionOf(fields: Record<string, string> = {}): Promotion {
  const promotion = promotionFrom({
    ...{ id: 'p-6', state: 'failed', model: 'fraud-detector', version: '6', environment: 'production' },
    ...{ source: 'automated_ct_pipeline', acceptedAt: '1000', dispatchedAt: '2000', endedAt: '9000' },
    ...{ runId: '77', runUrl: 'https://ci/77', conclusion: 'failure', runStatus: 'completed', ...fields },
  })
  if (!promotion) throw new Error('no promotion')
  return promotion
}

const entryOf = (state: State, more: Partial<NewsEntry> = {}): NewsEntry => ({
  promotionId: 'p-6',
  state,
  number: 2,
  at: 9000,
  ...more,
})
const ALONE: Context = { step: undefined, others: [], scope: 'acme/models/cd.yml', simulated: false }

test('an end has the run with its conclusion, in a sentence why, and when', () => {
  expect(newsFrom(entryOf('failed'), promotionOf({ accuracy: '0.9' }), ALONE)).toEqual({
    id: 'p-6-failed-2',
    promotionId: 'p-6',
    state: 'failed',
    at: 9000,
    model: 'fraud-detector',
    version: '6',
    environment: 'production',
    accuracy: 0.9,
    trigger: 'automated_ct_pipeline',
    rollback: false,
    acceptedAt: 1000,
    dispatchedAt: 2000,
    reason: 'its run ended: failure',
    run: { id: '77', url: 'https://ci/77', conclusion: 'failure' },
    scope: 'acme/models/cd.yml',
  })
})

test('a dispatch that is told after the end says nothing of the end', () => {
  const news = newsFrom(
    entryOf('dispatched', { at: 2000, number: 1 }),
    promotionOf({ rolledBackBy: 'p-7' }),
    {
      ...ALONE,
      others: [promotionOf({ id: 'p-7', version: '5' })],
    },
  )
  expect(news).toMatchObject({
    id: 'p-6-dispatched-1',
    state: 'dispatched',
    at: 2000,
    reason: 'GitHub took it',
  })
  expect(news.run).toEqual({ id: '77', url: 'https://ci/77' })
  expect(news).not.toHaveProperty('rolledBackBy')
})

test('a dead letter that was redriven since has the reason of then, and no run', () => {
  const step = { at: 9000, what: 'dead_lettered', reason: 'GitHub answered 422' }
  const news = newsFrom(entryOf('dead_lettered'), promotionOf({ state: 'accepted', reason: '' }), {
    ...ALONE,
    step,
  })
  expect(news.reason).toBe('nothing was started: GitHub answered 422')
  expect(news).not.toHaveProperty('run')
})

test('a failure names the promotion that puts the former version back, and that one names the failure', () => {
  const failed = promotionOf({ rolledBackBy: 'p-7' })
  const back = promotionOf({
    id: 'p-7',
    version: '5',
    state: 'deployed',
    rollback: '1',
    parent: 'p-6',
    replaced: '5',
  })
  expect([namedBy(failed), namedBy(back)]).toEqual([['p-7'], ['p-6']])
  expect(newsFrom(entryOf('failed'), failed, { ...ALONE, others: [back] }).rolledBackBy).toEqual({
    id: 'p-7',
    version: '5',
  })
  const told = newsFrom(entryOf('deployed', { promotionId: 'p-7' }), back, { ...ALONE, others: [failed] })
  expect(told).toMatchObject({ rollback: true, replaced: '5', parent: { id: 'p-6', version: '6' } })
})

test('who gave way names who came; one that is forgotten already is left out', () => {
  const superseded = promotionOf({ state: 'superseded', supersededBy: 'p-8', runId: '', conclusion: '' })
  const newer = promotionOf({ id: 'p-8', version: '8' })
  const told = (others: Promotion[]) => newsFrom(entryOf('superseded'), superseded, { ...ALONE, others })
  expect(told([newer]).supersededBy).toEqual({ id: 'p-8', version: '8' })
  expect(told([])).not.toHaveProperty('supersededBy')
})

test('a long reason is cut', () => {
  const skipped = promotionOf({ state: 'skipped', reason: '🙂'.repeat(2_000), runId: '' })
  expect(newsFrom(entryOf('skipped'), skipped, ALONE).reason).toHaveLength(1_000)
})
