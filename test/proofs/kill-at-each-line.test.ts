// A worker is killed (-9) at each line from claim to record, and to the end of its job. Another worker takes over:
// nothing is lost, and nothing is sent twice. The lines are read from the sources, so that none is forgotten.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import { inputsFor } from '../../worker/dispatch/inputs.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { startWorkerProcess } from '../support/relay-process.ts'
import { until } from '../support/until.ts'

const DIE_AT_LINE = new URL('../support/die-at-line.ts', import.meta.url).href

/** Quick to notice that a worker has died. */
const PAUSES = {
  lockMs: 600,
  stalledCheckMs: 100,
  sendDeadlineMs: 400,
  dispatchTimeoutMs: 500,
  uncertainMs: 1_000,
  sweepMs: 100,
  settleMs: 0,
  resolveMs: 50,
  recheckMs: 300,
}

interface Line {
  file: string
  number: number
  text: string
}

/** The lines of a file that match, from one that begins with `from` until one that begins with `to`. */
function lines(file: string, from: string, to: string, match: RegExp): Line[] {
  const all = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split('\n')
  const begin = all.findIndex((text) => text.trimStart().startsWith(from))
  const end = all.findIndex((text, index) => index > begin && text.trimStart().startsWith(to))
  if (begin < 0 || end < 0) throw new Error(`${file} has no lines from ${from} to ${to}`)
  return all
    .slice(begin, end)
    .map((text, index) => ({ file, number: begin + index + 1, text: text.trim() }))
    .filter(({ text }, index) => match.test(all[begin + index] ?? '') && text !== '')
}

const HANDLE = 'worker/dispatch/handle.ts'
/** A statement of the function's own, not one within another. */
const STATEMENT = /^ {4}(const|if|return|tell|log)\b/

const TAKEN: Line[] = [
  ...lines('shared/ledger/ledger.ts', "if (claim.kind !== 'go')", '},', /./),
  ...lines(HANDLE, 'async function send', 'async function finish', STATEMENT),
  ...lines('worker/github/client.ts', 'const sending = sendOnce', 'const answer', /^ {6}const/),
  ...lines('worker/github/send-once.ts', 'const tooLate', 'const stop', /^ {6}const/),
  ...lines('worker/github/send-once.ts', 'if (request.destroyed)', '// Headers', /sent = |late = |\.end\(/),
  ...lines('worker/github/send-once.ts', 'answered = true', 'response.on', /./),
  ...lines(HANDLE, 'async function finish', '/** One wide', STATEMENT),
  ...lines('worker/dispatch/consume.ts', 'await job.log', 'await job.updateProgress', /./),
]

const REJECTED: Line[] = [
  ...lines(HANDLE, 'const outcome = outcomeOf', 'async function finish', STATEMENT),
  ...lines(HANDLE, 'async function finish', '/** One wide', STATEMENT),
  ...lines('worker/dead-letters/dead-letters.ts', 'async bury(', '},', /^ {6}\w/),
  ...lines('shared/wake.ts', 'async function wake', '}', /^ {4}(const|if|await)/),
]

/** An input that we never send: every dispatch is refused. */
const NEVER_CONTENT = {
  ...Object.fromEntries(
    Object.keys(inputsFor({} as Promotion)).map((name) => [name, { required: false }] as const),
  ),
  region: { required: true },
}

const named = (all: Line[]) => all.map((line) => [`${line.file}:${line.number} ${line.text}`, line] as const)

async function killedAt({ file, number }: Line, relay: Relay) {
  const path = new URL(`../../${file}`, import.meta.url).pathname
  const worker = await startWorkerProcess(relay, PAUSES, ['--import', DIE_AT_LINE], {
    DIE_AT: `${path}:${number}`,
  })
  return {
    /** Asserts that the line was come to. */
    async dies() {
      const [code, signal] = await worker.exit
      expect({ code, signal, output: worker.output() }).toMatchObject({ signal: 'SIGKILL' })
    },
    over: () => worker.child.exitCode !== null || worker.child.signalCode !== null,
  }
}

test.each(named(TAKEN))('killed at %s: deployed by one run', async (_, line) => {
  const relay = await startRelay({ workers: 0, pauses: PAUSES })
  const id = await relay.promote('5')

  await (await killedAt(line, relay)).dies()
  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed', deadLetters: 0 })
  await relay.idle()
  expect(relay.simulator.runs).toHaveLength(1)
})

test.each(named(REJECTED))(
  'killed at %s: both are with a person, and nothing was started',
  async (_, line) => {
    const relay = await startRelay({ workers: 0, pauses: PAUSES })
    relay.simulator.setWorkflow('cd_pipeline.yml', { inputs: NEVER_CONTENT })
    relay.simulator.fault({ kind: 'slow', delayMs: 100 })
    const older = await relay.promote('5')

    const worker = await killedAt(line, relay)
    await until('it is in the air', () => relay.simulator.dispatches().length > 0 || worker.over())
    const newer = await relay.promote('6')
    await worker.dies()
    await relay.startWorker()

    await relay.reaches(newer, 'dead_lettered')
    await relay.parked(newer)
    // Nobody had heard how the older one went: nothing was started, and the newer one takes its place.
    const { state } = await until('it is out of the way', async () => {
      const promotion = await relay.reader.promotion(older)
      return promotion && ['dead_lettered', 'superseded'].includes(promotion.state) ? promotion : undefined
    })
    if (state === 'dead_lettered') await relay.parked(older)
    expect(relay.simulator.runs).toEqual([])
  },
)
