/**
 * The consumer of the queue `dead-letters`. A job's first run parks it as failed with its reason; pressing Retry
 * runs it again, and that run is the redrive. Which of the two it is, is told by `attemptsMade` alone: a worker
 * that dies while parking leaves 0 behind, so that nothing ever redrives by itself.
 */
import { type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Accept } from '../../shared/accept.ts'
import type { InvalidJobs } from '../../shared/invalid-jobs.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Wake } from '../../shared/ledger/steps.ts'
import type { Logger } from '../../shared/logger.ts'
import { asConnection, bullPrefix, DEAD_LETTERS, invalidJobId, type Stalls } from '../../shared/queues.ts'
import type { DeadLetterData } from './dead-letters.ts'

export interface DeadLetterDeps {
  connection: Redis
  prefix?: string | undefined
  stalls: Stalls
  ledger: Pick<Ledger, 'redrive'>
  accept: Accept
  invalidJobs: Pick<InvalidJobs, 'forget'>
  wake(next: Wake): Promise<void>
  /** Looks at once whether what opened a circuit is mended. */
  probe(scope: string): Promise<{ mended: boolean; detail: string }>
  log: Logger
}

export function consumeDeadLetters({
  connection,
  prefix,
  stalls,
  ledger,
  accept,
  invalidJobs,
  wake,
  probe,
  log,
}: DeadLetterDeps): Worker {
  const worker = new Worker<DeadLetterData>(
    DEAD_LETTERS,
    async (job) => {
      if (job.attemptsMade === 0) throw new UnrecoverableError(job.data.reason)
      const { promotionId, deadLetter, circuit } = job.data
      if (circuit !== undefined) return retryCircuit(job, circuit)
      if (promotionId === undefined || deadLetter === undefined) return retryInvalid(job)
      const redriven = await ledger.redrive(promotionId, deadLetter, 'dashboard')
      log.info({ promotionId, deadLetter, result: redriven.kind }, 'Dead letter redriven')
      switch (redriven.kind) {
        case 'accepted':
          await wake({ id: promotionId, job: redriven.job })
          return 'back in the queue'
        case 'superseded':
          return `superseded: version ${redriven.version} was accepted later. To deploy this one all the same, promote it with rollback: true`
        case 'resolving':
          return 'nothing is sent: its run is looked for again'
        case 'settled':
          return `nothing to do: it is ${redriven.state} already`
        default:
          return redriven satisfies never
      }
    },
    {
      connection: asConnection(connection),
      prefix: bullPrefix(prefix),
      concurrency: 4,
      ...stalls,
      maxStalledCount: 1_000,
      metrics: { maxDataPoints: 60 * 24 },
    },
  )
  worker.on('error', (err) => log.warn({ err }, 'The worker of the queue dead-letters reports a fault'))
  return worker

  async function retryCircuit(job: Job<DeadLetterData>, scope: string): Promise<string> {
    const { mended, detail } = await probe(scope)
    if (!mended) throw new UnrecoverableError(`${job.data.reason} — probed again: ${detail}`)
    return 'mended: promotions flow again'
  }

  async function retryInvalid(job: Job<DeadLetterData>): Promise<string> {
    const id = String(job.id).replace(invalidJobId(''), '')
    const result = await accept(job.data.invalid, { id })
    if (result.status === 'invalid') throw new UnrecoverableError(job.data.reason)
    await invalidJobs.forget(invalidJobId(id))
    return `${result.status}: ${result.id}`
  }
}
