// Which fault a request to the simulator meets, drawn by share. Off once the world is healed.
import type { Fault } from '../github-simulator/simulator.ts'
import type { DispatchFault, FaultKind, Tally } from './faults.ts'
import type { Random } from './random.ts'
import { dealDispatches } from './schedule.ts'
import type { Timing } from './timing.ts'

export type DispatchFaults = ReturnType<typeof createDispatchFaults>

/** Deployments go on failing in a healed world: there, where nothing newer waits, they are rolled back. */
const SHARE_OF_FAILED_RUNS = 0.2
const SHARE_OF_FAILED_READS = 0.02

export function createDispatchFaults({
  tally,
  random,
  timing,
  among,
  setLife,
}: {
  tally: Tally
  random: Random
  timing: Timing
  /** Size of the deck: the fewer, the more faults. */
  among: number
  /** Of the run, or the attempt, that is started next. */
  setLife(life: { queuedMs: number; runMs: number; conclusion: string }): void
}) {
  const deal = dealDispatches(random.fork('deal'), among)
  let isOn = true
  let isTokenToTurnBad = false
  let badTokenUntil = 0
  let readsAway: { kind: FaultKind; until: number; isTold: boolean } | undefined
  const serverError = () => random.pick([500, 502, 503])

  function faultFor(kind: DispatchFault): Fault {
    switch (kind) {
      case '5xx-before':
        return { kind: 'status-before', status: serverError() }
      case '5xx-after':
        return { kind: 'status-after', status: serverError() }
      case 'no-content':
        return { kind: 'status-after', status: 204 }
      case 'throttled':
        return { kind: 'status-before', status: 429, headers: { 'retry-after': '1' } }
      case 'too-large':
        return { kind: 'status-before', status: 422, message: 'inputs are too large.' }
      case 'late-create':
        return { kind: 'late-create', delayMs: random.between(...timing.lateMs) }
      case 'slow':
        return { kind: 'slow', delayMs: random.between(...timing.slowMs) }
      default:
        return { kind }
    }
  }

  function chosen(kind: DispatchFault): Fault {
    tally.struck(kind)
    return faultFor(kind)
  }

  function badToken(): Fault | undefined {
    return isOn && Date.now() < badTokenUntil ? { kind: 'status-before', status: 401 } : undefined
  }

  function awayForReads(): Fault | undefined {
    if (!isOn || !readsAway || Date.now() >= readsAway.until) return undefined
    if (!readsAway.isTold) tally.struck(readsAway.kind)
    readsAway.isTold = true
    return { kind: 'status-before', status: 503 }
  }

  function drawLife() {
    const fails = random.chance(SHARE_OF_FAILED_RUNS)
    if (fails) tally.struck('failed-run')
    const runMs = random.between(...timing.runMs)
    setLife({ queuedMs: timing.queuedMs, runMs, conclusion: fails ? 'failure' : 'success' })
  }

  return {
    /** From the next dispatch on, so that it meets one. */
    badTokenForAWhile() {
      isTokenToTurnBad = true
    },
    readsAwayForAWhile(kind: FaultKind) {
      readsAway = { kind, until: Date.now() + timing.awayMs, isTold: false }
    },
    drawLife,
    end: () => {
      isOn = false
    },
    onRead(): Fault | undefined {
      if (badTokenUntil > 0 && badToken()) return badToken()
      const away = awayForReads()
      if (away) return away
      if (!isOn || !random.chance(SHARE_OF_FAILED_READS)) return undefined
      tally.struck('reads-fail')
      return random.chance(0.5) ? { kind: 'reset-before' } : { kind: 'status-before', status: serverError() }
    },
    /** @param killed its sender dies at this instant: half of these start no run */
    onDispatch({ killed }: { killed: boolean }): Fault | undefined {
      if (isOn && isTokenToTurnBad) {
        isTokenToTurnBad = false
        badTokenUntil = Date.now() + timing.badTokenMs
      }
      drawLife()
      const kind = deal.next().value
      if (killed) return random.chance(0.5) ? { kind: 'reset-before' } : { kind: 'reset-after' }
      if (!isOn) return undefined
      const refused = badToken()
      if (refused) tally.struck('bad-token')
      return refused ?? (kind && chosen(kind))
    },
    /** The answer takes long, or never comes, and the run is started. */
    inTheAir: () => chosen(random.pick(['slow', 'hang-after'])),
  }
}
