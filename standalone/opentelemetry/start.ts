/**
 * OpenTelemetry's SDK, set up by hand: one exporter, no instrumentation, nothing global but its log. What the SDK
 * does not read of the standard variables by itself comes from the settings. Whoever receives the traces may be away
 * or slow: spans wait in a bounded queue, are dropped after that, and nobody waits for them.
 */
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger } from '../../shared/logger.ts'
import { otlpHeadersIn } from '../../shared/otlp-headers.ts'
import type { Redact } from '../../shared/redact.ts'
import type { Secret } from '../../shared/secret.ts'
import type { Tracing } from '../../shared/tracing.ts'
import { createSpans } from './spans.ts'

export interface OpenTelemetryOptions {
  /** Where spans are posted, path included. */
  url: string
  /** In the form of OTEL_EXPORTER_OTLP_HEADERS; later ones go first. Files are read again. */
  headers: readonly Secret[]
  serviceName: string
  /** Of this program. */
  version: string
  /** Tells this process from its like. */
  instance: string
  sampler: string
  samplerArg: string | undefined
  redact: Redact
  log: Logger
  now(): number
}

export interface OpenTelemetry {
  tracing: Tracing
  /** Sends what is left, as long as `withinMs` allows. */
  close(withinMs: number): Promise<void>
}

/** One line in this time tells that traces are lost, ms. */
const TOLD_EVERY_MS = 5 * 60_000

export function startOpenTelemetry(options: OpenTelemetryOptions): OpenTelemetry {
  const { log, redact } = options
  const warn = createWarning(log, options.now)
  const silent = () => {}
  diag.setLogger(
    { error: warn, warn, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
  const ids = createIds()
  const provider = new TracerProvider({
    resource: resourceOf(options),
    sampler: samplerFrom(options.sampler, options.samplerArg, warn),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor({ exporter: exporterTo(options) })],
  })
  const tracer = provider.getTracer('promotion-relay', options.version)
  return {
    tracing: createSpans({ tracer, inTrace: ids.inTrace, redact }),
    async close(withinMs) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs)
      })
      const sent = provider.shutdown().catch((error: unknown) => warn(error))
      await Promise.race([sent, late])
      clearTimeout(timer)
    },
  }
}

function exporterTo({ url, headers }: OpenTelemetryOptions): OTLPTraceExporter {
  return new OTLPTraceExporter({
    url,
    headers: async () => Object.assign({}, ...headers.map((secret) => otlpHeadersIn(secret.read()))),
  })
}

/** By the standard the variables go before what the program says of itself. */
function resourceOf({ serviceName, version, instance }: OpenTelemetryOptions) {
  const own = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': instance,
  })
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector]
  return defaultResource().merge(own).merge(detectResources({ detectors }))
}

function samplerFrom(name: string, arg: string | undefined, warn: (text: string) => void): Sampler {
  const ratio = () => {
    const share = Number(arg ?? 1)
    if (share >= 0 && share <= 1) return new TraceIdRatioBasedSampler(share)
    warn('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1: every trace is sampled')
    return new AlwaysOnSampler()
  }
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler()
    case 'always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
      return ratio()
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: ratio() })
    default:
      warn('OTEL_TRACES_SAMPLER is unknown here: parentbased_always_on is used')
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
  }
}

/** Random ones, but for a trace that is to bear a promotion's id. */
function createIds() {
  const random = new RandomIdGenerator()
  let chosen: string | undefined
  return {
    generateSpanId: () => random.generateSpanId(),
    generateTraceId: () => chosen ?? random.generateTraceId(),
    inTrace<T>(traceId: string, begin: () => T): T {
      chosen = /^(?!0{32})[0-9a-f]{32}$/.test(traceId) ? traceId : undefined
      try {
        return begin()
      } finally {
        chosen = undefined
      }
    },
  }
}

/** An exporter that fails does so every few seconds. */
function createWarning(log: Logger, now: () => number) {
  let toldAt: number | undefined
  let untold = 0
  return (what: unknown) => {
    if (toldAt !== undefined && now() - toldAt < TOLD_EVERY_MS) {
      untold++
      return
    }
    log.warn({ reason: reasonOf(what), untold }, 'Traces are lost, or not as they should be')
    toldAt = now()
    untold = 0
  }
}

/** The SDK tells of an error as JSON, with its stack and what the other side answered. */
function reasonOf(what: unknown): string {
  const text = what instanceof Error ? what.message : String(what)
  try {
    const { code = '', message = '' } = JSON.parse(text)
    return `${code} ${message}`.trim().slice(0, 300)
  } catch {
    return text.slice(0, 300)
  }
}
