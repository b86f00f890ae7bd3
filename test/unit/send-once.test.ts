// The one call that must not be repeated, over real sockets: what exactly is sent, and whether `sent()` tells the
// truth in each way in which a call can fail. A false "nothing was sent" would start a second run.
import { getEventListeners, once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDeadline, type Deadline } from '../../worker/github/deadline.ts'
import { type SendError, type SendLimits, sendOnce } from '../../worker/github/send-once.ts'

/** Signed by itself for `localhost`, 2020 to 2120; secures nothing but these tests. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgL7SGVgpUdl/APBYF
7zjj2bGgEuWfM5IgtaEc8HhvJm2hRANCAAQAxdKKYELDJZpdj8xfavTd6gIbBPkU
fe8/ix46zmQD4XGpP36e+hM40z3hxzsAueeOMLvp03ROrxo/ytq8OOOO
-----END PRIVATE KEY-----`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBXTCCAQSgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABADF0opgQsMlml2P
zF9q9N3qAhsE+RR97z+LHjrOZAPhcak/fp76EzjTPeHHOwC5544wu+nTdE6vGj/K
2rw4446jRTBDMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAMBgNVHRMEBTADAQH/MB0G
A1UdDgQWBBSfH1C7MbRNL58PXEqq3pykpkkNoTAKBggqhkjOPQQDAgNHADBEAiBj
wVrFuLlKzMN5Ben2ROp2D758JgW4WA8kVdYHUvIW1gIgIYg6PjZFi8/TJOa3IPaH
f52QBcDVw2rYDPCnroZg0Kw=
-----END CERTIFICATE-----`

const OK = answer('200 OK', '{"workflow_run_id":1}')

function setup(limits: Partial<SendLimits> = {}) {
  const sending = sendOnce({ sendBefore: createDeadline(10_000), answerWithinMs: 10_000, ...limits })
  const post = (url: string, body = '{"ref":"main"}') => sending.fetch(url, { method: 'POST', body })
  return {
    ...sending,
    post,
    /** How the call failed. */
    async failure(url: string): Promise<SendError & { cause?: unknown }> {
      return post(url).then(
        ({ status }) => Promise.reject(new Error(`it was answered ${status}`)),
        (error) => error,
      )
    },
  }
}

type React = (socket: net.Socket, request: string) => void

/** A server of plain bytes: `react` is called once a whole request is there. */
async function serve(react: React, secure?: tls.TlsOptions) {
  const requests: string[] = []
  let connections = 0
  let bytes = 0
  const closed: Promise<unknown>[] = []
  const onSocket = (socket: net.Socket) => {
    let text = ''
    // A client that gives up is none of the server's troubles.
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      bytes += chunk.length
      text += chunk
      const [, length] = /content-length: (\d+)/i.exec(text) ?? []
      const body = text.split('\r\n\r\n')[1]
      if (body === undefined || Buffer.byteLength(body) < Number(length ?? 0)) return
      requests.push(text)
      react(socket, text)
    })
  }
  const server = secure
    ? tls.createServer({ key: KEY, cert: CERTIFICATE, ...secure }, onSocket).on('tlsClientError', () => {})
    : net.createServer(onSocket)
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    connections++
    sockets.add(socket)
    closed.push(once(socket, 'close').catch(() => {}))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as net.AddressInfo
  return {
    url: `${secure ? 'https://localhost' : 'http://127.0.0.1'}:${port}/`,
    port,
    requests,
    connections: () => connections,
    /** Of requests; of the encrypted ones only what could be read. */
    bytes: () => bytes,
    allClosed: () => Promise.all(closed),
  }
}

function answer(status: string, body = '', headers: string[] = ['content-type: application/json']): string {
  return [`HTTP/1.1 ${status}`, ...headers, `content-length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  )
}

const reply =
  (text: string): React =>
  (socket) =>
    void socket.end(text)

/** Where TLS is begun it reacts to the first bytes, by default with silence: no handshake ever ends. */
async function serveSilence(react: (socket: net.Socket) => void = () => {}) {
  const reached = Promise.withResolvers<void>()
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      reached.resolve()
      react(socket)
    })
    onTestFinished(() => void socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `https://127.0.0.1:${(server.address() as net.AddressInfo).port}/`, reached: reached.promise }
}

function trustOurCertificate() {
  const usual = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...usual, CERTIFICATE])
  onTestFinished(() => tls.setDefaultCACertificates(usual))
}

/** Passed from its n-th look on, whatever time is left: as if the process had been stopped there. */
function passedAtLook(n: number): Deadline {
  let looks = 0
  return { leftMs: () => 10_000, passed: () => ++looks >= n }
}

