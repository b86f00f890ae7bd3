// One HTTP answer as a value, and the shape in which GitHub says no; reading a body of JSON.

export interface Answer {
  status: number
  headers: Record<string, string>
  /** '' for an answer without a body. */
  body: string
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  const type = { 'content-type': 'application/json; charset=utf-8' }
  return { status, headers: { ...type, ...headers }, body: JSON.stringify(value) }
}

export function html(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

export function empty(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: '' }
}

export function refusal(status: number, message: string, more: Record<string, unknown> = {}): Answer {
  const documentation = { documentation_url: 'https://docs.github.com/rest', status: String(status) }
  return json(status, { message, ...more, ...documentation })
}

/** undefined when the text is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
