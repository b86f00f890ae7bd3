// In a worker process: when told to, it stops (SIGSTOP) in the instant in which the connection for its next dispatch
// stands and nothing is written. No signal from outside meets an instant so short.
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'

/** What the harness says, and what the worker answers as it stops. */
export const STOP_AT_CONNECT = 'stop at connect'
export const STOPPED = 'stopped'

export function stopAtConnectWhenTold(): void {
  let isTold = false
  process.on('message', (word) => {
    if (word === STOP_AT_CONNECT) isTold = true
  })
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { request: ClientRequest }
    if (!isTold || !request.path.endsWith('/dispatches')) return
    isTold = false
    // Registered as the request is made, and so before its sender's own listeners.
    request.once('socket', (socket: Socket) =>
      socket.once('connect', () => {
        process.send?.(STOPPED)
        process.kill(process.pid, 'SIGSTOP')
        untilStopped()
      }),
    )
  })
}

/** The signal may be a moment late, and the request be on its way by then: no line is left before the clock has leapt. */
function untilStopped(): void {
  const from = performance.now()
  for (let last = from, now = from; now - last < STOPPED_FOR_MS && now - from < AT_MOST_MS; ) {
    last = now
    now = performance.now()
  }
}
const STOPPED_FOR_MS = 300
const AT_MOST_MS = 3_000
