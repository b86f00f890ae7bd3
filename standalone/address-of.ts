/** Where a listening server is reached from this machine: http://HOST:PORT */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

export function addressOf(app: Pick<FastifyInstance, 'server'>): string {
  const { address, family, port } = app.server.address() as AddressInfo
  const host =
    address === '0.0.0.0' || address === '::' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
  return `http://${host}:${port}`
}
