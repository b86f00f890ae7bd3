import { expect, test } from 'vitest'
import { inWords } from '../../shared/duration.ts'

test.each([
  [-5, '0 ms'],
  [42, '42 ms'],
  [4_240, '4.2 s'],
  [38_900, '38 s'],
  [4 * 60_000 + 59_000, '4 min'],
  [3 * 3_600_000, '3 h'],
  [3 * 3_600_000 + 5 * 60_000, '3 h 5 min'],
  [11 * 3_600_000 + 5 * 60_000, '11 h'],
  [6.5 * 86_400_000, '6 d'],
])('%d ms is %s', (ms, words) => expect(inWords(ms)).toBe(words))
