// What befalls single calls, as fast-check makes it up: most often nothing, and first of all nothing, so that a
// counterexample shrinks towards the calls that went well.
import fc from 'fast-check'
import type { Send } from './github.ts'
import type { How } from './world.ts'

const seldom = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 7 }, { arbitrary: fc.constantFrom(...others), weight: 3 })

const SENDS: readonly [number, Send][] = [
  [16, 'taken'],
  [2, 'taken, but 503'],
  [2, 'taken, but silent'],
  [1, 'taken, but unreadable'],
  [4, 'taken later, silent'],
  [1, 'taken later, 503'],
  [2, 'lost, 503'],
  [2, 'lost, silent'],
  [3, 'refused connection'],
  [2, 'invalid'],
  [2, 'undeclared input'],
  [1, 'bad credentials'],
  [3, 'no permission'],
  [1, 'no workflow'],
  [1, 'throttled'],
]

const how: fc.Arbitrary<How> = fc.record({
  script: seldom<How['script']>('heard', 'unheard', 'twice'),
  send: fc.oneof(...SENDS.map(([weight, send]) => ({ weight, arbitrary: fc.constant(send) }))),
  listedAfterMs: fc.constantFrom(0, 0, 20_000, 110_000),
  list: seldom<How['list']>('complete', 'partial', 'unavailable'),
  read: seldom<How['read']>('told', 'unavailable'),
})

const steps = (least: number) => fc.array(how, { minLength: least, maxLength: 5, size: 'max' })

export const one = how
/** Some steps: the client may be left standing. */
export const some = steps(1)
/** Long enough to come to an end most often. */
export const throughout = steps(4)

export const brief = (all: readonly How[]) =>
  all
    .map((each) => Object.values(each).join('|'))
    .map((text) => `[${text}]`)
    .join('')
