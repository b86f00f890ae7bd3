// Tables for people: they fit the terminal, whatever is in them.
import { expect, test } from 'vitest'
import { type Column, cut, durationOf, type Terminal, tableOf } from '../../standalone/terminal.ts'

const on = (width?: number): Terminal => ({ paint: (_, text) => text, width: () => width })
type Row = { id: string; name: string; why: string }
const COLUMNS: Column<Row>[] = [
  { head: 'id', of: ({ id }) => id },
  { head: 'name', of: ({ name }) => name, least: 6 },
  { head: 'why', of: ({ why }) => why, least: 8 },
]
const ROWS: Row[] = [
  { id: 'a1', name: 'fraud-detector', why: 'GitHub answered 422: an input is missing' },
  { id: 'b22', name: 'churn', why: '' },
]

test('a table is as wide as it needs to be where no width is given', () => {
  expect(tableOf(ROWS, COLUMNS, on())).toEqual([
    'id   name            why',
    'a1   fraud-detector  GitHub answered 422: an input is missing',
    'b22  churn',
  ])
})

test.each([20, 24, 30, 40, 60])(
  'of %i columns it takes no more, and what tells rows apart is whole',
  (width) => {
    const lines = tableOf(ROWS, COLUMNS, on(width))
    expect(lines.every((line) => line.length <= width)).toBe(true)
    expect(lines.slice(1).map((line) => line.split(' ')[0])).toEqual(['a1', 'b22'])
    expect(lines[1]).toContain('…')
  },
)

test('a column that is empty in all rows is left out', () => {
  expect(tableOf([{ id: 'a', name: '', why: 'x' }], COLUMNS, on())).toEqual(['id  why', 'a   x'])
})

test('what comes from outside steers nothing, and wide characters count as two', () => {
  const [, row] = tableOf([{ id: '\u001b[31m', name: '模型', why: 'a\nb' }], COLUMNS, on())
  expect(row).toBe(' [31m  模型  a b')
  expect(cut('模型模型', 5)).toBe('模型…')
  expect(cut('abc', 3)).toBe('abc')
})

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [86_399_999, '23 h'],
  [200 * 86_400_000, '200 d'],
])('%i ms is %s', (ms, words) => {
  expect(durationOf(ms)).toBe(words)
})
