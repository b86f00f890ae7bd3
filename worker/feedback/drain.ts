/**
 * From the ledger's outbox into the queue: a job for each sink that wants to be told, then the entry goes. Whoever dies
 * in between does it again: the job's id is fixed, and one that exists is not added twice, also when it is done.
 */
import type { NewsEntry, Outbox } from '../../shared/ledger/news.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import { type News, namedBy, newsFrom } from './news.ts'
import type { Sink, SinkName } from './sink.ts'

export interface DrainDeps {
  outbox: Pick<Outbox, 'waiting' | 'remove' | 'drop' | 'simulated'>
  reader: Pick<LedgerReader, 'promotion' | 'promotions' | 'timeline'>
  sinks: readonly Sink[]
  /** Adds the job, unless it is there. */
  add(sink: SinkName, news: News): Promise<void>
  /** owner/name/workflow that the relay dispatches to. */
  scope: string | undefined
  log: Logger
}

const AT_ONCE = 200

export function createDrain({ outbox, reader, sinks, add, scope, log }: DrainDeps): () => Promise<void> {
  return async () => {
    if (sinks.length === 0) return outbox.drop()
    for (const entry of await outbox.waiting(AT_ONCE)) {
      // One that can't be read must not keep the others.
      await handOver(entry).catch((err) => log.error({ err, ...entry }, 'News could not be handed over'))
    }
  }

  async function handOver(entry: NewsEntry): Promise<void> {
    const news = await snapshot(entry)
    if (news) for (const sink of sinks) if (sink.wants(news)) await add(sink.name, news)
    await outbox.remove(entry)
  }

  async function snapshot(entry: NewsEntry): Promise<News | undefined> {
    const promotion = await reader.promotion(entry.promotionId)
    if (!promotion) return undefined
    const [timeline, others, simulated] = await Promise.all([
      reader.timeline(entry.promotionId),
      reader.promotions(namedBy(promotion)),
      outbox.simulated(),
    ])
    // Written by the same script, in the same instant.
    const step = timeline.findLast(({ what, at }) => what === entry.state && at === entry.at)
    return newsFrom(entry, promotion, { step, others, scope, simulated })
  }
}
