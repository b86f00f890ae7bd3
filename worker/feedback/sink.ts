/** Whom news are told: what each sink is to the consumer, and how a telling may end. */
import type { News } from './news.ts'

export const SINK_NAMES = ['mlflow', 'webhook', 'chat'] as const
export type SinkName = (typeof SINK_NAMES)[number]

export interface Sink {
  name: SinkName
  wants(news: News): boolean
  /** Where it is told, as set now: once it has answered 410, nothing is sent there any more. */
  address(): string
  /** Safe to do twice. `signal` cuts it short. */
  tell(news: News, signal: AbortSignal): Promise<Told>
}

export type Told =
  | { kind: 'told'; note: string }
  /** Something later has been told, or will be: writing this would put it back. */
  | { kind: 'outdated'; note: string }
  /** Somebody else writes to the same place just now. */
  | { kind: 'busy' }
  /** `again`: a retry may mend it; otherwise a person has to. */
  | { kind: 'failed'; why: string; again: boolean }
  /** 410: it wants nothing more. */
  | { kind: 'gone'; why: string }

/** What a metric counts; see `promotion_relay_feedback_total`. */
export const RESULTS = ['told', 'again', 'failed', 'outdated', 'off'] as const
export type Result = (typeof RESULTS)[number]
