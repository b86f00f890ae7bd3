// The deeds and events as fast-check's commands, each as often as it is wanted.
import fc from 'fast-check'
import * as deeds from './deeds.ts'
import * as events from './events.ts'
import { mischief } from './mischief.ts'
import * as people from './people-deeds.ts'
import * as runs from './run-deeds.ts'
import type { World } from './world.ts'

/** Without time going by: it is all within the second that is lost. */
const lost = fc.oneof(
  { arbitrary: deeds.working, weight: 6 },
  { arbitrary: deeds.goingOn, weight: 4 },
  { arbitrary: deeds.resolving, weight: 3 },
  { arbitrary: runs.following, weight: 2 },
  { arbitrary: runs.hearing, weight: 2 },
  { arbitrary: people.redriving, weight: 2 },
  { arbitrary: people.discarding, weight: 2 },
  { arbitrary: people.settling, weight: 1 },
  { arbitrary: people.rollingBack, weight: 1 },
)

const all: readonly [number, fc.Arbitrary<deeds.Deed>][] = [
  [12, deeds.accepting],
  [28, deeds.working],
  [5, deeds.resolving],
  [7, deeds.resolvingAtLength],
  [14, runs.following],
  [10, runs.deploying],
  [4, runs.rollingBackAndOn],
  [12, runs.hearing],
  [4, runs.overtaking],
  [3, runs.toldInReverse],
  [2, runs.endOutdated],
  [3, runs.putBackInVain],
  [7, deeds.probing],
  [6, people.redriving],
  [3, people.discarding],
  [3, people.discardingForgotten],
  [3, people.settling],
  [14, deeds.goingOn],
  [3, deeds.crashing],
  [4, deeds.comingAgain],
  [10, events.passing],
  [5, runs.runMoving],
  [3, runs.runAgain],
  [1, events.foreignRun],
  [4, people.holding],
  [4, people.rollingBack],
  [1, events.trimming],
  [1, events.restarting],
  [7, events.losing(lost)],
  [4, mischief],
]

/** Any sequence, of so many commands at most. */
export function anyCommands(maxCommands: number) {
  const asCommand = ({ name, possible, run }: deeds.Deed): fc.AsyncCommand<World, World> => ({
    check: possible,
    run: async (_, world) => void (await run(world)),
    toString: () => name,
  })
  // fast-check picks evenly: what is to come often is there often.
  const often = all.flatMap(([weight, one]) => Array.from({ length: weight }, () => one.map(asCommand)))
  return fc.commands(often, { maxCommands, size: 'max' })
}
