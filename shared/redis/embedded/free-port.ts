// Ports of 127.0.0.1. A port that is free now may be taken a moment later: whoever binds it must expect that.
import { createServer } from 'node:net'

/** A free port of the kernel's choice. */
export function pickFreePort(): Promise<number> {
  return listenOnce(0)
}

export function isPortFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  )
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address()
      const bound = typeof address === 'object' && address ? address.port : port
      server.close(() => resolve(bound))
    })
  })
}
