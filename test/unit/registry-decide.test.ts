// What in the model registry is news.
import { describe, expect, test } from 'vitest'
import { decide, isOlder, type Seen } from '../../producer/registry/decide.ts'

const SEEN: Seen = {
  points: '6',
  noted: '5',
  isBaseline: false,
  deployExisting: false,
  newest: { version: '5', acceptedAt: 1_000 },
  isBlocked: false,
  setAfter: 2_000,
  wasTold: false,
}
const NEWER = { kind: 'promote', rollback: false, isLater: true }
const NOT_KNOWN_LATER = { ...NEWER, isLater: false }
const BACK = { ...NEWER, rollback: true }

const newest = (version: string, acceptedAt = 1_000) => ({ newest: { version, acceptedAt } })

test.each<[string, Partial<Seen>, object]>([
  ['an alias that moved on is news', {}, NEWER],
  ['so is the first of a model', { noted: undefined, newest: undefined }, NOT_KNOWN_LATER],
  ['and one of which nobody knows when it was set', { setAfter: 0 }, NOT_KNOWN_LATER],
  ['what a call has told already is noted', newest('6'), { kind: 'note' }],
  ['what has not changed is no news', { noted: '6' }, { kind: 'same' }],
  [
    'nor where a call has promoted a newer one and the alias comes later',
    { points: '5', ...newest('6') },
    { kind: 'same' },
  ],
  [
    'nor where it was set to the same once more',
    { noted: '6', ...newest('6'), wasTold: true },
    { kind: 'same' },
  ],
  [
    'a move back is news where the alias moved after what was accepted',
    { points: '4', ...newest('5') },
    BACK,
  ],
  [
    'and unclear where something newer was accepted since the last look',
    { points: '5', noted: '4', ...newest('6', 3_000) },
    { kind: 'unclear' },
  ],
  ['and unclear where nobody knows when it was set', { points: '4', setAfter: 0 }, { kind: 'unclear' }],
  [
    'told by a webhook it is news though it was noted before',
    { points: '5', noted: '5', ...newest('6'), wasTold: true },
    BACK,
  ],
  [
    'unless it was told before the newer one was accepted',
    { points: '5', noted: '5', ...newest('6', 3_000), wasTold: true },
    { kind: 'same' },
  ],
  [
    'the first look notes what is there',
    { noted: undefined, isBaseline: true, setAfter: 0 },
    { kind: 'note' },
  ],
  [
    'or deploys it where that is asked for',
    { noted: undefined, isBaseline: true, deployExisting: true, setAfter: 0 },
    NOT_KNOWN_LATER,
  ],
  [
    'but not over something newer',
    { noted: undefined, isBaseline: true, deployExisting: true, setAfter: 0, ...newest('7') },
    { kind: 'unclear' },
  ],
  [
    'what a webhook tells before the first look is news',
    { noted: undefined, isBaseline: true, wasTold: true, newest: undefined },
    NOT_KNOWN_LATER,
  ],
  ['what was rolled back from is held back', { isBlocked: true }, { kind: 'blocked' }],
])('%s', (_, seen, verdict) => {
  expect(decide({ ...SEEN, ...seen })).toEqual(verdict)
})

describe('versions', () => {
  test('are numbers that grow, where they are numbers', () => {
    expect(isOlder('9', '10')).toBe(true)
    expect(isOlder('10', '9')).toBe(false)
    expect(isOlder('5', '5')).toBe(false)
    expect(isOlder('2024-01', '2024-02')).toBe(false)
  })
})
