// Strikes at exact instants. The schedule arms a strike; the next instant that fits it is struck: a claim's `go` on its
// way to the worker, the connection for its POST, the POST's arrival, the run's start, a reply of Redis. Everything
// here happens synchronously at that instant.
import type { ArrivedRequest, Fault } from '../github-simulator/simulator.ts'
import type { DispatchFaults } from './dispatch-faults.ts'
import type { Strike, Tally } from './faults.ts'
import type { Fleet, Slot } from './processes.ts'
import type { Random } from './random.ts'
import type { LostReply } from './redis-proxy.ts'
import type { Timing } from './timing.ts'

type Stop = Extract<Strike, `stop-${string}`>

/** So many promotions set out between two strikes at workers: who is struck at each step goes nowhere. */
const CALM = 4

interface StoppedSlot {
  slot: Slot
  name: string
  strike: Stop
  promotionId: string
  /** Its POST arrived all the same: the signal came too late. */
  sent: boolean
  timer: NodeJS.Timeout
}

export type Striker = ReturnType<typeof createStriker>

export interface StrikerDeps {
  tally: Tally
  random: Random
  timing: Timing
  dispatchFaults: DispatchFaults
  /** No claim is to be seen: the connection for the POST is that instant. */
  claimsAtConnect: boolean
  /** No newer promotion of its target comes for a while: it is this one that will be sent again. */
  isQuiet(promotionId: string): boolean
}

export function createStriker({
  tally,
  random,
  timing,
  dispatchFaults,
  claimsAtConnect,
  isQuiet,
}: StrikerDeps) {
  const armed = new Map<Strike, number>()
  const stopped = new Set<StoppedSlot>()
  /** Promotions whose claim said go and whose POST has not arrived, by slot. */
  const onTheWay = new Map<number, Set<string>>()
  /** Whom a worker was handling when it was told to stop by itself, by slot. */
  const told = new Map<number, string>()
  let setOut = CALM
  let fleet: Fleet | undefined

  const isArmed = (strike: Strike) => (armed.get(strike) ?? 0) > 0
  const arm = (strike: Strike) => void armed.set(strike, (armed.get(strike) ?? 0) + 1)
  function take(strike: Strike): boolean {
    if (!isArmed(strike)) return false
    armed.set(strike, (armed.get(strike) ?? 0) - 1)
    return true
  }
  const slotNamed = (number: number | undefined) => fleet?.slots.find((slot) => slot.number === number)

  function strike(kind: Strike, number: number | undefined, how: (slot: Slot) => void): boolean {
    const slot = slotNamed(number)
    if (!slot || slot.isStopped || setOut < CALM || !take(kind)) return false
    setOut = 0
    how(slot)
    return true
  }
  function kill(kind: Strike, number: number | undefined): boolean {
    return strike(kind, number, (slot) => {
      slot.kill()
      tally.struck(kind)
    })
  }
  function mayStop(kind: Stop, promotionId: string): boolean {
    if (stopped.size + 1 >= (fleet?.slots.length ?? 0)) return false
    return kind === 'stop-after-start' || isQuiet(promotionId)
  }
  function stop(kind: Stop, number: number, promotionId: string): boolean {
    if (!mayStop(kind, promotionId)) return false
    return strike(kind, number, (slot) => {
      slot.stop()
      keepStopped(slot, kind, promotionId)
    })
  }
  function keepStopped(slot: Slot, kind: Stop, promotionId: string) {
    const timer = setTimeout(() => wake(one), timing.stopMs * random.between(0.8, 1))
    const one: StoppedSlot = { slot, name: slot.name, strike: kind, promotionId, sent: false, timer }
    stopped.add(one)
  }
  function tellToStop(number: number, promotionId: string): boolean {
    const slot = slotNamed(number)
    if (!slot || slot.isStopped || setOut < CALM || !isArmed('stop-at-connect')) return false
    if (!mayStop('stop-at-connect', promotionId)) return false
    told.set(number, promotionId)
    slot.stopAtConnect()
    return true
  }
  function wake(one: StoppedSlot) {
    clearTimeout(one.timer)
    if (!stopped.delete(one)) return
    if (one.slot.name === one.name) one.slot.goOn()
    // It counts if it hit its window.
    if (one.strike === 'stop-after-start' || !one.sent) tally.struck(one.strike)
    else arm(one.strike)
  }

  return {
    arm,
    aim: (at: Fleet) => {
      fleet = at
    },
    /** Nothing new is struck; those that are stopped go on when their time comes. */
    end: () => armed.clear(),
    /** How many are stopped now. */
    stopped: () => stopped.size,
    /** The stopped go on at once. */
    close() {
      for (const one of [...stopped]) wake(one)
    },

    go(promotionId: string, number: number) {
      setOut++
      const waiting = onTheWay.get(number) ?? new Set()
      onTheWay.set(number, waiting.add(promotionId))
      // Both wait for a quiet target: neither may take them all.
      const isBehind = tally.count('stop-at-connect') < tally.count('stop-at-claim')
      if (isBehind && tellToStop(number, promotionId)) return
      if (kill('kill-at-claim', number)) waiting.clear()
      else if (!stop('stop-at-claim', number, promotionId)) tellToStop(number, promotionId)
    },

    connecting(number: number) {
      if (!claimsAtConnect) return
      setOut++
      if (!kill('kill-at-claim', number) && !stop('stop-at-claim', number, ''))
        stop('stop-at-connect', number, '')
    },

    stoppedItself(number: number) {
      const slot = slotNamed(number)
      if (!slot) return
      setOut = 0
      if (take('stop-at-connect')) keepStopped(slot, 'stop-at-connect', told.get(number) ?? '')
      else slot.goOn()
    },

    lose: (kind: LostReply) => take(kind),
    lost: (kind: LostReply) => tally.struck(kind),

    arrived(request: ArrivedRequest, number: number | undefined): Fault | undefined {
      // A person's request is met by nothing.
      if (request.operation === 'rerun') return undefined
      if (request.operation !== 'dispatch') return dispatchFaults.onRead()
      const promotionId = String(request.inputs.promotion_id)
      if (number !== undefined) onTheWay.get(number)?.delete(promotionId)
      for (const one of [...stopped]) {
        if (one.promotionId !== promotionId) continue
        if (one.slot.number === number) one.sent = true
        else {
          // Its successor is in the air: what the old one still has to tell comes now.
          wake(one)
          tally.struck('woken-beside-successor')
          return dispatchFaults.inTheAir()
        }
      }
      const killed = kill('kill-on-arrival', number)
      return dispatchFaults.onDispatch({ killed })
    },

    started(request: ArrivedRequest, number: number | undefined, _runId: number) {
      if (number === undefined || kill('kill-after-start', number)) return
      stop('stop-after-start', number, String(request.inputs.promotion_id))
    },
  }
}
