/** News as tests speak of them: version 6 of fraud-detector, an end like most. */
import type { News } from '../../worker/feedback/news.ts'

export const ID = '01980c8e-7f00-7000-8000-000000000006'
export const PARENT = '01980c8e-7f00-7000-8000-000000000005'
const AT = Date.UTC(2026, 10, 23, 12, 0, 0, 123)

export function newsOf(more: Partial<News> = {}): News {
  const state = more.state ?? 'deployed'
  return {
    id: `${ID}-${state}-2`,
    promotionId: ID,
    state,
    at: AT,
    model: 'fraud-detector',
    version: '6',
    environment: 'production',
    accuracy: 0.9234,
    trigger: 'automated_ct_pipeline',
    rollback: false,
    acceptedAt: AT - 200_000,
    dispatchedAt: AT - 185_000,
    reason: 'as it is',
    run: { id: '9001', url: 'https://github.com/acme/models/actions/runs/9001', conclusion: 'success' },
    scope: 'acme/models/cd_pipeline.yml',
    ...more,
  }
}
