// The command line of the chaos harness.
import { parseArgs } from 'node:util'
import { BREAKS, type Break } from './breaks.ts'

export interface ChaosOptions {
  promotions: number
  targets: number
  workers: number
  seed: number
  /** Of faults; healing and the way to the end come on top. */
  seconds: number
  pace: number
  /** Workflows that show promotion ids in the titles of their runs, that don't, or first the one and then the other. */
  runName: 'with' | 'without' | 'both'
  breaks: Break | null
  baseline: boolean
  json: boolean
}

export const HELP = `npm run chaos -- [options]: kills, stops and faults by seed; nothing may be lost, doubled, stale or stuck.

  --promotions N    400
  --targets N       20
  --workers N       3
  --seed N          1: the same seed plans the same faults
  --seconds N       45 of faults; healing comes on top
  --pace N          20: one second of the design takes 1/N s here
  --run-name WORD   both: two thirds of it with a workflow that shows promotion ids, one third without; or with, without
  --break=GUARD     takes one guard out, and must fail: ${BREAKS.join(' ')}
  --baseline        a plain BullMQ worker behind the same faults, beside the relay
  --json
`

export function chaosOptions(args: readonly string[]): ChaosOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      promotions: { type: 'string', default: '400' },
      targets: { type: 'string', default: '20' },
      workers: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '45' },
      pace: { type: 'string', default: '20' },
      'run-name': { type: 'string', default: 'both' },
      break: { type: 'string' },
      baseline: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const runName = oneOf('run-name', ['both', 'with', 'without'] as const, values['run-name'])
  return {
    promotions: whole('promotions', values.promotions),
    targets: whole('targets', values.targets),
    workers: whole('workers', values.workers),
    seed: whole('seed', values.seed),
    seconds: whole('seconds', values.seconds),
    pace: whole('pace', values.pace),
    runName,
    breaks: values.break === undefined ? null : oneOf('break', BREAKS, values.break),
    baseline: values.baseline,
    json: values.json,
  }
}

function whole(flag: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${flag} is a whole number above 0, not ${text}`)
  return Number(text)
}

function oneOf<T extends string>(flag: string, words: readonly T[], text: string): T {
  const word = words.find((one) => one === text)
  if (word === undefined) throw new Error(`--${flag} is one of ${words.join(', ')}, not ${text}`)
  return word
}
