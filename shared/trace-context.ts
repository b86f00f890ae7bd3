/**
 * The trace that a promotion belongs to, as its caller names it: W3C Trace Context
 * (https://www.w3.org/TR/trace-context/). What is not as it should be is ignored, and never a reason to refuse.
 */
export interface TraceContext {
  /** `00-<trace id>-<span id>-<flags>` in lower-case hex. */
  traceparent: string
  /** At most 512 characters. */
  tracestate?: string
}

const VERSION_0 = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
/** A later version begins like the first one, and may go on behind a dash. */
const LATER =
  /^(?!00|ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-)([0-9a-f]{2})(?:-.{0,200})?$/
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256}$/
const LONGEST_TRACESTATE = 512
const MOST_MEMBERS = 32

/** @returns undefined where there is none, or none that is valid; an invalid tracestate alone is left out. */
export function traceContextFrom(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  const parent = validParent(traceparent)
  if (parent === undefined) return undefined
  const state = validState(tracestate)
  return { traceparent: parent, ...(state === undefined ? {} : { tracestate: state }) }
}

export function traceIdIn({ traceparent }: { traceparent?: string | undefined }): string | undefined {
  return traceparent?.split('-')[1]
}

function validParent(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (VERSION_0.test(text)) return text
  const [, ids, flags = ''] = LATER.exec(text) ?? []
  // Of a later version only the bit that says sampled is known to mean what it does here.
  return ids === undefined ? undefined : `00${ids}0${Number.parseInt(flags, 16) & 1}`
}

function validState(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const members = value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
  const text = members.join(',')
  if (text === '' || text.length > LONGEST_TRACESTATE || members.length > MOST_MEMBERS) return undefined
  const names = members.map((member) => member.slice(0, member.indexOf('=')))
  if (new Set(names).size < names.length) return undefined
  return members.every((member) => MEMBER.test(member)) ? text : undefined
}
