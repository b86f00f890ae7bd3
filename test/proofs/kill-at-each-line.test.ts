// A producer is killed (-9) at each line of accept; a worker at each line from claim to record and to the end of its
// job, of a look at a run, of a rollback, and of taking up a run that a webhook shows. Another one takes over: nothing is lost, sent
// twice or out of order. The lines are read from the sources, so that none is forgotten.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Environment } from '../../shared/config.ts'
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import { inputsFor } from '../../worker/dispatch/inputs.ts'
import type { Pauses } from '../../worker/pauses.ts'
import { setup as startServer } from '../integration/http-setup.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { startProcess, startWorkerProcess } from '../support/relay-process.ts'
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
  ...lines('worker/dispatch/consume.ts', 'const end = await handle', 'await job.log', /^ {6}(const|if)/),
]

const REJECTED: Line[] = [
  ...lines(HANDLE, 'const outcome = outcomeOf', 'async function finish', STATEMENT),
  ...lines(HANDLE, 'async function finish', '/** One wide', STATEMENT),
  ...lines('worker/dead-letters/dead-letters.ts', 'async bury(', '},', /^ {6}\w/),
  ...lines('shared/wake.ts', 'async function wake', '}', /^ {4}(const|if|await)/),
]

const ACCEPTED: Line[] = [
  ...lines(
    'shared/accept.ts',
    'const given = keptId',
    '} catch',
    /^ {4}(const|await)|^ {6}(const|if|return)/,
  ),
]

const FOLLOW = 'worker/track/follow.ts'
const FINISHED = lines(FOLLOW, 'async function finish', 'async function look', /^ {4}(const|if|return)/)
const FOLLOWED: Line[] = [
  ...lines(FOLLOW, 'const isIts', 'async function finish', /^ {4}(const|if|await|return finish)/),
  ...FINISHED,
]

const HEARD: Line[] = [
  ...lines('worker/track/hear.ts', 'async function adopt', '/**', /^ {4}(const|if|log|await|return)/),
]

/** An input that we never send: every dispatch is refused. */
const NEVER_CONTENT = {
  ...Object.fromEntries(
    Object.keys(inputsFor({} as Promotion)).map((name) => [name, { required: false }] as const),
  ),
  region: { required: true },
}

const named = (all: Line[]) => all.map((line) => [`${line.file}:${line.number} ${line.text}`, line] as const)

const pathOf = (file: string) => new URL(`../../${file}`, import.meta.url).pathname
const DIES = ['--import', DIE_AT_LINE]
const at = ({ file, number }: Line) => ({ DIE_AT: `${pathOf(file)}:${number}` })

type Process = Awaited<ReturnType<typeof startProcess>>
const isOver = ({ child }: Process) => child.exitCode !== null || child.signalCode !== null

/** Long enough to come to any line, ms. */
const COMES_WITHIN_MS = 10_000

/** Asserts that the line was come to. */
async function dies(process: Process) {
  await until('it comes to its line', () => isOver(process), COMES_WITHIN_MS).catch((error: Error) => {
    throw new Error(`${error.message}\n${process.output()}`)
  })
  const [code, signal] = await process.exit
  expect({ code, signal, output: process.output() }).toMatchObject({ signal: 'SIGKILL' })
}

async function killedAt(
  line: Line,
  relay: Relay,
  more: { pauses?: Partial<Pauses>; env?: Environment } = {},
) {
  const pauses = { ...PAUSES, ...more.pauses }
  const worker = await startWorkerProcess(relay, pauses, DIES, { ...at(line), ...more.env })
  return {
    dies: () => dies(worker),
    over: () => isOver(worker),
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

test.each(named(ACCEPTED))('a producer killed at %s: asked again, deployed by one run', async (_, line) => {
  const relay = await startRelay({ workers: 0, pauses: PAUSES })
  const promotion = [{ model: 'fraud-detector', version: '5' }, { idempotencyKey: 'training-7' }] as const
  const script = `
    const { createProducer } = await import(${JSON.stringify(pathOf('producer/index.ts'))})
    const producer = createProducer({ redisUrl: ${JSON.stringify(relay.redisUrl)}, deadlineMs: 20_000 })
    await producer.promote(...${JSON.stringify(promotion)})`

  await dies(await startProcess(relay, [...DIES, '--input-type=module', '-e', script], at(line)))
  const again = await relay.producer.promote(...promotion)
  await relay.startWorker()

  if (again.status !== 'accepted' && again.status !== 'duplicate') throw new Error(JSON.stringify(again))
  expect(await relay.ends(again.id)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.simulator.runs).toHaveLength(1)
  expect(await relay.reader.counters()).toMatchObject({ accepted: 1 })
})

test.each(named(FOLLOWED))('killed at %s: the newer version goes after it, once', async (_, line) => {
  const relay = await startRelay({ workers: 0, pauses: PAUSES, simulator: { runMs: 400 } })
  const older = await relay.promote('5')
  const worker = await killedAt(line, relay)
  await until('its run is started', () => relay.simulator.runs.length === 1)
  const newer = await relay.promote('6')

  await worker.dies()
  await relay.startWorker()

  expect(await relay.ends(older)).toMatchObject({ state: 'deployed' })
  // The worker may have begun with it as it died.
  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test.each(named(FINISHED))('killed at %s: what was live is put back, once', async (_, line) => {
  const env = { ROLLBACK_ON_FAILURE: 'true' }
  const relay = await startRelay({ workers: 0, pauses: PAUSES, env, simulator: { runMs: 300 } })
  const first = await relay.startWorker()
  await relay.ends(await relay.promote('5'))
  await first.close()
  relay.simulator.setLife({ conclusion: 'failure' })

  const worker = await killedAt(line, relay, { env })
  const failed = await relay.promote('6')
  await until('its run is started', () => relay.simulator.runs.length === 2)
  relay.simulator.setLife({ conclusion: 'success' })
  await worker.dies()
  await relay.startWorker()

  const { rolledBackBy = '' } = await relay.ends(failed)
  expect(await relay.ends(rolledBackBy)).toMatchObject({ state: 'deployed', version: '5', parent: failed })
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '6', '5'])
  const [target] = await relay.reader.targets(1)
  expect(target).toMatchObject({ live: '5', hold: { kind: 'rollback', versions: ['6'] } })
})

test.each(named(HEARD))('killed at %s: the run that a webhook shows is taken up', async (_, line) => {
  // Nobody but the webhook finds the run.
  const blind = { pauses: { resolveMs: 600_000, hearAgainMs: 50 }, env: { TRACK_INTERVAL_SECONDS: '600' } }
  const pauses = { ...PAUSES, ...blind.pauses }
  const relay = await startRelay({ workers: 0, pauses, env: blind.env })
  const secret = 'sentinel-webhook-secret'
  const server = await startServer({ redisUrl: relay.redisUrl, env: { GITHUB_WEBHOOK_SECRET: secret } })
  relay.simulator.subscribe({ url: `${server.url}/v1/webhooks/github`, secret })
  relay.simulator.fault({ kind: 'status-after', status: 503 })
  const id = await relay.promote('5')

  await (await killedAt(line, relay, blind)).dies()
  await relay.startWorker()

  expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
  await relay.idle()
  expect(relay.simulator.runs).toHaveLength(1)
})
