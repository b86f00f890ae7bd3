// A TCP proxy that the harness owns: bytes go through unchanged, unless an instant says otherwise. One stands before
// Redis and one before the simulator for each worker, so that it is known whose bytes they are.
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export interface Conversation {
  /** Both ends are cut, as by a broken network. */
  cut(): void
}

export interface ProxyInstants {
  opened?(conversation: Conversation): void
  /** Bytes on their way to the server: not handed on yet. */
  asked?(chunk: Buffer, conversation: Conversation): void
  /** Bytes on their way back. @returns false: they are swallowed, and the connection is cut */
  answered?(chunk: Buffer, conversation: Conversation): boolean
}

export interface TcpProxy {
  readonly port: number
  close(): Promise<void>
}

export async function openTcpProxy(
  targetPort: () => number,
  instants: ProxyInstants = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = createConnection({ port: targetPort(), host: '127.0.0.1', noDelay: true })
    const conversation: Conversation = {
      cut: () => {
        client.destroy()
        upstream.destroy()
      },
    }
    instants.opened?.(conversation)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', conversation.cut)
      socket.once('close', () => {
        sockets.delete(socket)
        conversation.cut()
      })
    }
    client.on('data', (chunk) => {
      instants.asked?.(chunk, conversation)
      if (!upstream.destroyed) upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (instants.answered?.(chunk, conversation) === false) conversation.cut()
      else if (!client.destroyed) client.write(chunk)
    })
    client.on('end', () => upstream.end())
    upstream.on('end', () => client.end())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
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
