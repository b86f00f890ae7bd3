/**
 * Traces, off unless an OTLP endpoint is set: only then is OpenTelemetry's SDK loaded. Settings of it that are wrong
 * are told of in one line and leave traces off: they are no reason not to start.
 */
import type { Settings } from '../shared/config.ts'
import type { Logger } from '../shared/logger.ts'
import type { Redact } from '../shared/redact.ts'
import type { Tracing } from '../shared/tracing.ts'

export interface TracingOptions {
  settings: Settings
  redact: Redact
  log: Logger
  /** Of this program. */
  version: string
  /** Tells this process from its like. */
  instance: string
}

export interface RunningTracing {
  /** undefined: off. */
  tracing: Tracing | undefined
  /** Sends what is left; takes a second at the most. */
  close(): Promise<void>
}

const CLOSE_WITHIN_MS = 1_000

const OFF: RunningTracing = { tracing: undefined, close: async () => {} }

export async function startTracing(options: TracingOptions): Promise<RunningTracing> {
  const { settings, redact, log, version, instance } = options
  const target = targetIn(settings)
  if (target === undefined) return OFF
  if ('problem' in target) {
    log.warn({ reason: target.problem }, 'No traces are sent')
    return OFF
  }
  try {
    const { startOpenTelemetry } = await import('./opentelemetry/start.ts')
    const { tracing, close } = startOpenTelemetry({
      url: target.url,
      headers: [settings.OTEL_EXPORTER_OTLP_HEADERS, settings.OTEL_EXPORTER_OTLP_TRACES_HEADERS].filter(
        (secret) => secret !== undefined,
      ),
      serviceName: settings.OTEL_SERVICE_NAME,
      version,
      instance,
      sampler: settings.OTEL_TRACES_SAMPLER,
      samplerArg: settings.OTEL_TRACES_SAMPLER_ARG,
      redact,
      log,
      now: Date.now,
    })
    return { tracing, close: () => close(CLOSE_WITHIN_MS) }
  } catch (err) {
    log.warn({ err }, 'No traces are sent')
    return OFF
  }
}

/** @returns undefined where traces are not asked for */
export function targetIn(settings: Settings): { url: string } | { problem: string } | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = settings
  const name = own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  const given = own ?? base
  if (given === undefined || settings.OTEL_SDK_DISABLED.toLowerCase() === 'true') return undefined
  const exporters = settings.OTEL_TRACES_EXPORTER.split(',').map((exporter) => exporter.trim())
  if (!exporters.includes('otlp')) return undefined
  const protocol = settings.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? settings.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol !== 'http/protobuf')
    return { problem: 'of the OTLP protocols only http/protobuf is spoken here' }
  // Never the address itself: it may hold a password.
  if (!/^https?:$/.test(URL.parse(given)?.protocol ?? '')) {
    return { problem: `${name} must be an http(s) address, such as http://localhost:4318` }
  }
  return { url: own ?? `${given.replace(/\/+$/, '')}/v1/traces` }
}
