/** Gives a waiting promotion its turn: a fresh job for it, in place of one that may be asleep for a while yet. */
import type { Queue } from 'bullmq'
import type { LedgerReader } from './ledger/read.ts'
import type { Wake } from './ledger/steps.ts'
import { addPromotedJob, removePromotedJob } from './queues.ts'

export function createWake({ reader, queue }: { reader: Pick<LedgerReader, 'promotion'>; queue: Queue }) {
  async function wake({ id, job }: Wake): Promise<void> {
    const promotion = await reader.promotion(id)
    if (!promotion) return
    await addPromotedJob(queue, promotion, job)
    // An active one can't be removed, and does no harm.
    await removePromotedJob(queue, id, job - 1).catch(() => {})
  }
  return wake
}
