// What a test in the simulator's own process may do at exact instants: choose a request's fault when it arrives, strike
// the sender before or after its run is started. Called synchronously, so that nothing has happened in between.
import type { Operation } from './api-route.ts'
import type { Fault } from './faults.ts'

export interface ArrivedRequest {
  operation: Operation
  /** The Host header: tells senders apart that were given an address each. */
  host: string
  /** Of a dispatch; empty for anything else. */
  inputs: Readonly<Record<string, unknown>>
}

export interface Instants {
  /** It is here whole, and nothing has come of it. @returns the fault it meets, where none was ordered before */
  arrived?(request: ArrivedRequest): Fault | undefined
  /** Its run is started, and nothing is answered yet. */
  started?(request: ArrivedRequest, runId: number): void
}
