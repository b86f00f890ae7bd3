// What is put to the test: the relay, or a plain BullMQ worker beside it. Both face the same world and the same judge.
import type { FaultKind, Tally } from './faults.ts'
import type { Answer, Promote } from './load.ts'
import type { LostWindow } from './redis-strikes.ts'
import type { Delivery } from './schedule.ts'
import type { Timing } from './timing.ts'
import type { Evidence, Verdict } from './verdict.ts'
import type { World } from './world.ts'

export interface Contender {
  name: 'relay' | 'baseline'
  program: URL
  argument(name: string, addresses: { redisUrl: string; githubUrl: string }, timing: Timing): object
  /** Faults that it can't meet. */
  spared: readonly FaultKind[]
  /** The instant between taking a promotion and its POST is the connection: no claim tells it. */
  claimsAtConnect: boolean
  judge(evidence: Evidence): Verdict
  crew(world: World, tally: Tally, timing: Timing): Crew
}

export interface Crew {
  promote: Promote
  /** What its people do every second. */
  look(): Promise<void>
  /** At bad times. */
  pressRetry(): Promise<void>
  /** What is left to people once the world is healed. */
  mend(): Promise<void>
  deleteQueue(): Promise<void>
  /** Another client puts it into the queue. */
  addForeign(delivery: Delivery): Promise<void>
  /** Everything has reached its end. */
  isDone(): Promise<boolean>
  evidence(answers: readonly Answer[], windows: readonly LostWindow[]): Promise<Evidence>
  story(promotionId: string): Promise<string[]>
  settled(): Record<string, number>
  close(): Promise<void>
}
