/**
 * News as an event: a CDEvent (https://cdevents.dev, 0.5.1) inside a CloudEvents 1.0 envelope, as CDEvents' own binding
 * has it: the envelope repeats id, source, type, subject and time, and the whole CDEvent is its data. Where the
 * specification has no type, it is a custom event of its namespace for tools, `dev.cdeventsx`.
 */
import { targetName } from '../../shared/ledger/promotion-record.ts'
import type { News } from './news.ts'

const CDEVENTS = '0.5.1'
const OWN = 'dev.cdeventsx.promotionrelay-promotion'

interface Event {
  type: string
  subject: { id: string; content: object }
}

/** What is signed and sent: JSON, under 20 kB whatever the names. */
export function bodyFor(news: News): string {
  const { type, subject } = eventFor(news)
  const id = news.id
  const source = [
    '/promotion-relay',
    ...(news.scope ?? '').split('/').filter(Boolean).map(encodeURIComponent),
  ].join('/')
  const time = instant(news.at)
  return JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type,
    subject: subject.id,
    time,
    datacontenttype: 'application/json',
    data: {
      context: {
        specversion: CDEVENTS,
        id,
        source,
        type,
        timestamp: time,
        // One chain from a promotion over its failure to the end of its rollback.
        chainId: news.parent?.id ?? news.promotionId,
      },
      subject,
      customData: customDataFor(news),
      customDataContentType: 'application/json',
    },
  })
}

function eventFor(news: News): Event {
  const { model, version, environment, state, replaced, rollback } = news
  const artifactId = purlOf(news)
  const service = (predicate: string): Event => ({
    type: `dev.cdevents.service.${predicate}.0.3.0`,
    subject: {
      id: targetName({ model, environment }),
      content: { environment: { id: environment }, artifactId },
    },
  })
  switch (state) {
    case 'deployed':
      if (rollback) return service('rolledback')
      return service(replaced === undefined || replaced === version ? 'deployed' : 'upgraded')
    case 'failed':
      return pipelineRun(news, 'finished', { outcome: 'failure', errors: news.reason })
    case 'cancelled':
      return pipelineRun(news, 'finished', { outcome: 'cancel', errors: news.reason })
    case 'timed_out':
      return pipelineRun(news, 'finished', { outcome: 'error', errors: news.reason })
    case 'dispatched':
      return pipelineRun(news, 'queued', {})
    case 'superseded':
    case 'skipped':
    case 'dead_lettered':
    case 'unresolved':
    case 'accepted':
    case 'dispatching':
      return {
        // Letters only, as its schema asks.
        type: `${OWN}.${state.replaceAll('_', '')}.0.1.0`,
        subject: {
          id: news.promotionId,
          content: { model, version, environment: { id: environment }, artifactId, reason: news.reason },
        },
      }
    default:
      return state satisfies never
  }
}

function pipelineRun({ run, scope, promotionId }: News, predicate: string, content: object): Event {
  const pipelineName = scope?.split('/').at(-1)
  return {
    type: `dev.cdevents.pipelinerun.${predicate}.0.3.0`,
    subject: {
      // GitHub may have taken it without naming the run.
      id: run?.id ?? promotionId,
      content: { ...(pipelineName && { pipelineName }), ...(run?.url && { uri: run.url }), ...content },
    },
  }
}

/** The same of every type. */
function customDataFor(news: News) {
  const { promotionId, state, model, version, environment, accuracy, trigger, rollback, reason, run } = news
  const { replaced, supersededBy, rolledBackBy, parent, simulated } = news
  return {
    promotion: {
      id: promotionId,
      state,
      model,
      version,
      environment,
      ...(accuracy !== undefined && { accuracy }),
      triggerSource: trigger,
      rollback,
      reason,
      acceptedAt: instant(news.acceptedAt),
      ...(news.dispatchedAt !== undefined && { dispatchedAt: instant(news.dispatchedAt) }),
      ...(run && { run }),
      ...(replaced !== undefined && { replaced }),
      ...(supersededBy && { supersededBy }),
      ...(rolledBackBy && { rolledBackBy }),
      ...(parent && { parent }),
    },
    ...(simulated && { simulated }),
  }
}

/** https://github.com/package-url/purl-spec, type mlflow. */
export function purlOf({ model, version }: { model: string; version: string }): string {
  return `pkg:mlflow/${encodeURIComponent(model)}@${encodeURIComponent(version)}`
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
