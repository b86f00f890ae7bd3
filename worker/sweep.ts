/**
 * The sweep: makes the queues follow the ledger again. Each promotion that is not at its end gets a job if it has
 * none waiting, delayed or active; each dead letter its place in the dead-letter queue, and settled ones lose
 * theirs. Harmless when two run at once: job ids carry numbers from the ledger. Heals every crash between a
 * ledger script and the queue call behind it, and the loss of the whole queue.
 */
import type { Job, Queue } from 'bullmq'
import type { Ledger } from '../shared/ledger/ledger.ts'
import type { Promotion, State } from '../shared/ledger/promotion-record.ts'
import type { LedgerReader, ListedState, OpenCircuit } from '../shared/ledger/read.ts'
import type { Wake } from '../shared/ledger/steps.ts'
import type { Logger } from '../shared/logger.ts'
import { circuitJobId, deadLetterJobId, promotedJobId, trackingJobId } from '../shared/queues.ts'

export interface SweepDeps {
  ledger: Pick<Ledger, 'nextJob'>
  reader: Pick<LedgerReader, 'idsIn' | 'promotions' | 'nowMs' | 'openCircuits'>
  queues: { promotions: Queue; tracking: Queue; deadLetters: Queue }
  wake(next: Wake): Promise<void>
  follow(promotion: Promotion, job: number): Promise<void>
  bury(promotionId: string, deadLetter: number): Promise<void>
  buryCircuit(circuit: OpenCircuit): Promise<void>
  refreshCircuit(circuit: OpenCircuit): Promise<void>
  log: Logger
  /** Promotions touched more recently are left alone: somebody is at them, ms. */
  settleMs: number
}

export interface Swept {
  woken: number
  followed: number
  buried: number
  removed: number
}

const WORKING = ['waiting', 'delayed', 'active', 'prioritized', 'waiting-children']
const AT_ONCE = 200

export function createSweep(deps: SweepDeps): () => Promise<Swept> {
  const { ledger, reader, queues, log } = deps
  const reportedGone = new Set<string>()

  return async () => {
    const swept: Swept = { woken: 0, followed: 0, buried: 0, removed: 0 }
    for (const state of ['accepted', 'dispatching'] as const) {
      swept.woken += await each(state, async (promotion) => {
        if (await works(queues.promotions, promotedJobId(promotion.id, promotion.job))) return false
        const job = await ledger.nextJob(promotion.id, 'job', ['accepted', 'dispatching'])
        if (job !== undefined) await deps.wake({ id: promotion.id, job })
        return job !== undefined
      })
    }
    swept.followed = await each('dispatched', async (promotion) => {
      if (await works(queues.tracking, trackingJobId(promotion.id, promotion.trackJob))) return false
      const job = await ledger.nextJob(promotion.id, 'trackJob', ['dispatched'])
      if (job !== undefined) await deps.follow(promotion, job)
      return job !== undefined
    })
    for (const state of ['dead_lettered', 'unresolved'] as const) {
      swept.buried += await each(state, async (promotion) => {
        const id = deadLetterJobId(promotion.id, promotion.deadLetters)
        const job = await queues.deadLetters.getJobState(id)
        if (job !== 'unknown' && job !== 'completed') return false
        // A redrive that ended without effect has completed its entry: it makes room for a new one.
        if (job === 'completed') await queues.deadLetters.remove(id)
        await deps.bury(promotion.id, promotion.deadLetters)
        return true
      })
    }
    const open = await reader.openCircuits()
    for (const circuit of open) {
      const job = await queues.deadLetters.getJobState(circuitJobId(circuit))
      if (job !== 'unknown' && job !== 'completed') {
        await deps.refreshCircuit(circuit)
        continue
      }
      if (job === 'completed') await queues.deadLetters.remove(circuitJobId(circuit))
      await deps.buryCircuit(circuit)
      swept.buried++
    }
    swept.removed = await removeSettled(new Set(open.map(circuitJobId)))
    if (Object.values(swept).some((count) => count > 0))
      log.info(swept, 'Swept: jobs put back from the ledger')
    return swept
  }

  async function each(state: ListedState, mend: (promotion: Promotion) => Promise<boolean>): Promise<number> {
    let mended = 0
    const ids = await reader.idsIn(state)
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const nowMs = await reader.nowMs()
      const page = ids.slice(at, at + AT_ONCE)
      const promotions = await reader.promotions(page)
      if (promotions.length < page.length) await reportGone(state, page)
      const settled = promotions.filter(
        (one) => one.state === state && nowMs - one.updatedAt >= deps.settleMs,
      )
      mended += (await Promise.all(settled.map(mend))).filter(Boolean).length
    }
    return mended
  }

  /** Thrown away by a Redis that evicts, or deleted by hand: it can't be put back, and must not go unseen. */
  async function reportGone(state: ListedState, page: string[]): Promise<void> {
    const [known, listed] = await Promise.all([reader.promotions(page), reader.idsIn(state)])
    const there = new Set(known.map(({ id }) => id))
    const gone = page.filter((id) => !there.has(id) && listed.includes(id) && !reportedGone.has(id))
    for (const id of gone) reportedGone.add(id)
    if (gone.length === 0) return
    log.error({ state, promotionIds: gone.join(' ') }, "A promotion's record is gone: Redis threw it away")
  }

  async function works(queue: Queue, jobId: string): Promise<boolean> {
    return WORKING.includes(await queue.getJobState(jobId))
  }

  /** Dead letters that a person or a late answer has settled meanwhile, and circuits that have closed. */
  async function removeSettled(openEntries: ReadonlySet<string>): Promise<number> {
    let removed = 0
    for (let kept = 0; ; ) {
      const jobs = await queues.deadLetters.getJobs(['failed'], kept, kept + AT_ONCE - 1, true)
      const page = jobs.filter(Boolean) as Job<DeadLetterJob>[]
      const ids = page.flatMap((job) => job.data.promotionId ?? [])
      const promotions = new Map((await reader.promotions(ids)).map((one) => [one.id, one]))
      const settled = page.filter((job) => {
        const { promotionId, deadLetter, circuit } = job.data
        if (circuit !== undefined) return !openEntries.has(String(job.id))
        const promotion = promotions.get(promotionId ?? '')
        return promotion !== undefined && !standsFor(promotion, deadLetter)
      })
      for (const job of settled) await job.remove()
      removed += settled.length
      kept += page.length - settled.length
      if (jobs.length < AT_ONCE) return removed
    }
  }
}

/** What the sweep reads of an entry among the dead letters. */
interface DeadLetterJob {
  promotionId?: string
  deadLetter?: number
  circuit?: string
}

function standsFor(promotion: Promotion, deadLetter: number | undefined): boolean {
  const waiting: State[] = ['dead_lettered', 'unresolved']
  return waiting.includes(promotion.state) && promotion.deadLetters === deadLetter
}
