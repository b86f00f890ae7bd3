// The product's pauses and the world's delays, shortened by one factor, so that minutes of waiting fit a test and
// their proportions stay the design's. `pace` 20: one second of the design is 50 ms here.
//
//                         design   pace 20
//   send deadline            5 s    0.8 s   (more than its share: a busy machine's hiccups)
//   limit of the POST       30 s    1.5 s
//   uncertain               40 s    2.55 s
//   patience               120 s    6 s
//   late run, after POST    30–90 s 1.5–4.5 s  (past our limit, within patience)
//   listed late            0–20 s   0–1 s
//   a job's lock            60 s    3 s
//   nothing is heard        40 s    2 s    (no webhook, no read)
//   sweep                   30 s    1.5 s
//   stopped worker         up to 4.5 min   (past lock, deadline and patience, until its successor has sent)
//
// Not shortened: whole seconds in GitHub's times with the margin for clocks, and 429's shortest pause of 1 s.
import { PAUSES, type Pauses } from '../../worker/pauses.ts'

export interface Timing {
  pauses: Pauses
  patienceMs: number
  /** From an intent until its run is listed if there is one, in the resolver's eyes, ms. */
  certainMs: number
  trackMs: number
  /** Of a worker that starts while webhooks are to tell. */
  slowTrackMs: number
  /** For how long nothing is heard at all. */
  awayMs: number
  /** For how long a person holds a target. */
  holdMs: number
  backoffBaseMs: number
  backoffMaxMs: number
  /** A fault that starts its run late does so within this time after the POST. */
  lateMs: readonly [from: number, to: number]
  listDelayMs: number
  slowMs: readonly [from: number, to: number]
  runMs: readonly [from: number, to: number]
  queuedMs: number
  badTokenMs: number
  /** For how long a stopped worker stays so, unless its successor's POST wakes it. */
  stopMs: number
}

/** Redis loses about this much when it is restarted from an older AOF, ms; not scaled. */
export const ROLLED_BACK_MS = 1_000

export function timingAt(pace: number): Timing {
  const scaled = (designMs: number) => Math.round(designMs / pace)
  const sendDeadlineMs = Math.max(scaled(PAUSES.sendDeadlineMs), 800)
  const dispatchTimeoutMs = scaled(PAUSES.dispatchTimeoutMs)
  const patienceMs = scaled(120_000)
  const certainMs = sendDeadlineMs + dispatchTimeoutMs + patienceMs
  const resolveMs = scaled(PAUSES.resolveMs)
  return {
    pauses: {
      sendDeadlineMs,
      dispatchTimeoutMs,
      uncertainMs: sendDeadlineMs + dispatchTimeoutMs + scaled(5_000),
      lockMs: scaled(PAUSES.lockMs),
      stalledCheckMs: scaled(PAUSES.stalledCheckMs),
      recheckMs: scaled(PAUSES.recheckMs),
      hearAgainMs: scaled(PAUSES.hearAgainMs),
      circuitPauseMs: scaled(PAUSES.circuitPauseMs) / 4,
      faultPauseMs: scaled(PAUSES.faultPauseMs),
      tokenPauseMs: scaled(PAUSES.tokenPauseMs),
      tokenLookMs: scaled(PAUSES.tokenLookMs),
      sweepMs: scaled(PAUSES.sweepMs),
      resolveMs,
      probeMs: scaled(PAUSES.probeMs),
      presenceMs: scaled(PAUSES.presenceMs),
      settleMs: scaled(PAUSES.settleMs),
      feedback: { ...PAUSES.feedback, drainMs: scaled(PAUSES.feedback.drainMs) },
      watchdog: { lookMs: 1_000, unreadyMs: 10_000, exitMs: 30_000 },
    },
    patienceMs,
    certainMs,
    trackMs: scaled(5_000),
    slowTrackMs: scaled(10_000),
    awayMs: scaled(40_000),
    holdMs: sendDeadlineMs + scaled(60_000),
    backoffBaseMs: scaled(2_000),
    backoffMaxMs: scaled(60_000),
    lateMs: [dispatchTimeoutMs, scaled(90_000)],
    listDelayMs: scaled(20_000),
    slowMs: [dispatchTimeoutMs * 0.1, dispatchTimeoutMs * 0.7],
    runMs: [scaled(2_000), scaled(10_000)],
    queuedMs: scaled(1_000),
    badTokenMs: scaled(20_000),
    stopMs: certainMs + resolveMs * 4 + scaled(100_000),
  }
}
