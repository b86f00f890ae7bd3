// Every kind of fault that the harness knows, and the count of how often each has struck. A kind that a run planned
// and that never struck fails the run: a fault that does not happen proves nothing.

/** What the simulator does to a dispatch. */
export const DISPATCH_FAULTS = {
  '5xx-before': '5xx, and no run is started',
  '5xx-after': '5xx, although the run is started',
  'reset-before': 'connection reset, and no run is started',
  'reset-after': 'connection reset, although the run is started',
  'hang-before': 'no answer within the limit, and no run is started',
  'hang-after': 'no answer within the limit, although the run is started',
  'late-create': 'no answer, and the run is started after the limit',
  unreadable: '200 that can not be read, run started',
  'no-content': '204 as from an Enterprise Server, run started',
  slow: 'answered late, within the limit',
  throttled: '429 with retry-after: 1',
  'too-large': '422 inputs are too large: the promotion is dead-lettered',
} as const
export type DispatchFault = keyof typeof DISPATCH_FAULTS

/** What the post does to a webhook. */
export const DELIVERY_FAULTS = {
  'webhook-lost': 'a webhook that never comes',
  'webhook-doubled': 'a webhook that comes twice at once',
  'webhook-late': 'a webhook that others overtake',
  'webhook-replayed': 'a webhook that comes again, most often after the end',
  'webhook-forged': 'a webhook that is not signed by GitHub, of a success',
  'webhook-misled': "a signed webhook with another run's id, or another promotion's, of a success",
} as const
export type DeliveryFault = keyof typeof DELIVERY_FAULTS

/** Strikes that the schedule sets a time for; `armed` ones then wait for their instant. */
export const STRIKES = {
  'bad-token': '401 to every request for a while',
  'kill-random': 'kill -9 of a worker',
  'kill-at-claim': 'kill -9 between claim and POST',
  'kill-on-arrival': 'kill -9 as the POST arrives, before the run is started',
  'kill-after-start': 'kill -9 once the run is started, before the answer',
  term: 'SIGTERM, restarted',
  'stop-at-claim': 'SIGSTOP as the claim says go, past lock, deadline and patience',
  'stop-at-connect': 'SIGSTOP as the connection for the POST stands',
  'stop-after-start': 'SIGSTOP once the run is started, before the answer is read',
  'reply-lost-claim': 'reply to claim lost after execution: sent again',
  'reply-lost-outcome': 'reply to outcome lost after execution: sent again',
  'reply-lost-resolve': 'reply to resolve lost after execution: sent again',
  'reply-lost-finish': 'reply to finish, or to a later attempt, lost after execution: sent again',
  'reply-lost-accept': 'reply to accept lost: the producer asks again',
  'reply-lost-queue': "reply to one of BullMQ's scripts lost",
  'redis-killed': 'kill -9 of Redis, restarted on the same data',
  'redis-rolled-back': 'kill -9 of Redis, restarted from an AOF about a second old',
  'queue-deleted': 'every key of BullMQ deleted',
  'retry-pressed': 'Retry on dead letters, twice at once',
  'server-killed': 'kill -9 of the server that takes webhooks',
  'webhooks-away': 'no webhook comes for a while',
  'reads-away': '5xx to every GET for a while: neither poll nor look',
  'webhooks-and-reads-away': 'neither of them for a while',
  'run-again': 'a person starts a completed run again at GitHub',
  'target-held': 'a person holds a target for a while',
  'target-rolled-back': 'a person rolls a target back',
} as const
export type Strike = keyof typeof STRIKES

/** What happens by share besides. */
export const OTHER_FAULTS = {
  'failed-run': 'a run that fails',
  'automated-rollback': 'a failure that is rolled back by itself',
  'skipped-version': 'a version offered again that was rolled back from',
  'reads-fail': '5xx or reset on a GET',
  'listed-late': 'a run that is missing from listings for a while',
  'woken-beside-successor': 'SIGCONT of a stopped worker as its successor POSTs',
  'same-key': 'promoted again with the same idempotency key',
  'no-key': 'promoted again without a key',
  'late-version': 'an older version delivered late',
  'foreign-job': 'a job that another BullMQ client put into the queue',
  'asked-again': 'promoted again after "unavailable"',
} as const
export type OtherFault = keyof typeof OTHER_FAULTS

export type FaultKind = DispatchFault | DeliveryFault | Strike | OtherFault
export const FAULT_KINDS = {
  ...DISPATCH_FAULTS,
  ...DELIVERY_FAULTS,
  ...STRIKES,
  ...OTHER_FAULTS,
} as Readonly<Record<FaultKind, string>>

export type Tally = ReturnType<typeof createTally>

export function createTally() {
  const counts = new Map<FaultKind, number>()
  const strikes: { at: number; kind: FaultKind }[] = []
  return {
    struck(kind: FaultKind, times = 1) {
      counts.set(kind, (counts.get(kind) ?? 0) + times)
      strikes.push({ at: Date.now(), kind })
    },
    /** In the order of time, ms since the epoch. */
    strikes,
    count: (kind: FaultKind) => counts.get(kind) ?? 0,
    counts: () => Object.fromEntries(counts) as Partial<Record<FaultKind, number>>,
  }
}
