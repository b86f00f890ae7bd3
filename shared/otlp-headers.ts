/**
 * The headers that whoever receives traces asks for, in the form of `OTEL_EXPORTER_OTLP_HEADERS`:
 * `name=value,name=value`, values percent-encoded where they need it. Most hold a key.
 */
export function otlpHeadersIn(text: string): Record<string, string> {
  return Object.fromEntries(pairsIn(text).map(([name, value]) => [name, decoded(value)]))
}

/** Whatever in it must not show: each value, as it is written and as it is sent, and what follows `Bearer`. */
export function secretsInOtlpHeaders(text: string): string[] {
  return pairsIn(text).flatMap(([, value]) => {
    const sent = decoded(value)
    return [...new Set([value, sent, sent.replace(/^\S+ /, '')])]
  })
}

function pairsIn(text: string): [name: string, value: string][] {
  return text.split(',').flatMap((pair) => {
    const at = pair.indexOf('=')
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    return at > 0 && name !== '' && value !== '' ? [[name, value]] : []
  })
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