describe('what is sent', () => {
  test('is exactly this', async () => {
    const server = await serve(reply(OK))
    const { fetch } = setup()
    await fetch(`${server.url}repos/o/r/dispatches?x=1`, {
      method: 'POST',
      headers: {
        accept: 'application/vnd.github+json',
        authorization: 'Bearer abc',
        'X-GitHub-Api-Version': '2022-11-28',
      },
      body: '{"ref":"main"}',
    })
    expect(server.requests).toEqual([
      [
        'POST /repos/o/r/dispatches?x=1 HTTP/1.1',
        'accept: application/vnd.github+json',
        'authorization: Bearer abc',
        'x-github-api-version: 2022-11-28',
        'content-length: 14',
        'connection: close',
        `Host: 127.0.0.1:${server.port}`,
        '',
        '{"ref":"main"}',
      ].join('\r\n'),
    ])
  })

  test('is measured in bytes, not in characters', async () => {
    const server = await serve(reply(OK))
    await setup().post(server.url, '{"model":"検知 🔑"}')
    expect(server.requests[0]).toContain('content-length: 23\r\n')
    expect(server.requests[0]).toMatch(/\r\n\r\n\{"model":"検知 🔑"\}$/)
  })

  test('may be large', async () => {
    const server = await serve(reply(OK))
    await setup().post(server.url, 'x'.repeat(65_535))
    expect(server.requests[0]).toMatch(/\r\n\r\nx{65535}$/)
  })

  test('is the same over TLS', async () => {
    trustOurCertificate()
    const server = await serve(reply(OK), {})
    const { post, sent } = setup()
    expect((await post(server.url)).status).toBe(200)
    expect(server.requests[0]).toMatch(/^POST \/ HTTP\/1\.1\r\n.+\{"ref":"main"\}$/s)
    expect(sent()).toBe(true)
  })

  test('goes over a connection of its own each time, which is closed', async () => {
    const server = await serve((socket) => void socket.write(OK))
    for (let i = 0; i < 3; i++) expect((await setup().post(server.url)).status).toBe(200)
    expect(server.connections()).toBe(3)
    await server.allClosed()
  })

  test('is sent once only: a second fetch is refused, and says so', async () => {
    const server = await serve(reply(OK))
    const { post } = setup()
    await post(server.url)
    await expect(post(server.url)).rejects.toMatchObject({ code: 'ALREADY_USED' })
    expect(server.requests).toHaveLength(1)
  })

  test('is sent once only, also when the first time failed before anything was sent', async () => {
    const server = await serve(reply(OK))
    const { post, failure, sent } = setup()
    await failure('http://127.0.0.1:1/')
    await expect(post(server.url)).rejects.toMatchObject({ code: 'ALREADY_USED' })
    expect(server.connections()).toBe(0)
    expect(sent()).toBe(false)
  })
})

