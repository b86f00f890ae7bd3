// One call of a receiver, over real connections: what each answer means, and what is never done.

import { once } from 'node:events'
import net, { type AddressInfo, type LookupFunction } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Post, post, toldFrom } from '../../worker/feedback/post.ts'
import { publicLookup } from '../../worker/feedback/public-address.ts'
import { openReceiver } from '../support/receiver.ts'

const call = (url: string, more: Partial<Post> = {}) =>
  post({
    url,
    headers: { 'content-type': 'application/json' },
    body: '{}',
    withinMs: 2_000,
    signal: new AbortController().signal,
    publicOnly: false,
    ...more,
  })

test.each([
  [200, 'told'],
  [202, 'told'],
  [204, 'told'],
  [400, 'for a person'],
  [401, 'for a person'],
  [404, 'for a person'],
  [408, 'again'],
  [409, 'again'],
  [410, 'for a person'],
  [422, 'for a person'],
  [425, 'again'],
  [429, 'again'],
  [500, 'again'],
  [502, 'again'],
  [503, 'again'],
])('%i is %s', async (status, meaning) => {
  const receiver = await openReceiver()
  receiver.answer = () => ({ status, body: status === 204 ? '' : 'why it is so' })
  const told = toldFrom(await call(receiver.url))
  const means = told.kind === 'failed' ? (told.again ? 'again' : 'for a person') : told.kind
  expect(means).toBe(meaning)
  if (told.kind === 'failed') expect(told.why).toBe(`answered ${status}: why it is so`)
})

test('a redirect is a failure, and not followed', async () => {
  const [receiver, other] = await Promise.all([openReceiver(), openReceiver()])
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = () => ({ status, headers: { location: `${other.url}/inside` } })
    const told = toldFrom(await call(receiver.url))
    expect(told).toEqual({
      kind: 'failed',
      again: true,
      why: `answered ${status}, and redirects are not followed`,
    })
  }
  expect(receiver.received).toHaveLength(5)
  expect(other.received).toEqual([])
})

test('a receiver that never answers, or never comes to an end, is given up', async () => {
  const receiver = await openReceiver()
  receiver.answer = () => 'never'
  const why = 'no answer within 0.1 s'
  expect(await call(receiver.url, { withinMs: 100 })).toEqual({ kind: 'unanswered', why })
  const dripping = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
    const drip = setInterval(() => socket.write('x'), 20)
    socket.once('close', () => clearInterval(drip))
  })
  dripping.listen(0, '127.0.0.1')
  await once(dripping, 'listening')
  onTestFinished(() => void dripping.close())
  const { port } = dripping.address() as AddressInfo
  expect(await call(`http://127.0.0.1:${port}`, { withinMs: 200 })).toEqual({
    kind: 'unanswered',
    why: 'no answer within 0.2 s',
  })
})

test('who resets the connection, takes it for another protocol or is not there has not answered', async () => {
  const receiver = await openReceiver()
  receiver.answer = () => 'reset'
  expect(await call(receiver.url)).toMatchObject({ kind: 'unanswered' })
  receiver.answer = () => ({ status: 101, headers: { connection: 'upgrade', upgrade: 'other' } })
  expect(await call(receiver.url)).toMatchObject({ kind: 'unanswered' })
  const gone = net.createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  expect(await call(`http://127.0.0.1:${port}`)).toMatchObject({
    kind: 'unanswered',
    why: expect.stringContaining('ECONNREFUSED'),
  })
})

test('of a long answer the beginning is kept, and its end is not waited for', async () => {
  const receiver = await openReceiver()
  receiver.answer = () => ({ status: 500, body: 'x'.repeat(5_000_000) })
  const reply = await call(receiver.url)
  expect(reply).toMatchObject({ kind: 'answered', status: 500 })
  expect(reply.kind === 'answered' && reply.text.length).toBe(300)
})

test('a worker that stops cuts it short', async () => {
  const receiver = await openReceiver()
  receiver.answer = () => 'never'
  const stopping = new AbortController()
  const reply = call(receiver.url, { signal: stopping.signal })
  await expect.poll(() => receiver.received.length).toBe(1)
  stopping.abort()
  expect(await reply).toEqual({ kind: 'unanswered', why: 'the worker is being stopped' })
})

test('a private address is refused for good, written out or behind a name, and nothing connects', async () => {
  const receiver = await openReceiver()
  const urls = [
    receiver.url,
    `http://localhost:${receiver.port}/`,
    `http://[::ffff:127.0.0.1]:${receiver.port}/`,
  ]
  for (const url of urls) {
    const reply = await call(url, { publicOnly: true })
    expect(reply).toEqual({ kind: 'refused', why: expect.stringContaining('is no public address') })
    expect(toldFrom(reply)).toMatchObject({ kind: 'failed', again: false })
  }
  expect(receiver.received).toEqual([])
  expect(await call(urls[1] ?? '')).toMatchObject({ kind: 'answered', status: 204 })
})

test('a name is asked for once, by the check: what it is answered later leads nowhere', async () => {
  const receiver = await openReceiver()
  let asked = 0
  // This machine's own address stands for a public one, and nothing for what would come next.
  const rebinding: LookupFunction = (_name, _options, done) => {
    asked++
    done(null, asked === 1 ? [{ address: '127.0.0.1', family: 4 }] : [])
  }
  const url = `http://rebinding.example:${receiver.port}/`
  const reply = await call(url, { publicOnly: true, lookup: rebinding })
  expect(reply).toMatchObject({ kind: 'answered', status: 204 })
  expect(asked).toBe(1)
})

test('a name that is answered by a private address is refused as the connection is made', async () => {
  const receiver = await openReceiver()
  const inside = (_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, [{ address: '127.0.0.1', family: 4 }])
  const url = `http://inside.example:${receiver.port}/`
  const reply = await call(url, { publicOnly: true, lookup: publicLookup(inside as never) })
  expect(reply).toEqual({
    kind: 'refused',
    why: expect.stringMatching(/^inside\.example is no public address/),
  })
  expect(receiver.received).toEqual([])
})
