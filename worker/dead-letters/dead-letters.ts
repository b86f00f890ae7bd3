/**
 * The dead letters as a queue of their own: a projection of the ledger, so that ops see them under Failed in the
 * Bull dashboard, with the reason, GitHub's answer and every attempt. Job ids are fixed by the ledger: burying
 * the same one twice makes one. The ledger decides what a redrive does.
 */
import type { Queue } from 'bullmq'
import type { InvalidJobs } from '../../shared/invalid-jobs.ts'
import type { LedgerReader, OpenCircuit } from '../../shared/ledger/read.ts'
import type { Opening } from '../../shared/ledger/steps.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import { circuitJobId, deadLetterJobId, invalidJobId } from '../../shared/queues.ts'

export interface DeadLetterData {
  reason: string
  /** What ops can do about it. */
  next: string
  /** Absent for data that no promotion could be made of. */
  promotionId?: string
  deadLetter?: number
  state?: string
  model?: string
  version?: string
  environment?: string
  attempts?: {
    attempt: number
    at: string
    outcome: string
    detail: string
    status: number
    tookMs: number
  }[]
  /** The circuit that this entry stands for: owner/name or owner/name/workflow. */
  circuit?: string
  opening?: number
  /** Promotions that wait at this time; the reason names those of its opening. */
  waiting?: number
  /** What a foreign client had put into the queue, cut off where it is long. */
  invalid?: unknown
}

export const NEXT = {
  dead_lettered: 'Mend the cause, then press Retry: it is redriven through the ledger.',
  unresolved:
    'A run may have been started. Look at the workflow runs, then: promotion-relay resolve ID --run RUN, or --absent. Retry looks for the run again and never sends.',
  circuit: 'Mend the cause: promotions wait and flow again by themselves. Retry looks at once.',
  invalid: 'Correct whoever adds these jobs. Retry checks the data again.',
}

export interface DeadLetters {
  bury(promotionId: string, deadLetter: number): Promise<void>
  /** One entry for each opening of a circuit, so that ops see it where they look. */
  buryCircuit(circuit: OpenCircuit): Promise<void>
  /** Promotions come and go behind it. */
  refreshCircuit(opening: Opening): Promise<void>
  removeCircuit(opening: Opening): Promise<void>
  buryInvalid(id: string, data: unknown, problems: readonly FieldProblem[]): Promise<void>
}

export function createDeadLetters(deps: {
  queue: Queue
  reader: Pick<LedgerReader, 'promotion' | 'timeline' | 'countByState'>
  invalidJobs: Pick<InvalidJobs, 'note'>
}): DeadLetters {
  const { queue, reader, invalidJobs } = deps
  return {
    async bury(promotionId, deadLetter) {
      const [promotion, timeline] = await Promise.all([
        reader.promotion(promotionId),
        reader.timeline(promotionId),
      ])
      // Of a smoke test whoever sent it is told.
      if (!promotion || (promotion.test && promotion.state === 'dead_lettered')) return
      const { reason, state, model, version, environment } = promotion
      const attempts = timeline
        .filter((entry) => entry.what === 'outcome')
        .map((entry) => ({
          attempt: Number(entry.attempt),
          at: new Date(entry.at).toISOString(),
          outcome: String(entry.outcome),
          detail: String(entry.detail),
          status: Number(entry.status),
          tookMs: Number(entry.tookMs),
        }))
      const next = state === 'unresolved' ? NEXT.unresolved : NEXT.dead_lettered
      const about = { promotionId, deadLetter, state, model, version, environment }
      await add(deadLetterJobId(promotionId, deadLetter), `${model} ${version}`, {
        reason,
        next,
        ...about,
        attempts,
      })
    },

    async buryCircuit({ scope, number, reason: why, detail }) {
      const { accepted: waiting } = await reader.countByState()
      const wait = waiting === 1 ? '1 promotion waits' : `${waiting} promotions wait`
      const reason = `${scope}: ${why.replaceAll('_', ' ')} (${detail}), ${wait}`
      const data = { reason, next: NEXT.circuit, circuit: scope, opening: number, waiting }
      await add(circuitJobId({ scope, number }), `circuit ${scope}`, data)
    },

    async refreshCircuit(opening) {
      const [job, { accepted: waiting }] = await Promise.all([
        queue.getJob(circuitJobId(opening)),
        reader.countByState(),
      ])
      if (job && job.data.waiting !== waiting) await job.updateData({ ...job.data, waiting })
    },

    async removeCircuit(opening) {
      await queue.remove(circuitJobId(opening)).catch(() => {})
    },

    async buryInvalid(id, data, problems) {
      const reason = `not a valid promotion: ${problems.map(({ field, problem }) => `${field} ${problem}`.trim()).join('; ')}`
      await invalidJobs.note(invalidJobId(id))
      await add(invalidJobId(id), 'invalid job', { reason, next: NEXT.invalid, invalid: cut(data) })
    },
  }

  async function add(jobId: string, name: string, data: DeadLetterData) {
    await queue.add(name, data, {
      jobId,
      attempts: 1,
      removeOnComplete: { age: 7 * 24 * 3600, count: 1_000 },
      removeOnFail: false,
    })
  }
}

const LONGEST_INVALID = 10_000

function cut(data: unknown): unknown {
  const text = JSON.stringify(data) ?? ''
  return text.length <= LONGEST_INVALID ? data : { cutOff: text.slice(0, LONGEST_INVALID) }
}
