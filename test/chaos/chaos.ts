// A whole run: its phases one after the other, each in a world of its own, and what they show together.
import { rm } from 'node:fs/promises'
import { baseline } from './baseline.ts'
import { assertBreakable } from './breaks.ts'
import type { Contender } from './contender.ts'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import type { ChaosOptions } from './options.ts'
import { runPhase } from './phase.ts'
import { relay } from './relay.ts'
import type { ChaosResult, Column } from './report.ts'
import { WORDS } from './verdict.ts'

/** From this size on, a fault that never struck fails the run; below, chance may leave one out. */
const FULL_PROMOTIONS = 1_000
const FULL_SECONDS = 60

interface Phase {
  title: string
  /** Of the promotions. */
  share: number
  /** Of the seconds. */
  time: number
  runName: boolean
  contender: Contender
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  if (options.breaks) assertBreakable(options.breaks)
  const columns: Column[] = []
  for (const { title, share, time, runName, contender } of phasesOf(options)) {
    const result = await runPhase(
      {
        ...options,
        runName,
        promotions: Math.ceil(options.promotions * share),
        seconds: options.seconds * time,
      },
      contender,
    )
    columns.push({ ...result, title, contender: contender.name })
  }
  const relays = columns.filter(({ contender }) => contender === 'relay')
  const kinds = Object.keys(FAULT_KINDS) as FaultKind[]
  const neverStruck = kinds.filter((kind) => relays.every(({ struck }) => !struck[kind]))
  const isFull = options.promotions >= FULL_PROMOTIONS && options.seconds >= FULL_SECONDS
  const isWell = relays.every(
    ({ verdict, crashes, refusals, accepted, runs }) =>
      // A run in which nothing was done has shown nothing.
      accepted > 0 &&
      runs > 0 &&
      WORDS.every((word) => verdict[word].length === 0) &&
      crashes.length === 0 &&
      refusals.length === 0,
  )
  const passed = isWell && (!isFull || neverStruck.length === 0)
  if (isWell) for (const { logDir } of columns) await rm(logDir, { recursive: true })
  return { options, columns, neverStruck, passed }
}

function phasesOf({ runName, breaks, baseline: withBaseline }: ChaosOptions): Phase[] {
  const contender = relay(breaks)
  const named = { title: 'with run-name', runName: true, contender }
  const unnamed = { title: 'without', runName: false, contender }
  const phases =
    runName === 'both'
      ? [
          { ...named, share: 2 / 3, time: 1 / 2 },
          { ...unnamed, share: 1 / 3, time: 1 / 2 },
        ]
      : [{ ...(runName === 'with' ? named : unnamed), share: 1, time: 1 }]
  if (!withBaseline) return phases
  return [
    ...phases,
    {
      title: 'plain BullMQ',
      share: phases[0]?.share ?? 1,
      time: phases[0]?.time ?? 1,
      runName: true,
      contender: baseline,
    },
  ]
}
