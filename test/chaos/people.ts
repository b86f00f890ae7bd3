// The people around the relay: one presses Retry in the dashboard, twice at once and at bad times; another settles
// what the relay hands to a person, truthfully, by looking at the runs; a third starts runs again at GitHub.
import type { Queue } from 'bullmq'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Simulator } from '../github-simulator/simulator.ts'
import type { Tally } from './faults.ts'
import type { Random } from './random.ts'

export interface PeopleDeps {
  ledger: Pick<Ledger, 'settle'>
  reader: Pick<LedgerReader, 'idsIn' | 'promotions' | 'nowMs'>
  deadLetters: Pick<Queue, 'getFailed'>
  simulator: Pick<Simulator, 'runs' | 'url'>
  tally: Tally
  /** After this, a run that was started is there, ms. */
  certainMs: number
  random: Random
  /** Of the attempt that is started next. */
  drawLife(): void
}

/** Of the completed runs, one of so many that were created last is started again. */
const LATELY = 20

export function createPeople(deps: PeopleDeps) {
  const { ledger, reader, deadLetters, simulator, tally, certainMs, random, drawLife } = deps
  const settled = { byRun: 0, absent: 0, searched: 0 }
  return {
    settled,
    /** Presses Retry on so many dead letters, each twice at once; on `unresolved` ones it only looks again. */
    async pressRetry(most: number, { unresolvedToo }: { unresolvedToo: boolean }) {
      const failed = (await deadLetters.getFailed(0, 200)).filter(Boolean)
      const chosen = failed.filter(({ data }) => unresolvedToo || data.state !== 'unresolved')
      for (const job of chosen.slice(0, most)) {
        const pressed = await Promise.allSettled([job.retry(), job.retry()])
        if (pressed.some(({ status }) => status === 'fulfilled')) tally.struck('retry-pressed')
      }
    },

    async runAgain() {
      const lately = simulator.runs.filter(({ status }) => status === 'completed').slice(-LATELY)
      const run = lately[random.below(lately.length)]
      if (!run) return
      drawLife()
      const { status } = await fetch(`${simulator.url}/repos/acme/models/actions/runs/${run.id}/rerun`, {
        method: 'POST',
        headers: { authorization: 'Bearer a-person' },
      })
      if (status === 201) tally.struck('run-again')
    },

    /** Says of unresolved promotions what is true, once it is certain. */
    async settleUnresolved() {
      const nowMs = await reader.nowMs()
      const unresolved = await reader.promotions(await reader.idsIn('unresolved'))
      const dispatched = await reader.promotions(await reader.idsIn('dispatched'))
      const searched = dispatched.filter((one) => !one.runId)
      for (const one of [...unresolved, ...searched]) {
        if (nowMs - one.updatedAt < certainMs) continue
        const run = simulator.runs.find(({ inputs }) => inputs.promotion_id === one.id)
        if (run) {
          await ledger.settle(one.id, { runId: String(run.id) }, 'chaos')
          if (one.state === 'unresolved') settled.byRun++
          else settled.searched++
        } else if (one.state === 'unresolved') {
          await ledger.settle(one.id, { absent: true }, 'chaos')
          settled.absent++
        }
      }
    },
  }
}
