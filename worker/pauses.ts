/** Every pause and limit of a worker that is no setting, in ms; tests shorten them. */
import { SEND_DEADLINE_MS } from './dispatch/handle.ts'

export interface Pauses {
  /** From before the claim until the request is written; past it nothing is sent. */
  sendDeadlineMs: number
  /** For the answer to a dispatch, from when it is written. */
  dispatchTimeoutMs: number
  /** How long after the intent an attempt may still be under way: it may ask for the repository after a 404, or for a token after a 401. */
  uncertainMs: number
  /** A job's lock, renewed at half: longer than a dispatch takes, so that a healthy job never loses it. */
  lockMs: number
  /** Between two looks for jobs whose worker has died. */
  stalledCheckMs: number
  /** A waiting promotion that expects to be woken looks again after this. */
  recheckMs: number
  /** First pause until a webhook that can't be told yet is looked into again; it doubles. */
  hearAgainMs: number
  /** First pause of a circuit that an answer opened. */
  circuitPauseMs: number
  /** First pause of the repository's circuit after several faults in a row. */
  faultPauseMs: number
  /** After GitHub gave no token of the App it is not asked for one again for this long. */
  tokenPauseMs: number
  /** Between two looks whether the token is about to expire. */
  tokenLookMs: number
  /** Between two sweeps, looks for runs in doubt, looks at open circuits. */
  sweepMs: number
  resolveMs: number
  probeMs: number
  /** Between two signs of life, for the figure of workers. */
  presenceMs: number
  /** Promotions touched more recently are left to those who are at them. */
  settleMs: number
  feedback: FeedbackPauses
  watchdog: {
    lookMs: number
    /** Waiting work without progress for this long: not ready. */
    unreadyMs: number
    /** And for this long: the process ends, so that a fresh one takes its place. */
    exitMs: number
  }
}

export interface FeedbackPauses {
  /** Between two looks for news. */
  drainMs: number
  /** For one call of a receiver, all of it. */
  callMs: number
  /** Before the first retry; it doubles, and up to half of it is left out at random. */
  retryMs: number
  /** Until what found its sink busy looks again. */
  busyMs: number
  /** For what is in the air when the worker is stopped. */
  stopMs: number
}

const DISPATCH_TIMEOUT_MS = 30_000

export const PAUSES: Pauses = {
  sendDeadlineMs: SEND_DEADLINE_MS,
  dispatchTimeoutMs: DISPATCH_TIMEOUT_MS,
  uncertainMs: SEND_DEADLINE_MS + DISPATCH_TIMEOUT_MS + 15_000,
  lockMs: 60_000,
  stalledCheckMs: 30_000,
  recheckMs: 60_000,
  hearAgainMs: 500,
  circuitPauseMs: 60_000,
  faultPauseMs: 15_000,
  tokenPauseMs: 5_000,
  tokenLookMs: 3_600_000,
  sweepMs: 30_000,
  resolveMs: 10_000,
  probeMs: 5_000,
  presenceMs: 15_000,
  settleMs: 10_000,
  feedback: { drainMs: 1_000, callMs: 15_000, retryMs: 45_000, busyMs: 1_000, stopMs: 3_000 },
  watchdog: { lookMs: 10_000, unreadyMs: 60_000, exitMs: 300_000 },
}
