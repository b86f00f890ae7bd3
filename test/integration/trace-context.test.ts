// The trace of whoever promotes is kept with the promotion, whichever way it came in, and shown; garbage is ignored.
import { describe, expect, test } from 'vitest'
import { createHttpProducer } from '../../producer/http-producer.ts'
import { foreignQueue, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, run } from '../support/up.ts'
import { setup, TOKEN } from './http-setup.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, tracestate: 'vendor=of-the-caller' }
const GARBAGE = { traceparent: '00-garbage-01', tracestate: 'vendor=1' }
const V5 = { model: 'fraud-detector', version: '5' }

/** What the ledger holds of it, on a relay without a worker. */
async function kept(api: Awaited<ReturnType<typeof setup>>, id: string) {
  const [traceparent, tracestate] = await api.redis.hmget(
    `{relay:0}:promotion:${id}`,
    'traceparent',
    'tracestate',
  )
  return { traceparent, tracestate }
}
const NOTHING = { traceparent: null, tracestate: null }

describe('over HTTP', () => {
  test('the headers are kept, and the trace is shown', async () => {
    const api = await setup()
    const { status, body } = await api.promote(V5, { headers: CALLER })
    expect(status).toBe(202)
    expect(await kept(api, body.id)).toEqual(CALLER)
    const shown = await api.call('GET', `/v1/promotions/${body.id}`)
    expect(shown.body.traceId).toBe(TRACE)
  })

  test('garbage is ignored, and so is a traceparent that is given twice', async () => {
    const api = await setup()
    const { status, body } = await api.promote(V5, { headers: GARBAGE })
    expect(status).toBe(202)
    expect(await kept(api, body.id)).toEqual(NOTHING)
    const json = JSON.stringify({ ...V5, version: '6' })
    const twice = await api.raw(
      `POST /v1/promotions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n` +
        `${`traceparent: ${CALLER.traceparent}\r\n`.repeat(2)}\r\n${json}`,
    )
    expect(twice.status).toBe(202)
    expect(await kept(api, twice.body.id)).toEqual(NOTHING)
  })

  test('the first of two that promote the same keeps its trace', async () => {
    const api = await setup()
    const first = await api.promote(V5, { headers: CALLER })
    const other = CALLER.traceparent.replace(TRACE, 'f'.repeat(32))
    const again = await api.promote(V5, { headers: { traceparent: other } })
    expect(again.body).toMatchObject({ id: first.body.id, status: 'duplicate' })
    expect(await kept(api, first.body.id)).toEqual(CALLER)
  })

  test('a producer hands its own on, and no header that is none', async () => {
    const api = await setup()
    const producer = createHttpProducer({ url: api.url, token: TOKEN })
    const good = await producer.promote(V5, CALLER)
    const bad = await producer.promote({ ...V5, version: '6' }, { traceparent: 'line\nbreak' })
    expect([good.status, bad.status]).toEqual(['accepted', 'accepted'])
    expect(await kept(api, 'id' in good ? good.id : '')).toEqual(CALLER)
    expect(await kept(api, 'id' in bad ? bad.id : '')).toEqual(NOTHING)
  })
})

describe('straight into Redis', () => {
  test('the library keeps it, and garbage is ignored', async () => {
    const { producer, reader } = await startRelay({ workers: 0 })
    const good = await producer.promote(V5, CALLER)
    const bad = await producer.promote({ ...V5, version: '6' }, GARBAGE)
    expect(await reader.promotion('id' in good ? good.id : '')).toMatchObject(CALLER)
    expect(await reader.promotion('id' in bad ? bad.id : '')).not.toHaveProperty('traceparent')
  })

  test('the command line takes it from TRACEPARENT and TRACESTATE', async () => {
    const { redisUrl, reader } = await startRelay({ workers: 0 })
    const env = {
      DATA_DIR: '/nowhere/relay',
      REDIS_URL: redisUrl,
      TRACEPARENT: CALLER.traceparent,
      TRACESTATE: CALLER.tracestate,
    }
    const flags = ['--model', V5.model, '--version', V5.version, '--json']
    const { code, said } = await run(NODE, [LAUNCHER, 'promote', ...flags], { env })
    expect(code).toBe(0)
    expect(await reader.promotion(JSON.parse(said[0] ?? '').id)).toMatchObject(CALLER)
  })

  test.each<[what: string, metadata: string, trace: string | undefined]>([
    ['is that of BullMQ’s telemetry', JSON.stringify(CALLER), TRACE],
    ['is none where its metadata is of another kind', 'garbage', undefined],
    ['is none where its metadata is empty', 'null', undefined],
  ])('the trace of a job of another BullMQ client %s', async (_, metadata, trace) => {
    const { redisUrl, reader, lines, ends } = await startRelay()
    await foreignQueue(redisUrl).add('promoted', V5, { telemetry: { metadata } })
    const { id } = await until('a promotion was made', async () => (await reader.newest(1))[0])
    await ends(id)
    const wide = () => lines.filter(({ msg }) => /Successfully triggered|version is live/.test(msg))
    await until('both wide lines', () => wide().length === 2)
    expect(wide().map(({ traceId }) => traceId)).toEqual([trace, trace])
  })
})
