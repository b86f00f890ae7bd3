/**
 * The BullMQ queues: their names, job ids and what their jobs carry. The queue carries work and is disposable:
 * whatever is lost here, the sweep puts back from the ledger. Each job id ends in a number from the ledger,
 * since BullMQ silently drops an id that still exists.
 */
import { createHash } from 'node:crypto'
import { type ConnectionOptions, type JobsOptions, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Promotion } from './ledger/promotion-record.ts'
import { KEY_PREFIX } from './redis/connect.ts'
import type { RunEvent } from './run-event.ts'

export const PROMOTIONS = 'promotions'
export const TRACKING = 'tracking'
export const DEAD_LETTERS = 'dead-letters'
export const FEEDBACK = 'feedback'
/** Name of the jobs in `promotions`. */
export const PROMOTED = 'promoted'
/** Names of the jobs in `tracking`. */
export const TRACK = 'track'
export const RUN_EVENT = 'event'

/** What a job of ours carries, for readers of the dashboard; the ledger is asked for the truth. */
export interface PromotedJobData {
  promotionId: string
  model: string
  version: string
  environment: string
  accuracy?: number
}

export interface TrackingJobData {
  promotionId: string
  model: string
  version: string
  environment: string
  /** Number of polls done, for the growing interval. */
  polls: number
}

export interface RunEventJobData {
  event: RunEvent
  /** How often it was looked into without effect. */
  looks: number
}

/** How the death of a worker is noticed, ms: BullMQ gives a job away whose lock has run out. */
export interface Stalls {
  lockDuration: number
  stalledInterval: number
}

export function bullPrefix(prefix: string = KEY_PREFIX): string {
  return `${prefix}:bull`
}

/** BullMQ types its connection after its own copy of ioredis. */
export function asConnection(redis: Redis): ConnectionOptions {
  return redis as unknown as ConnectionOptions
}

const WORK_JOB: JobsOptions = {
  // One layer retries: claim and back-off. A job whose processor broke gets a successor from the sweep.
  attempts: 1,
  removeOnComplete: true,
  removeOnFail: { age: 14 * 24 * 3600, count: 5_000 },
  // A promotion may wait for days and is looked at every minute.
  keepLogs: 100,
}

export function promotedJobId(promotionId: string, job: number): string {
  return `${promotionId}-${job}`
}

export function trackingJobId(promotionId: string, job: number): string {
  return `track-${promotionId}-${job}`
}

export function deadLetterJobId(promotionId: string, deadLetter: number): string {
  return `dl-${promotionId}-${deadLetter}`
}

/** @param news one of its kind; see `News.id` */
export function feedbackJobId(sink: string, news: string): string {
  return `feedback-${sink}-${news}`
}

/** Of a job that no promotion could be made of. */
export function invalidJobId(id: string): string {
  return `dl-invalid-${id}`
}

/** The scope is a path, and ids must not hold a colon: its digest stands for it. */
export function circuitJobId({ scope, number }: { scope: string; number: number }): string {
  return `circuit-${createHash('sha256').update(scope).digest('hex').slice(0, 16)}-${number}`
}

export function createQueue(name: string, redis: Redis, prefix?: string): Queue {
  return new Queue(name, {
    connection: asConnection(redis),
    prefix: bullPrefix(prefix),
    skipVersionCheck: true,
    defaultJobOptions: WORK_JOB,
  })
}

type Readable = Pick<Promotion, 'id' | 'model' | 'version' | 'environment'> & {
  accuracy?: number | undefined
}

export async function addPromotedJob(queue: Queue, promotion: Readable, job: number): Promise<void> {
  const data: PromotedJobData = readableData(promotion)
  await queue.add(PROMOTED, data, { jobId: promotedJobId(promotion.id, job) })
}

/** @throws where somebody works on it just now */
export async function removePromotedJob(queue: Queue, promotionId: string, job: number): Promise<void> {
  await queue.remove(promotedJobId(promotionId, job))
}

export async function addTrackingJob(
  queue: Queue,
  promotion: Readable,
  job: number,
  delayMs: number,
): Promise<void> {
  const data: TrackingJobData = { ...readableData(promotion), polls: 0 }
  await queue.add(TRACK, data, { jobId: trackingJobId(promotion.id, job), delay: delayMs })
}

/** Delivered again while it is kept, it is kept once. */
export async function addRunEventJob(queue: Queue, event: RunEvent): Promise<void> {
  const data: RunEventJobData = { event, looks: 0 }
  await queue.add(RUN_EVENT, data, event.delivery === '' ? {} : { jobId: `event-${event.delivery}` })
}

function readableData({ id, model, version, environment, accuracy }: Readable): PromotedJobData {
  return { promotionId: id, model, version, environment, ...(accuracy === undefined ? {} : { accuracy }) }
}
