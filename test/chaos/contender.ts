// What is put to the test: the relay, or a plain BullMQ worker beside it. Both face the same world and the same judge.
import type { FaultKind, Tally } from './faults.ts'
import type { Answer, Promote } from './load.ts'
import type { Random } from './random.ts'
import type { LostWindow } from './redis-strikes.ts'
import type { Delivery, Way } from './schedule.ts'
import type { Timing } from './timing.ts'
import type { Evidence, Verdict } from './verdict.ts'
import type { World } from './world.ts'

export interface Contender {
  name: 'relay' | 'baseline'
  program: URL
  argument(name: string, addresses: { redisUrl: string; githubUrl: string }, timing: Timing, way: Way): object
  /** What takes webhooks; nothing takes them where there is none. */
  server?: { program: URL; argument(redisUrl: string): object }
  /** Faults that it can't meet. */
  spared: readonly FaultKind[]
  /** The instant between taking a promotion and its POST is the connection: no claim tells it. */
  claimsAtConnect: boolean
  judge(evidence: Evidence): Verdict
  crew(world: World, at: CrewOptions): Crew
}

export interface CrewOptions {
  tally: Tally
  timing: Timing
  random: Random
  /** Of the run, or the attempt, that is started next. */
  drawLife(): void
}

export interface Crew {
  promote: Promote
  /** What its people do every second. */
  look(): Promise<void>
  /** At bad times. */
  pressRetry(): Promise<void>
  /** Starts a completed run again at GitHub. */
  runAgain(): Promise<void>
  holdForAWhile(): Promise<void>
  rollBack(): Promise<void>
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
