import { expect, test } from 'vitest'
import { readScript, type ScriptName } from '../../shared/ledger/scripts.ts'
import { assertBreakable, BREAKS, brokenScripts } from '../chaos/breaks.ts'

const SCRIPTS: readonly (ScriptName | 'prelude')[] = [
  'prelude',
  'accept',
  'claim',
  'outcome',
  'resolve',
  'redrive',
]

test.each(BREAKS)('the texts that --break=%s takes out still stand in the scripts', (broken) => {
  expect(() => assertBreakable(broken)).not.toThrow()
})

test.each(BREAKS.filter((one) => one !== 'deadline'))('--break=%s changes a script', (broken) => {
  const read = brokenScripts(broken)
  expect(SCRIPTS.some((name) => read(name) !== readScript(name))).toBe(true)
})