describe('what comes back', () => {
  test('is status, headers and body', async () => {
    const body = '{"message":"検知"}'
    const server = await serve(
      reply(answer('422 Unprocessable Entity', body, ['X-Odd: a', 'x-odd: b', 'Retry-After: 5'])),
    )
    const response = await setup().post(server.url)
    expect(response.status).toBe(422)
    expect(response.headers.get('x-odd')).toBe('a, b')
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await response.text()).toBe(body)
  })

  test.each([204, 205, 304])('a %i has no body', async (status) => {
    const server = await serve(reply(answer(`${status} X`)))
    const response = await setup().post(server.url)
    expect(response.status).toBe(status)
    expect(response.body).toBeNull()
  })

  test('pieces that come one by one are put together', async () => {
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'
    const server = await serve((socket) => {
      socket.write(head)
      socket.write('2\r\n{"\r\n', () =>
        socket.write('3\r\na":\r\n', () => socket.end('2\r\n1}\r\n0\r\n\r\n')),
      )
    })
    expect(await (await setup().post(server.url)).json()).toEqual({ a: 1 })
  })

  test('what is provisional is waited out', async () => {
    const server = await serve(reply(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${OK}`))
    expect((await setup().post(server.url)).status).toBe(200)
  })

  test.each([301, 302, 303, 307, 308])('a %i is an answer: it is not followed', async (status) => {
    const elsewhere = await serve(reply(OK))
    const server = await serve(reply(answer(`${status} Moved`, '', [`location: ${elsewhere.url}`])))
    const response = await setup().post(server.url)
    expect(response.status).toBe(status)
    expect(elsewhere.connections()).toBe(0)
  })

  test('an answer of just under a megabyte is read', async () => {
    const server = await serve(reply(answer('200 OK', 'x'.repeat(999_999))))
    expect((await (await setup().post(server.url)).text()).length).toBe(999_999)
  })

  test('an answer counts also after the send deadline', async () => {
    const passed = Promise.withResolvers<void>()
    const server = await serve((socket) => void passed.promise.then(() => socket.end(OK)))
    const sendBefore = createDeadline(200)
    const { post } = setup({ sendBefore })
    const response = post(server.url)
    await expect.poll(() => sendBefore.passed(), { interval: 5 }).toBe(true)
    passed.resolve()
    expect((await response).status).toBe(200)
  })
})

describe('nothing was sent', () => {
  test('when the connection is refused', async () => {
    const { failure, sent } = setup()
    expect(await failure('http://127.0.0.1:1/')).toMatchObject({ code: 'ECONNREFUSED' })
    expect(sent()).toBe(false)
  })

  test('when the host has no address', async () => {
    const { failure, sent } = setup()
    // Longer than a name may be: refused without asking the network.
    expect(await failure(`http://${'a'.repeat(70)}.invalid/`)).toMatchObject({ code: 'ENOTFOUND' })
    expect(sent()).toBe(false)
  })

  test('when the certificate is nobody’s', async () => {
    const server = await serve(reply(OK), {})
    const { failure, sent } = setup()
    expect(await failure(server.url)).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect(sent()).toBe(false)
    expect(server.requests).toEqual([])
  })

  test('when the certificate is another host’s', async () => {
    trustOurCertificate()
    const server = await serve(reply(OK), {})
    const { failure, sent } = setup()
    expect(await failure(server.url.replace('localhost', '127.0.0.1'))).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    expect(sent()).toBe(false)
    expect(server.requests).toEqual([])
  })

  test.each<[string, (socket: net.Socket) => void]>([
    ['speaks no TLS', (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['hangs up amid the TLS handshake', (socket) => void socket.resetAndDestroy()],
    ['closes amid the TLS handshake', (socket) => void socket.end()],
  ])('when the other side %s', async (_, react) => {
    const server = await serveSilence(react)
    const { failure, sent } = setup()
    expect(await failure(server.url)).toHaveProperty('code')
    await server.reached
    expect(sent()).toBe(false)
  })

  test('when the server wants a certificate of ours, asked for within the handshake', async () => {
    trustOurCertificate()
    const server = await serve(reply(OK), {
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion: 'TLSv1.2',
    })
    const { failure, sent } = setup()
    await failure(server.url)
    expect(sent()).toBe(false)
    expect(server.requests).toEqual([])
  })

  test('when the send deadline had passed before: no connection is made', async () => {
    const server = await serve(reply(OK))
    const { failure, sent } = setup({ sendBefore: createDeadline(0) })
    expect(await failure(server.url)).toMatchObject({ code: 'SEND_DEADLINE' })
    expect(sent()).toBe(false)
    expect(server.connections()).toBe(0)
  })

  test('when the send deadline passes while the connection is made', async () => {
    const server = await serveSilence()
    const { failure, sent } = setup({ sendBefore: createDeadline(50) })
    expect(await failure(server.url)).toMatchObject({ code: 'SEND_DEADLINE' })
    expect(sent()).toBe(false)
  })

  test.each(['http', 'https'])(
    'when the process was stopped between connecting and writing (%s): not one byte',
    async (scheme) => {
      trustOurCertificate()
      const server = await serve(reply(OK), scheme === 'https' ? {} : undefined)
      const { failure, sent } = setup({ sendBefore: passedAtLook(2) })
      expect(await failure(server.url)).toMatchObject({ code: 'SEND_DEADLINE' })
      expect(sent()).toBe(false)
      await server.allClosed()
      expect(server.connections()).toBeGreaterThan(0)
      expect(server.bytes()).toBe(0)
    },
  )

  test('when it was aborted before: no connection is made', async () => {
    const server = await serve(reply(OK))
    const { failure, sent } = setup({ signal: AbortSignal.abort() })
    expect(await failure(server.url)).toMatchObject({ code: 'ABORTED' })
    expect(sent()).toBe(false)
    expect(server.connections()).toBe(0)
  })

  test('when it is aborted while the connection is made', async () => {
    const server = await serveSilence()
    const controller = new AbortController()
    const { failure, sent } = setup({ signal: controller.signal })
    const failed = failure(server.url)
    await server.reached
    controller.abort()
    expect(await failed).toMatchObject({ code: 'ABORTED' })
    expect(sent()).toBe(false)
  })

  test.each([
    ['an address that is none', 'not an address', {}],
    ['a header that can not be sent', 'http://127.0.0.1:1/', { authorization: 'Bearer a\nb' }],
  ])('with %s', async (_, url, headers) => {
    const { fetch, sent } = setup()
    await expect(fetch(url, { method: 'POST', headers, body: '' })).rejects.toThrow()
    expect(sent()).toBe(false)
  })
})

describe('it was sent, and nobody knows more', () => {
  const cases: [string, React][] = [
    ['the connection is reset', (socket) => void socket.resetAndDestroy()],
    ['the connection is closed without an answer', (socket) => void socket.end()],
    ['the answer breaks off amid its headers', reply('HTTP/1.1 200 OK\r\ncontent-ty')],
    ['the answer breaks off amid its body', reply('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"workf')],
    [
      'the answer breaks off amid its chunks',
      reply('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"wor\r\n'),
    ],
    [
      'the connection is reset amid the answer',
      (socket) =>
        void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"w', () => socket.resetAndDestroy()),
    ],
    ['the answer is no HTTP', reply('SSH-2.0-OpenSSH_9.9\r\n')],
    [
      'the answer contradicts itself',
      reply('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n'),
    ],
    ['the answer’s headers have no end', reply(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`)],
    [
      'another protocol is spoken from here on',
      reply('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
    ],
    ['a 101 leads nowhere', reply('HTTP/1.1 101 Switching Protocols\r\n\r\n')],
    ['only something provisional comes', reply('HTTP/1.1 100 Continue\r\n\r\n')],
    ['the status is no status', reply(answer('999 Odd'))],
    ['the answer is too large', reply(answer('200 OK', 'x'.repeat(1_000_001)))],
    [
      'the answer has no end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        const more = () => void (socket.destroyed || socket.write('x'.repeat(65_536), more))
        more()
      },
    ],
  ]
  test.each(cases)('when %s', async (_, react) => {
    const server = await serve(react)
    const { failure, sent } = setup()
    expect(await failure(server.url)).toBeInstanceOf(Error)
    expect(sent()).toBe(true)
    expect(server.requests).toHaveLength(1)
    await server.allClosed()
  })

  test('when no answer comes in time', async () => {
    const server = await serve(() => {})
    const { failure, sent } = setup({ answerWithinMs: 50 })
    const failed = await failure(server.url)
    expect(failed).toMatchObject({ code: 'NO_ANSWER', message: 'no answer within 0.05 s' })
    expect(sent()).toBe(true)
    await server.allClosed()
  })

  test('when the answer begins in time but does not end in time', async () => {
    const server = await serve(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{'),
    )
    const { failure, sent } = setup({ answerWithinMs: 50 })
    expect(await failure(server.url)).toBeInstanceOf(Error)
    expect(sent()).toBe(true)
    await server.allClosed()
  })

  test('when it is aborted after sending', async () => {
    const controller = new AbortController()
    const server = await serve(() => controller.abort())
    const { failure, sent } = setup({ signal: controller.signal })
    expect(await failure(server.url)).toMatchObject({ code: 'ABORTED' })
    expect(sent()).toBe(true)
    await server.allClosed()
  })

  test('when it is aborted amid the answer', async () => {
    const controller = new AbortController()
    const server = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{', () => controller.abort())
    })
    const { failure, sent } = setup({ signal: controller.signal })
    expect(await failure(server.url)).toBeInstanceOf(Error)
    expect(sent()).toBe(true)
    await server.allClosed()
  })

  test('when a TLS 1.3 server refuses us after its handshake, which ends before it looks', async () => {
    trustOurCertificate()
    const server = await serve(reply(OK), {
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    })
    const { failure, sent } = setup()
    await failure(server.url)
    expect(sent()).toBe(true)
  })
})

describe('what comes late', () => {
  test('an error after the answer reaches nobody', async () => {
    const server = await serve((socket) => void socket.write(OK, () => socket.resetAndDestroy()))
    // Either the answer or the reset wins; neither may surface a second time.
    await setup()
      .post(server.url)
      .catch(() => {})
    await server.allClosed()
  })

  test('a second answer is not read', async () => {
    const server = await serve(reply(`${OK}${answer('500 Later', '{}')}`))
    const response = await setup().post(server.url)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ workflow_run_id: 1 })
  })

  test('an abort after the answer changes nothing, and nobody listens for it any more', async () => {
    const controller = new AbortController()
    const server = await serve(reply(OK))
    const { post, sent } = setup({ signal: controller.signal })
    const response = await post(server.url)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort()
    expect(await response.json()).toEqual({ workflow_run_id: 1 })
    expect(sent()).toBe(true)
  })

  test('a call that failed leaves no listener behind', async () => {
    const controller = new AbortController()
    await setup({ signal: controller.signal }).failure('http://127.0.0.1:1/')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })
})
