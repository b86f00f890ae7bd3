/**
 * Whoever receives traces: takes OTLP over HTTP in protobuf, read here by its published field numbers
 * (https://github.com/open-telemetry/opentelemetry-proto) and by no library of the sender's; answers as it is told to.
 */
import http from 'node:http'
import { listening } from './listening.ts'

export interface ReceivedSpan {
  name: string
  traceId: string
  spanId: string
  /** '' for a root. */
  parentId: string
  traceState: string
  kind: string
  /** ms since the epoch. */
  start: number
  end: number
  attributes: Record<string, unknown>
  events: { name: string; at: number }[]
  /** '' unless it failed: then what it says. */
  failure: string
  resource: Record<string, unknown>
}

export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string
  readonly requests: { path: string; headers: http.IncomingHttpHeaders }[]
  readonly spans: ReceivedSpan[]
  /** The status of answers to come; `never`: none is given. */
  answers: number | 'never'
  /** Its answers' reason phrases hold these headers of the request. */
  echoes: string[]
  /** Of such a name, in order of their beginning. */
  named(name: string): ReceivedSpan[]
}

export async function openOtlpReceiver(): Promise<OtlpReceiver> {
  const receiver = {
    url: '',
    requests: [] as OtlpReceiver['requests'],
    spans: [] as ReceivedSpan[],
    answers: 200 as OtlpReceiver['answers'],
    echoes: [] as string[],
    named: (name: string) =>
      receiver.spans.filter((span) => span.name === name).sort((a, b) => a.start - b.start),
  }
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    receiver.requests.push({ path: request.url ?? '', headers: request.headers })
    if (receiver.answers === 'never') return
    if (receiver.answers === 200) receiver.spans.push(...spansIn(Buffer.concat(chunks)))
    const echo = receiver.echoes.map((name) => request.headers[name]).join(' ')
    response.writeHead(receiver.answers, `you sent ${echo}`).end()
  })
  receiver.url = await listening(server)
  return receiver
}

/** The fields of one message by their number: numbers as they are, everything of length as bytes. */
type Message = Map<number, (Buffer | number)[]>

function messageIn(bytes: Buffer): Message {
  const message: Message = new Map()
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const wireType = tag % 8
    const read = (length: number) => {
      at += length
      return bytes.subarray(at - length, at)
    }
    const value = wireType === 0 ? varint() : read(wireType === 1 ? 8 : wireType === 5 ? 4 : varint())
    const field = Math.floor(tag / 8)
    message.set(field, [...(message.get(field) ?? []), value])
  }
  return message
}

const bytesOf = (message: Message, field: number) => (message.get(field) ?? []).filter(Buffer.isBuffer)
const messagesOf = (message: Message, field: number) => bytesOf(message, field).map(messageIn)
const textOf = (message: Message, field: number) => bytesOf(message, field)[0]?.toString() ?? ''
const hexOf = (message: Message, field: number) => bytesOf(message, field)[0]?.toString('hex') ?? ''
const numberOf = (message: Message, field: number) => Number(message.get(field)?.[0] ?? 0)
/** To the microsecond: below it is what floating point makes of the time. */
const timeOf = (message: Message, field: number) =>
  Math.round(Number(bytesOf(message, field)[0]?.readBigUInt64LE() ?? 0n) / 1e3) / 1e3

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']
const STATUS_ERROR = 2

function spansIn(request: Buffer): ReceivedSpan[] {
  return messagesOf(messageIn(request), 1).flatMap((ofResource) => {
    const resource = attributesOf(messagesOf(ofResource, 1)[0] ?? new Map(), 1)
    const spans = messagesOf(ofResource, 2).flatMap((ofScope) => messagesOf(ofScope, 2))
    return spans.map((span) => ({ ...spanFrom(span), resource }))
  })
}

function spanFrom(span: Message): Omit<ReceivedSpan, 'resource'> {
  const status = messagesOf(span, 15)[0] ?? new Map()
  return {
    name: textOf(span, 5),
    traceId: hexOf(span, 1),
    spanId: hexOf(span, 2),
    parentId: hexOf(span, 4),
    traceState: textOf(span, 3),
    kind: KINDS[numberOf(span, 6)] ?? '',
    start: timeOf(span, 7),
    end: timeOf(span, 8),
    attributes: attributesOf(span, 9),
    events: messagesOf(span, 11).map((event) => ({ name: textOf(event, 2), at: timeOf(event, 1) })),
    failure: numberOf(status, 3) === STATUS_ERROR ? textOf(status, 2) : '',
  }
}

function attributesOf(message: Message, field: number): Record<string, unknown> {
  return Object.fromEntries(
    messagesOf(message, field).map((pair) => [
      textOf(pair, 1),
      valueFrom(messagesOf(pair, 2)[0] ?? new Map()),
    ]),
  )
}

function valueFrom(value: Message): unknown {
  if (value.has(1)) return textOf(value, 1)
  if (value.has(2)) return numberOf(value, 2) === 1
  if (value.has(3)) return numberOf(value, 3)
  return bytesOf(value, 4)[0]?.readDoubleLE()
}
