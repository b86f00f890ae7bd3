// What a caller says of its trace: taken as W3C Trace Context has it, or ignored.
import { describe, expect, test } from 'vitest'
import { traceContextFrom, traceIdIn } from '../../shared/trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `00-${TRACE}-${SPAN}-01`

describe('traceparent', () => {
  test('is taken as it is', () => {
    expect(traceContextFrom(PARENT)).toEqual({ traceparent: PARENT })
    expect(traceContextFrom(`00-${TRACE}-${SPAN}-00`)).toEqual({ traceparent: `00-${TRACE}-${SPAN}-00` })
  })

  test('is taken without the white space around it', () => {
    expect(traceContextFrom(` ${PARENT}\t`)).toEqual({ traceparent: PARENT })
  })

  test('of a later version is taken as far as it is known', () => {
    expect(traceContextFrom(`cc-${TRACE}-${SPAN}-ff-what-comes-later`)).toEqual({ traceparent: PARENT })
    expect(traceContextFrom(`01-${TRACE}-${SPAN}-02`)).toEqual({ traceparent: `00-${TRACE}-${SPAN}-00` })
  })

  test.each<[what: string, value: unknown]>([
    ['none', undefined],
    ['an empty one', ''],
    ['a number', 5],
    ['words', 'garbage'],
    ['two', `${PARENT}, ${PARENT}`],
    ['one that goes on', `${PARENT}-00`],
    ['one cut off', PARENT.slice(0, -1)],
    ['upper case', PARENT.toUpperCase()],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['a later version glued to more', `01-${TRACE}-${SPAN}-01x`],
    ['a later version without end', `01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
    ['a line break', `${PARENT}\n${PARENT}`],
  ])('%s is ignored', (_, value) => {
    expect(traceContextFrom(value, 'vendor=1')).toBeUndefined()
  })
})

describe('tracestate', () => {
  const stateOf = (value: unknown) => traceContextFrom(PARENT, value)?.tracestate

  test('is taken, without the space and the empty members between', () => {
    expect(stateOf('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE')).toBe('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE')
    expect(stateOf('a=1 , ,tenant@vendor=2,')).toBe('a=1,tenant@vendor=2')
  })

  test.each<[what: string, value: unknown]>([
    ['none', undefined],
    ['an empty one', ' , '],
    ['a member without a value', 'a=1,b'],
    ['a name in upper case', 'A=1'],
    ['a name twice', 'a=1,a=2'],
    ['control characters', 'a=1\u0007'],
    ['more than 32 members', Array.from({ length: 33 }, (_, n) => `a${n}=1`).join(',')],
    ['more than 512 characters', `a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(20)}`],
  ])('%s is left out, and the traceparent stays', (_, value) => {
    expect(traceContextFrom(PARENT, value)).toEqual({ traceparent: PARENT })
  })
})

test('the trace id is the second part', () => {
  expect(traceIdIn({ traceparent: PARENT })).toBe(TRACE)
  expect(traceIdIn({})).toBeUndefined()
})
