// From `npm start` until GitHub (the simulator, by its own log) has the first dispatch: what a newcomer waits for.
import path from 'node:path'
import type { LogEntry } from '../../github-simulator/simulator.ts'
import { endUp, type Processes, withProcesses } from '../relay-processes.ts'
import type { Options, Result, Section } from '../section.ts'
import { median, withSpread } from '../statistics.ts'

export const start: Section = { name: 'start', title: 'From npm start to the first dispatch', run }

async function run({ rounds }: Options): Promise<Result> {
  const first: number[] = []
  const again: number[] = []
  await withProcesses(async (processes) => {
    for (let round = 0; round < rounds; round++) {
      const dataDir = path.join(processes.home, `data-${round}`)
      first.push(await startedSeconds(processes, dataDir))
      again.push(await startedSeconds(processes, dataDir))
    }
  })
  return {
    figures: { firstSeconds: median(first), againSeconds: median(again) },
    tables: [
      {
        title: `npm start until the first dispatch is at the simulator: its Redis, its simulator, server and worker; ${rounds} of each`,
        columns: ['start', 's'],
        rows: [
          ['the first in a directory', withSpread(first)],
          ['again, with its data', withSpread(again)],
        ],
      },
    ],
    targets: [
      { what: 'npm start to the first dispatch', value: median(first), unit: 's', atMost: 3 },
      { what: 'npm start once more', value: median(again), unit: 's', atMost: 3 },
    ],
  }
}

async function startedSeconds(processes: Processes, dataDir: string): Promise<number> {
  const beganAt = Date.now()
  // As a newcomer has it: nothing of ours is compiled beforehand.
  const relay = await processes.up({ by: 'npm', dataDir, env: { NODE_COMPILE_CACHE: '' } })
  const log: LogEntry[] = await relay.simulator('GET', 'log')
  const sent = log.filter(({ at, runId }) => at >= beganAt && runId !== undefined)
  if (sent.length !== 1) throw new Error(`${sent.length} dispatches of one sample promotion`)
  await endUp(relay)
  return ((sent[0]?.at ?? Number.NaN) - beganAt) / 1000
}
