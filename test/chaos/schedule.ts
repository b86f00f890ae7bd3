// What will happen when, drawn from the seed alone: the strikes, the deliveries and the share of each fault among
// the dispatches. Only how it meets the workers depends on the machine.
import type { DeliveryFault, DispatchFault, Strike } from './faults.ts'
import type { Random } from './random.ts'

export interface PlannedStrike {
  atMs: number
  strike: Strike
}

export type DeliveryKind = 'new' | 'same-key' | 'no-key' | 'late-version' | 'rollback' | 'foreign'

export interface Delivery {
  atMs: number
  kind: DeliveryKind
  target: string
  version: string
  /** '' for none. */
  key: string
}

/** How often in a minute at pace 20; at least once each. */
const STRIKES_A_MINUTE: Readonly<Record<Strike, number>> = {
  'bad-token': 2,
  'kill-random': 5,
  'kill-at-claim': 4,
  'kill-on-arrival': 4,
  'kill-after-start': 5,
  term: 3,
  'stop-at-claim': 3,
  'stop-at-connect': 3,
  'stop-after-start': 2,
  'reply-lost-claim': 6,
  'reply-lost-outcome': 6,
  'reply-lost-resolve': 3,
  'reply-lost-finish': 4,
  'reply-lost-accept': 6,
  'reply-lost-queue': 6,
  'redis-killed': 1,
  'redis-rolled-back': 1,
  'queue-deleted': 2,
  'retry-pressed': 20,
  'server-killed': 2,
  'webhooks-away': 2,
  'reads-away': 2,
  'webhooks-and-reads-away': 1,
  'run-again': 12,
  'target-held': 6,
  'target-rolled-back': 8,
}

/** Of every so many dispatches, so many meet each; the rest are well. Dealt like cards, so that none is left out. */
const DISPATCH_CARDS: Readonly<Record<DispatchFault, number>> = {
  '5xx-before': 1,
  '5xx-after': 2,
  'reset-before': 1,
  'reset-after': 2,
  'hang-before': 1,
  'hang-after': 1,
  'late-create': 1,
  unreadable: 1,
  'no-content': 2,
  slow: 2,
  throttled: 1,
  'too-large': 1,
}

/** The same of webhooks. */
const DELIVERY_CARDS: Readonly<Record<DeliveryFault, number>> = {
  'webhook-lost': 4,
  'webhook-doubled': 2,
  'webhook-late': 4,
  'webhook-replayed': 2,
  'webhook-forged': 2,
  'webhook-misled': 2,
}
const DELIVERY_DECK = 40

/** The endless row of what the dispatches meet. @param among how many of them each deck's faults are */
export const dealDispatches = (random: Random, among: number) => deal(random, DISPATCH_CARDS, among)
export const dealDeliveries = (random: Random) => deal(random, DELIVERY_CARDS, DELIVERY_DECK)

function* deal<K extends string>(
  random: Random,
  cardsOf: Readonly<Record<K, number>>,
  among: number,
): Generator<K | undefined, undefined> {
  for (;;) {
    const deck: (K | undefined)[] = Object.entries<number>(cardsOf).flatMap(([kind, cards]) =>
      Array.from({ length: cards }, () => kind as K),
    )
    while (deck.length < among) deck.push(undefined)
    while (deck.length > 0) yield deck.splice(random.below(deck.length), 1)[0]
  }
}

/** @param durationMs of the chaos @param pace see timing.ts */
export function planStrikes(random: Random, durationMs: number, pace: number): PlannedStrike[] {
  const plan: PlannedStrike[] = []
  for (const [strike, aMinute] of Object.entries(STRIKES_A_MINUTE) as [Strike, number][]) {
    const times = Math.max(1, Math.round((aMinute * durationMs * pace) / (60_000 * 20)))
    // Spread evenly with a jitter; over before the end, so that each has time to strike. A stop takes long.
    const overMs = durationMs * (strike.startsWith('stop-') ? 0.6 : 0.85)
    for (let n = 0; n < times; n++)
      plan.push({ strike, atMs: Math.round((overMs * (n + random.next())) / times) })
  }
  return plan.sort((a, b) => a.atMs - b.atMs)
}

/** How the workers come to know of runs: by `webhooks`, and those that start now poll seldom; by the `poll` alone. */
export type Way = 'both' | 'webhooks' | 'poll'

/** The ways one after the other, the last of them also while all comes to its end. */
export function planWays(durationMs: number): { atMs: number; way: Way }[] {
  const ways: Way[] = ['webhooks', 'poll', 'both']
  return ways.map((way, index) => ({ atMs: (durationMs * (index + 1)) / (ways.length + 1), way }))
}

const QUIET_TARGETS = 0.25
const QUIET_SHARE = 0.08
const SHARE_WITH_KEY = 0.7
const SHARE_ROLLBACK = 0.02
/** Put into the queue by another BullMQ client. */
const SHARE_FOREIGN = 0.05
const SHARE_AGAIN: readonly [DeliveryKind, number][] = [
  ['same-key', 0.06],
  ['no-key', 0.04],
  ['late-version', 0.04],
]

/** New promotions spread over the targets, versions ascending in each, and what is delivered once more. */
export function planDeliveries(
  random: Random,
  { promotions, targets, durationMs }: { promotions: number; targets: number; durationMs: number },
): Delivery[] {
  const times = Array.from({ length: promotions }, () => random.next() * durationMs).sort((a, b) => a - b)
  const newest = new Map<string, Delivery[]>()
  const plan: Delivery[] = []
  const quiet = Math.floor(targets * QUIET_TARGETS)
  let ofQuiet = 0
  for (const time of times) {
    const atMs = Math.round(time)
    // Some targets are busy: a third of them has most of the promotions. Some are so quiet that a stopped worker's
    // promotion is still the newest when it is sent again.
    const isQuiet = quiet > 0 && random.chance(QUIET_SHARE)
    const number = isQuiet
      ? targets - 1 - (ofQuiet++ % quiet)
      : Math.floor((targets - quiet) * random.next() ** 2.5)
    const target = `model-${number}`
    const before = newest.get(target) ?? []
    const older = before[random.below(before.length)]
    if (older && random.chance(SHARE_ROLLBACK)) {
      plan.push({ ...older, atMs, kind: 'rollback', key: '' })
      continue
    }
    const version = String(before.length + 1)
    const key = random.chance(SHARE_WITH_KEY) ? `${target}/${version}` : ''
    const isForeign = random.chance(SHARE_FOREIGN)
    const delivery: Delivery = {
      atMs,
      target,
      version,
      ...(isForeign ? { kind: 'foreign', key: '' } : { kind: 'new', key }),
    }
    plan.push(delivery)
    newest.set(target, [...before, delivery])
    if (isForeign) continue
    for (const [kind, share] of SHARE_AGAIN) {
      if (!random.chance(share)) continue
      const again = kind === 'late-version' ? older : delivery
      const later = atMs + Math.round(random.between(0, Math.min(5_000, durationMs - atMs)))
      if (again && (kind !== 'same-key' || again.key)) {
        plan.push({ ...again, atMs: later, kind, key: kind === 'same-key' ? again.key : '' })
      }
    }
  }
  return plan.sort((a, b) => a.atMs - b.atMs)
}
