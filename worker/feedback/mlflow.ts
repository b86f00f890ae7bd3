/**
 * MLflow's registry: tags on the model version, and an alias that follows what is live. A tag holds one value: so
 * whatever is told late must not put back what something later has written. One writes for a model at a time, and
 * looks into the ledger first.
 */
import type { Standing } from '../../shared/ledger/news.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import { type MlflowCredentials, mlflowAuthorization } from '../../shared/mlflow.ts'
import type { News } from './news.ts'
import { type Post, type Reply, toldFrom } from './post.ts'
import type { Sink, Told } from './sink.ts'
import type { TakeTurn } from './turn.ts'

export interface MlflowSinkDeps {
  /** As MLFLOW_TRACKING_URI, without a slash at its end. */
  uri: string
  credentials: MlflowCredentials
  /** With `{environment}` in it; undefined: none is set. */
  alias: string | undefined
  withinMs: number
  wants(news: News): boolean
  post(call: Post): Promise<Reply>
  promotion(id: string): Promise<Promotion | undefined>
  standing(promotion: Promotion): Promise<Standing>
  takeTurn: TakeTurn
}

export function createMlflowSink(deps: MlflowSinkDeps): Sink {
  const { uri, credentials, alias, wants, takeTurn } = deps
  return {
    name: 'mlflow',
    wants,
    address: () => uri,
    async tell(news, signal) {
      const turn = await takeTurn(`mlflow:${news.model}`)
      if (!turn) return { kind: 'busy' }
      try {
        return await write(news, signal)
      } finally {
        await turn.end()
      }
    },
  }

  async function write(news: News, signal: AbortSignal): Promise<Told> {
    const promotion = await deps.promotion(news.promotionId)
    if (!promotion) return { kind: 'outdated', note: 'the promotion is forgotten' }
    const standing = await deps.standing(promotion)
    const overtaken = overtakenBy(news, promotion, standing)
    if (overtaken) return { kind: 'outdated', note: overtaken }
    const { model: name, version } = news
    for (const tag of tagsFor(news)) {
      const told = await call('model-versions/set-tag', { name, version, ...tag }, signal)
      if (told.kind !== 'told') return told
    }
    if (alias === undefined || news.state !== 'deployed') return { kind: 'told', note: 'tags are set' }
    // Not as of before the tags: another version may have gone live meanwhile.
    const { isLive } = await deps.standing(promotion)
    if (!isLive) return { kind: 'told', note: 'tags are set; another version is live' }
    const own = aliasFor(alias, news)
    const told = await call('registered-models/alias', { name, version, alias: own }, signal)
    return told.kind === 'told' ? { kind: 'told', note: `tags are set, and the alias ${own}` } : told
  }

  async function call(what: string, body: object, signal: AbortSignal): Promise<Told> {
    const url = `${uri}/api/2.0/mlflow/${what}`
    const send = (authorization: string | undefined) =>
      deps.post({
        url,
        headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
        body: JSON.stringify(body),
        withinMs: deps.withinMs,
        signal,
        // An MLflow is mostly inside, and who sets its address runs the relay.
        publicOnly: false,
      })
    const used = mlflowAuthorization(credentials)
    const reply = await send(used)
    if (reply.kind !== 'answered' || ![401, 403].includes(reply.status)) return toldFrom(reply)
    // A file may hold a new one that looks unchanged.
    const anew = mlflowAuthorization(credentials, { anew: true })
    return toldFrom(anew === used ? reply : await send(anew))
  }
}

/** In this order: who sees the status finds the others right. */
export function tagsFor(news: News): { key: string; value: string }[] {
  const { environment, run, promotionId, state, simulated } = news
  return [
    { key: 'cd.environment', value: environment },
    { key: 'cd.promotion_id', value: promotionId },
    ...(run?.url ? [{ key: 'cd.run_url', value: run.url }] : []),
    ...(state === 'deployed' ? [{ key: 'cd.deployed_at', value: new Date(news.at).toISOString() }] : []),
    ...(simulated ? [{ key: 'cd.simulated', value: 'true' }] : []),
    { key: 'cd.status', value: state },
  ]
}

/** An alias may hold letters, digits, `_` and `-`. */
export function aliasFor(pattern: string, { environment }: Pick<News, 'environment'>): string {
  return pattern.replaceAll('{environment}', environment.replace(/[^A-Za-z0-9_-]/g, '-'))
}

/** Why this is not to be written any more. */
function overtakenBy(news: News, promotion: Promotion, { isLive, later }: Standing): string | undefined {
  if (promotion.state !== news.state) return `it is ${promotion.state} by now`
  if (later) return `a later promotion of this version (${later.id}) tells of it`
  const neverSent = news.state === 'superseded' || news.state === 'skipped'
  return neverSent && isLive ? 'an earlier promotion has put this version live' : undefined
}
