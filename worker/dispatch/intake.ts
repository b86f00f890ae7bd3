/**
 * Jobs that another BullMQ client put into `promotions`: through accept like everything else, or, where their
 * data is invalid, to the dead letters with the reasons. Seen twice (a worker died), the same job makes the same
 * promotion: its id is derived from the job.
 */
import { createHash } from 'node:crypto'
import type { Job } from 'bullmq'
import type { Accept } from '../../shared/accept.ts'
import type { Logger } from '../../shared/logger.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import { type TraceContext, traceContextFrom } from '../../shared/trace-context.ts'

export interface IntakeDeps {
  accept: Accept
  /** Parks data that no promotion can be made of. */
  buryInvalid(id: string, data: unknown, problems: readonly FieldProblem[]): Promise<void>
  log: Logger
}

export function createIntake({ accept, buryInvalid, log }: IntakeDeps): (job: Job) => Promise<string> {
  return async (job) => {
    const id = idOfForeignJob(String(job.id), job.timestamp)
    const result = await accept(job.data, { id, trace: traceOf(job) })
    if (result.status !== 'invalid') return `${result.status}: ${result.id}`
    log.warn({ jobId: job.id, problems: result.problems }, 'A job in the queue holds no valid promotion')
    await buryInvalid(id, job.data, result.problems)
    return `invalid: ${result.problems.map(({ field, problem }) => `${field} ${problem}`.trim()).join('; ')}`
  }
}

/** BullMQ's telemetry puts the context of whoever added the job into its options, as JSON. */
function traceOf({ opts }: Job): TraceContext | undefined {
  try {
    const { traceparent, tracestate } = JSON.parse(opts?.telemetry?.metadata ?? '{}')
    return traceContextFrom(traceparent, tracestate)
  } catch {
    return undefined
  }
}

/** A UUIDv7 whose random part is a digest of the job, so that the same job always gives the same id. */
export function idOfForeignJob(jobId: string, timestampMs: number): string {
  const bytes = createHash('sha256').update(`${jobId}\n${timestampMs}`).digest().subarray(0, 16)
  // The foreign client sets it: any number, or none.
  const fits = timestampMs >= 0 && timestampMs < 2 ** 48
  bytes.writeUIntBE(fits ? Math.floor(timestampMs) : 0, 0, 6)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
