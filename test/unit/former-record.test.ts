// What a former version has written into the ledger, and what this one leaves out, read the same.
import { expect, test } from 'vitest'
import { promotionFrom } from '../../shared/ledger/promotion-record.ts'
import { timelineFrom } from '../../shared/ledger/timeline.ts'

const SAME = {
  id: '01a20a7f-7d58-70ba-aa37-226d4e2ffe26',
  state: 'deployed',
  model: 'fraud-detector',
  version: '5',
  environment: 'production',
  source: 'nightly',
  seq: '6',
  attempts: '1',
  scope: 'acme/models/cd_pipeline.yml',
  runId: '7',
  runAttempt: '1',
  conclusion: 'success',
  acceptedAt: '1000',
  dispatchedAt: '1010',
  endedAt: '1020',
  job: '1',
  liveBefore: '4',
}
const URL_OF_RUN = 'https://github.com/acme/models/actions/runs/7'
const FORMER = {
  ...SAME,
  target: 'production/fraud-detector',
  metrics: '{"auc":0.98,"f1":0.9}',
  runUrl: URL_OF_RUN,
  runStatus: 'completed',
  since: '1020',
  updatedAt: '1020',
  deadLetters: '0',
  trackJob: '0',
  reason: '',
  wait: '',
}
const PRESENT = { ...SAME, 'm:auc': '0.98', 'm:f1': '0.9', runSite: 'https://github.com' }

test('a record of a former version reads as one of this does', () => {
  expect(promotionFrom(FORMER)).toEqual(promotionFrom(PRESENT))
  expect(promotionFrom(PRESENT)).toMatchObject({ metrics: { auc: 0.98, f1: 0.9 }, runUrl: URL_OF_RUN })
})

test('a timeline of a former version reads as one of this does', () => {
  const former = [
    { what: 'accepted', at: 1000, source: 'nightly', live: '4' },
    { what: 'dispatching', at: 1005, attempt: 1, worker: 'w' },
    {
      what: 'outcome',
      at: 1010,
      attempt: 1,
      outcome: 'dispatched',
      status: 200,
      detail: 'GitHub answered 200',
    },
    { what: 'dispatched', at: 1010, runId: '7', runUrl: URL_OF_RUN },
    { what: 'run', at: 1019, status: 'completed', runId: '7' },
    { what: 'deployed', at: 1020, conclusion: 'success', runId: '7' },
  ]
  const present = [
    ['accepted', 1000],
    ['dispatching', 1005, { attempt: 1, worker: 'w' }],
    ['outcome', 1010, { attempt: 1, outcome: 'dispatched', status: 200 }],
    ['dispatched', 1010, { runId: '7' }],
    ['run', 1019, { status: 'completed' }],
    ['deployed', 1020],
  ]
  const promotion = promotionFrom(PRESENT)
  const texts = (entries: readonly unknown[]) => entries.map((entry) => JSON.stringify(entry))
  expect(timelineFrom(texts(present), promotion)).toEqual(former)
  expect(timelineFrom(texts(former), promotion)).toEqual(former)
})
