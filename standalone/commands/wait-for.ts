import type { Producer } from '../../producer/index.ts'
import { EXIT, print } from '../command-line.ts'
import { printTimeline } from '../print-timeline.ts'

export interface WaitFlags {
  timeout: number
  json?: boolean
}

/** Shows each step of a promotion until its end. @returns the exit code */
export async function waitFor(producer: Producer, id: string, { timeout, json }: WaitFlags): Promise<number> {
  const state = await printTimeline({
    get: () => producer.get(id),
    print: json ? () => {} : print,
    timeoutMs: timeout * 1000,
  })
  if (json) print(JSON.stringify({ id, state }))
  else
    print(
      state === 'timeout'
        ? `not at its end after ${timeout} s; it goes on`
        : `ended: ${state.replaceAll('_', ' ')}`,
    )
  if (state === 'timeout') return EXIT.waitOver
  return state === 'deployed' ? EXIT.done : EXIT.ended
}
