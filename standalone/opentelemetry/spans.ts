/**
 * The spans of a promotion's way. Names of attributes are OpenTelemetry's where it has one (messaging, cicd,
 * deployment, vcs: https://opentelemetry.io/docs/specs/semconv/), else `promotion_relay.…`. Parents are those kept
 * with the promotion, so that every process adds to the same trace.
 */
import {
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { RunEnd } from '../../shared/ledger/steps.ts'
import { PROMOTIONS } from '../../shared/queues.ts'
import type { Redact } from '../../shared/redact.ts'
import type { TraceContext } from '../../shared/trace-context.ts'
import type { TracedAttempt, TracedDeployment, Tracing } from '../../shared/tracing.ts'

export interface SpansDeps {
  tracer: Tracer
  /** A span that is begun in it and has no parent belongs to this trace. */
  inTrace<T>(traceId: string, begin: () => T): T
  redact: Redact
}

export function createSpans({ tracer, inTrace, redact }: SpansDeps): Tracing {
  /** Without a parent the trace bears the promotion's id, so that all of it is one trace all the same. */
  function begin(
    name: string,
    options: SpanOptions,
    id: string,
    of: Partial<TraceContext> | undefined,
  ): Span {
    const clean = { ...options, attributes: cleaned(options.attributes ?? {}) }
    const parent = contextFrom(of)
    if (parent) return tracer.startSpan(name, clean, parent)
    return inTrace(id.replaceAll('-', ''), () => tracer.startSpan(name, clean, ROOT_CONTEXT))
  }

  function cleaned(attributes: Attributes): Attributes {
    const given = Object.entries(attributes).filter(([, value]) => value !== undefined && value !== '')
    return Object.fromEntries(
      given.map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
    )
  }

  function fail(span: Span, message: string) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: redact(message) })
  }

  return {
    accept(promotion, caller) {
      const attributes = {
        ...aboutPromotion(promotion),
        ...aboutMessage(promotion.id, 'accept', 'send'),
        'promotion_relay.source': promotion.source,
      }
      const span = begin('accept', { kind: SpanKind.PRODUCER, attributes }, promotion.id, caller)
      return {
        context: contextOf(span.spanContext()),
        end(accepted, error) {
          if (accepted) {
            span.setAttribute('promotion_relay.accept.status', accepted.status)
            // Of a duplicate: the promotion that it repeats.
            span.setAttribute('promotion_relay.promotion.id', accepted.id)
          } else {
            const { code, message } = error as { code?: unknown; message?: unknown }
            span.setAttribute('error.type', typeof code === 'string' ? code : 'ledger_unavailable')
            fail(span, String(message ?? error))
          }
          span.end()
        },
      }
    },

    dispatch(attempt) {
      const { promotion, end, startedAt: startTime, endedAt } = attempt
      const attributes = aboutAttempt(attempt)
      const options = { kind: SpanKind.CONSUMER, startTime, attributes }
      const span = begin('dispatch', options, promotion.id, promotion)
      // What a workflow refuses is left out, and it goes again.
      if (end.next.kind !== 'track' && end.adjust === undefined) {
        span.setAttribute('error.type', end.outcome)
        fail(span, end.detail)
      }
      span.end(endedAt)
    },

    deployment(ended) {
      const { promotion, end, dispatchedAt: startTime, startedAt, endedAt } = ended
      const attributes = aboutDeployment(ended)
      const span = begin('deployment', { startTime, attributes }, promotion.id, promotion)
      if (startedAt !== undefined) span.addEvent('run started', startedAt)
      if (end.state === 'failed' || end.state === 'timed_out') {
        span.setAttribute('error.type', end.conclusion)
        fail(span, `the run ended: ${end.conclusion}`)
      }
      span.end(endedAt)
    },
  }
}

function contextOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-${(traceFlags & 1) === 1 ? '01' : '00'}`
  const tracestate = traceState?.serialize() ?? ''
  return { traceparent, ...(tracestate === '' ? {} : { tracestate }) }
}

function contextFrom(of: Partial<TraceContext> | undefined): Context | undefined {
  if (of?.traceparent === undefined) return undefined
  const [, traceId = '', spanId = '', flags = ''] = of.traceparent.split('-')
  const traceState = of.tracestate === undefined ? {} : { traceState: createTraceState(of.tracestate) }
  const traceFlags = Number.parseInt(flags, 16)
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true, ...traceState })
}

function aboutPromotion(of: { id: string; model: string; version: string; environment: string }): Attributes {
  return {
    'promotion_relay.promotion.id': of.id,
    'promotion_relay.model': of.model,
    'promotion_relay.version': of.version,
    'deployment.environment.name': of.environment,
  }
}

function aboutMessage(id: string, name: string, type: 'send' | 'process'): Attributes {
  return {
    'messaging.system.name': 'bullmq',
    'messaging.destination.name': PROMOTIONS,
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.message.id': id,
  }
}

/** @param scope owner/name/workflow */
function aboutPipeline(scope: string, run: { runId?: string; runUrl?: string }): Attributes {
  const [owner = '', name = '', workflow = ''] = scope.split('/')
  return {
    'vcs.provider.name': 'github',
    'vcs.owner.name': owner,
    'vcs.repository.name': name,
    'cicd.pipeline.name': workflow,
    'cicd.pipeline.run.id': run.runId,
    'cicd.pipeline.run.url.full': run.runUrl,
  }
}

function aboutAttempt({ promotion, end, followedBy, route, worker, requestId }: TracedAttempt): Attributes {
  return {
    ...aboutPromotion(promotion),
    ...aboutMessage(promotion.id, 'dispatch', 'process'),
    ...aboutPipeline(`${route.repository}/${route.workflow}`, end.next.kind === 'track' ? end.next : {}),
    'vcs.ref.head.name': route.ref,
    'http.response.status_code': end.status === 0 ? undefined : end.status,
    'promotion_relay.attempt': end.attempt,
    'promotion_relay.outcome': end.outcome,
    'promotion_relay.followed_by': followedBy,
    'promotion_relay.worker': worker,
    'promotion_relay.github.request_id': requestId,
  }
}

function aboutDeployment({ promotion, end, waitedMs }: TracedDeployment): Attributes {
  const { state, conclusion, runAttempt } = end
  return {
    ...aboutPromotion(promotion),
    ...aboutPipeline(promotion.scope ?? '', end),
    'cicd.pipeline.result': resultOf(end),
    'deployment.id': promotion.id,
    'deployment.status': state === 'deployed' ? 'succeeded' : 'failed',
    'promotion_relay.state': state,
    'promotion_relay.conclusion': conclusion,
    'promotion_relay.run.attempt': runAttempt,
    'promotion_relay.attempts': promotion.attempts,
    'promotion_relay.waited_for_approval_ms': waitedMs === 0 ? undefined : waitedMs,
  }
}

/** In the words of `cicd.pipeline.result`. */
function resultOf({ state, conclusion }: RunEnd): string {
  if (conclusion === 'skipped') return 'skip'
  if (conclusion === 'startup_failure' || conclusion === 'deleted') return 'error'
  switch (state) {
    case 'deployed':
      return 'success'
    case 'cancelled':
      return 'cancellation'
    case 'timed_out':
      return 'timeout'
    case 'failed':
      return 'failure'
    default:
      return state satisfies never
  }
}
