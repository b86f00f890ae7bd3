// The smallest form of each section: the bench works, and what it counts is right. No time is asserted.
import { expect, test } from 'vitest'
import { SECTIONS } from './sections.ts'

test.each(SECTIONS)('$name', async ({ run }) => {
  const { figures, tables, targets } = await run({ quick: true, rounds: 1 })

  expect(Object.entries(figures).filter(([, figure]) => !Number.isFinite(figure))).toEqual([])
  expect(tables.length).toBeGreaterThan(0)
  for (const { columns, rows } of tables) {
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row).toHaveLength(columns.length)
  }
  for (const { value } of targets) expect(value).not.toBeNaN()
})
