/** The sinks that the settings ask for. */
import type { Redis } from 'ioredis'
import type { Settings } from '../../shared/config.ts'
import type { Outbox } from '../../shared/ledger/news.ts'
import { STOPPED, type State } from '../../shared/ledger/promotion-record.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import { createChat } from './chat.ts'
import { createMlflowSink } from './mlflow.ts'
import type { News } from './news.ts'
import { post } from './post.ts'
import type { Sink } from './sink.ts'
import { createTurns } from './turn.ts'
import { createWebhook } from './webhook.ts'

export interface ChooseSinksDeps {
  redis: Redis
  reader: Pick<LedgerReader, 'promotion'>
  outbox: Pick<Outbox, 'standing'>
  /** Time limit of one call, ms. */
  callMs: number
  now(): number
}

/** Calls that MLflow may get for one piece of news: tags and an alias, and one of them again. */
const MOST_CALLS = 8

export function chooseSinks(settings: Settings, deps: ChooseSinksDeps): Sink[] {
  const { redis, reader, outbox, callMs: withinMs, now } = deps
  const { MLFLOW_TRACKING_URI: uri, FEEDBACK_WEBHOOK_URL: url, CHAT_WEBHOOK_URL: chat } = settings
  const secret = settings.FEEDBACK_WEBHOOK_SECRET
  const publicOnly = !settings.FEEDBACK_ALLOW_PRIVATE
  const states: readonly State[] = settings.FEEDBACK_AT_DISPATCH ? [...STOPPED, 'dispatched'] : STOPPED
  const wants = ({ state }: News) => states.includes(state)
  const sinks: Sink[] = []
  if (settings.MLFLOW_FEEDBACK && uri) {
    const credentials = {
      token: settings.MLFLOW_TRACKING_TOKEN,
      username: settings.MLFLOW_TRACKING_USERNAME,
      password: settings.MLFLOW_TRACKING_PASSWORD,
    }
    const takeTurn = createTurns({ redis, ms: withinMs * MOST_CALLS })
    const { promotion } = reader
    const alias = settings.MLFLOW_DEPLOYED_ALIAS
    const { standing } = outbox
    sinks.push(
      createMlflowSink({ uri, credentials, alias, withinMs, wants, post, promotion, standing, takeTurn }),
    )
  }
  if (url && secret) sinks.push(createWebhook({ url, secret, publicOnly, withinMs, wants, post, now }))
  if (chat) sinks.push(createChat({ url: chat, publicOnly, withinMs, post }))
  return sinks
}
