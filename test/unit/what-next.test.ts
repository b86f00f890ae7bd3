// What would happen next at a target, in words.
import { expect, test } from 'vitest'
import type { PromotionView, TargetView } from '../../shared/views.ts'
import { whatNext } from '../../shared/what-next.ts'

const one = (version: string, more: Partial<PromotionView> = {}) =>
  ({
    id: `id-${version}`,
    version,
    state: 'accepted',
    reason: 'recorded, waiting for its turn',
    ...more,
  }) as PromotionView
const target = (hold: Partial<NonNullable<TargetView['hold']>> | null = null) =>
  ({ model: 'm', environment: 'production', hold }) as TargetView

const held = { kind: 'person', by: 'alice' } as const
const flying = one('5', { state: 'dispatched' })
const lost = one('5', { state: 'unresolved' })

test.each([
  [{ target: target() }, 'the next promotion goes at once'],
  [{ target: target(), inFlight: flying }, 'version 5 is live once its run has succeeded'],
  [{ target: target(), inFlight: flying, pending: one('6') }, 'version 6 goes once version 5 has ended'],
  [{ target: target(), pending: one('6') }, 'version 6 goes next: recorded, waiting for its turn'],
  [{ target: target(held), pending: one('6') }, 'version 6 goes once the target is released'],
  [
    { target: target({ ...held, passes: 'id-6' }), pending: one('6') },
    'version 6 goes next: recorded, waiting for its turn',
  ],
  [{ target: target(held) }, 'nothing: what is promoted waits until the target is released'],
  [{ target: target(), inFlight: lost }, 'nothing, until somebody has said what became of version 5'],
  [
    { target: target(), inFlight: lost, pending: one('6') },
    'version 6 goes once somebody has said what became of version 5',
  ],
  [
    { target: target(), newest: one('6', { state: 'dead_lettered' }) },
    'nothing, until somebody redrives version 6, or a newer one is promoted',
  ],
  [
    { target: target({ kind: 'rollback', versions: ['6'] }) },
    'the next promotion goes at once, but for version 6, which was rolled back from',
  ],
])('%#: %o', (seen, words) => {
  expect(whatNext(seen)).toBe(words)
})
