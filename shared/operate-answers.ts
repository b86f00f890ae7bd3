/** What the ledger said to a person's order, in words that are the same on every page, command and answer. */
import type { Asked } from './ledger/circuits.ts'
import type { State } from './ledger/promotion-record.ts'
import type { DiscardPreview, Held, RedrivePreview, Released, RolledBack, Settled } from './ledger/steps.ts'
import type { Operated } from './operate.ts'

export const NO_TARGET = { kind: 'unknown', text: 'No such target: nothing was ever promoted to it' } as const
export const NO_PROMOTION = { kind: 'unknown', text: 'No such promotion' } as const
export const NO_DEAD_LETTER = {
  kind: 'unknown',
  text: 'No such dead letter: there is no such promotion, or it was never dead-lettered',
} as const

interface Target {
  model: string
  environment: string
}

function done(status: string, text: string, about: object = {}): Operated {
  return { kind: 'done', status, text, ...about }
}

function named({ model, environment }: Target): string {
  return environment === 'production' ? model : `${model} in ${environment}`
}

export function ofHold(held: Held, of: Target): Operated {
  if (held.kind === 'unknown') return NO_TARGET
  return done('held', `${named(of)} is held: what comes waits until it is released`)
}

export function ofRelease(released: Released, of: Target): Operated {
  switch (released.kind) {
    case 'unknown':
      return NO_TARGET
    case 'not_held':
      return done('not_held', `${named(of)} was not held`)
    case 'released':
      return done('released', `${named(of)} is released: promotions flow again`)
    default:
      return released satisfies never
  }
}

export function ofRollback(result: RolledBack, of: Target): Operated {
  if (result.status !== 'refused') {
    const { status, id, state, version, live } = result
    const text =
      status === 'accepted'
        ? `${named(of)} goes back to version ${version}`
        : `${named(of)} is on its way back to version ${version} already`
    return done(status, text, { id, state, version, live })
  }
  const hint = 'Say which one with `to`'
  switch (result.why) {
    case 'unknown':
      return NO_TARGET
    case 'nothing_before':
      return { kind: 'refused', status: result.why, text: 'No other version was live before', hint }
    case 'blocked': {
      const text = `Version ${result.version}, which was live before, was itself rolled back from`
      return { kind: 'refused', status: result.why, text, hint }
    }
    default:
      return result.why satisfies never
  }
}

export function ofRedrive(id: string, redriven: RedrivePreview): Operated {
  switch (redriven.kind) {
    case 'accepted':
      return done(
        'accepted',
        'unsure' in redriven
          ? 'It goes back into the queue; Redis was restarted since, so its run is looked for before it is sent'
          : 'It goes back into the queue',
        { id },
      )
    case 'superseded': {
      const text = `It is superseded: version ${redriven.version} was accepted later`
      return done('superseded', `${text}. To deploy this one all the same, promote it as a rollback`, {
        id: redriven.by,
        version: redriven.version,
      })
    }
    case 'resolving':
      return done('resolving', 'Nothing is sent: its run is looked for again', { id })
    case 'settled':
      return settled(redriven.state, 'redrive')
    default:
      return redriven satisfies never
  }
}

export function ofDiscard(id: string, discarded: DiscardPreview): Operated {
  switch (discarded.kind) {
    case 'discarded':
      return done('discarded', 'It is discarded: it is not sent any more', { id })
    case 'looked_for':
      return done(
        'looked_for',
        'Redis was restarted since: its run is looked for, and without one it ends discarded',
        {
          id,
        },
      )
    case 'unresolved': {
      const text = 'A run of it may exist: say first what became of it'
      return { kind: 'refused', status: 'unresolved', text, hint: 'Resolve it, with its run or as absent' }
    }
    case 'settled':
      return settled(discarded.state, 'discard')
    default:
      return discarded satisfies never
  }
}

function settled(state: State | 'unknown', order: string): Operated {
  if (state === 'unknown') return NO_PROMOTION
  return {
    kind: 'refused',
    status: 'settled',
    text: `Nothing to ${order}: it is ${state.replaceAll('_', ' ')} by now`,
  }
}

export function ofSettle(id: string, result: Settled): Operated {
  switch (result.kind) {
    case 'track':
      return done('track', 'It is followed by that run now', { id })
    case 'accepted':
      return done('accepted', 'It will be sent again', { id })
    case 'superseded':
      return done('superseded', 'It gives way to a newer version', { id: result.by })
    case 'discarded':
      return done('discarded', 'It is discarded: it is not sent any more', { id })
    case 'refused': {
      if (result.state === 'unknown') return NO_PROMOTION
      const isOthers = result.why !== 'state'
      const text = isOthers
        ? `Refused: ${result.why}`
        : `Only what is unresolved can be: it is ${result.state}`
      return { kind: 'refused', status: isOthers ? 'run_of_another' : 'state', text }
    }
    default:
      return result satisfies never
  }
}

export function ofProbe(scope: string, asked: Asked): Operated {
  switch (asked.kind) {
    case 'asked':
      return done('asked', `A worker looks at ${scope} within seconds`)
    case 'half_open':
      return done('half_open', `The next promotion goes as the probe of ${scope}`)
    case 'closed':
      return { kind: 'unknown', text: `No circuit is open for ${scope}: promotions flow` }
    default:
      return asked satisfies never
  }
}
