// What somebody who can sign a webhook, and lies, may make of a true one.
import type { RunEvent } from '../../shared/run-event.ts'
import type { World } from './world.ts'

export const FORGERIES = [
  '',
  '',
  '',
  '',
  'for another',
  'of another run',
  'as ended',
  'as a later attempt',
] as const
export type Forgery = (typeof FORGERIES)[number]

export function forged(world: World, event: RunEvent, forgery: Forgery, n: number): RunEvent {
  const ids = world.ids(() => true)
  const runs = world.github.runs
  const delivery = `${event.delivery}, forged ${forgery}`
  switch (forgery) {
    case '':
      return event
    case 'for another':
      return { ...event, delivery, promotionIds: [ids[n % ids.length] ?? ''] }
    case 'of another run':
      return { ...event, delivery, runId: runs[n % runs.length]?.id ?? '1' }
    case 'as ended':
      return { ...event, delivery, status: 'completed', over: true }
    case 'as a later attempt':
      return { ...event, delivery, runAttempt: event.runAttempt + 1 }
  }
}
