// The connections: reads requests whole, tells garbage from a request, and closes to the last socket.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface HttpServer {
  readonly port: number
  close(): Promise<void>
}

export interface HttpServerOptions {
  host: string
  port: number
  /** `body` is null when the connection ended before the whole of it was here. */
  onRequest(request: IncomingMessage, response: ServerResponse, body: string | null): Promise<void>
  /** A connection sent something that is not HTTP. */
  onGarbled(): void
}

export async function openHttpServer({
  host,
  port,
  onRequest,
  onGarbled,
}: HttpServerOptions): Promise<HttpServer> {
  const sockets = new Set<Socket>()
  const server = createServer(async (request, response) => {
    await onRequest(request, response, await wholeBody(request))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (isGarbage(error.code)) onGarbled()
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nx-simulated: true\r\nconnection: close\r\n\r\n')
    else socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

async function wholeBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return null
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A reset, or an end in the middle of what was HTTP so far, is no garbage. */
function isGarbage(code: string | undefined): boolean {
  const isOfParser = code?.startsWith('HPE_') === true
  return isOfParser && code !== 'HPE_INVALID_EOF_STATE' && code !== 'HPE_HEADER_OVERFLOW'
}
