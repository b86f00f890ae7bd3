// An outage of GitHub while thousands of promotions come in, then what is left of them goes: one dispatch a target, its
// newest version, at the pace of the rate budget. Real processes with the product's own pauses; the simulator's log judges.
import { Redis } from 'ioredis'
import { createLedgerReader, type LedgerReader } from '../../../shared/ledger/read.ts'
import type { Pauses } from '../../../worker/pauses.ts'
import type { LogEntry } from '../../github-simulator/simulator.ts'
import { until } from '../../support/until.ts'
import { ask, directory, type Processes, settingsFor, withProcesses } from '../relay-processes.ts'
import type { Options, Result, Section } from '../section.ts'
import { short } from '../statistics.ts'

export const drain: Section = { name: 'drain', title: 'After an outage of GitHub', run }

/** How GitHub is away: its address refuses, or answers that it can't. */
const OUTAGES = ['refuses', 'answers503'] as const
type Outage = (typeof OUTAGES)[number]
const IN_WORDS: Record<Outage, string> = { refuses: 'nothing listens', answers503: 'answers 503' }

interface Size {
  targets: number
  versions: number
  ratePerSecond: number
  patienceSeconds: number
  /** Shorter than the product's, where no time is to be shown. */
  pauses?: Partial<Pauses>
}

const WHOLE: Size = { targets: 100, versions: 100, ratePerSecond: 10, patienceSeconds: 5 }
const QUICK: Size = {
  ...{ targets: 10, versions: 5, ratePerSecond: 20, patienceSeconds: 0.2 },
  pauses: { faultPauseMs: 300, probeMs: 100, resolveMs: 200, sendDeadlineMs: 500, dispatchTimeoutMs: 500 },
}
/** Workers beside each other. */
const WORKERS = 2
const DRAINED_WITHIN_MS = 300_000
/** The first pause of a circuit, and that between two looks for those whose pause is over, s. */
const FIRST_PAUSES_SECONDS = 20

interface Drained {
  acceptedPerSecond: number
  outageSeconds: number
  /** From "back" until the probe that closed the circuit. */
  noticedSeconds: number
  /** From there until the last dispatch of a target that was not in doubt. */
  drainedSeconds: number
  /** From "back" until the last dispatch of all. */
  lastSeconds: number
  /** Targets whose attempt GitHub answered with 503: their run is looked for first. */
  inDoubt: number
  densestSecond: number
}

async function run({ quick }: Options): Promise<Result> {
  const size = quick ? QUICK : WHOLE
  const { targets, versions, ratePerSecond, patienceSeconds } = size
  const budgetSeconds = targets / ratePerSecond
  const drained = {} as Record<Outage, Drained>
  for (const outage of OUTAGES)
    drained[outage] = await withProcesses((all) => outageAndBack(all, outage, size))
  const seconds = (value: number) => short(value)
  return {
    figures: Object.fromEntries(
      OUTAGES.flatMap((outage) =>
        Object.entries(drained[outage]).map(([name, value]) => [`${outage}.${name}`, value]),
      ),
    ),
    tables: [
      {
        title: `${targets * versions} promotions of ${targets} targets come in while GitHub is away; ${ratePerSecond} dispatches a second are allowed (${seconds(budgetSeconds)} s)`,
        columns: [
          'GitHub',
          'taken in/s',
          'away s',
          'noticed after s',
          'drained in s',
          'in doubt',
          'last of all s',
        ],
        rows: OUTAGES.map((outage) => {
          const one = drained[outage]
          return [
            IN_WORDS[outage],
            short(one.acceptedPerSecond),
            seconds(one.outageSeconds),
            seconds(one.noticedSeconds),
            seconds(one.drainedSeconds),
            one.inDoubt,
            seconds(one.lastSeconds),
          ]
        }),
      },
    ],
    targets: OUTAGES.flatMap((outage) => [
      {
        what: `drained, of what the rate budget allows (${IN_WORDS[outage]})`,
        value: drained[outage].drainedSeconds / budgetSeconds,
        unit: 'times',
        atMost: 1.3,
      },
      {
        what: `noticed that it is back (${IN_WORDS[outage]})`,
        value: drained[outage].noticedSeconds,
        unit: 's',
        // Each pause is as long as all before it and the first one.
        atMost: drained[outage].outageSeconds + FIRST_PAUSES_SECONDS,
      },
    ]),
    notes: [
      `Held in each: ${targets} dispatches after it is back, each of its target's newest version; none throttled, none before, no dead letter; everything else superseded.`,
      'Noticed: a circuit is probed 15 s after it opened, looked at every 5 s; each probe in vain doubles its pause, up to 10 minutes: after an outage of so many seconds, at most 20 s more than those.',
      `In doubt: a 503 may have started a run. It is looked for until 35 s and RESOLVE_PATIENCE_SECONDS (${patienceSeconds} here, 120 by default) after the attempt, in three listings; then the newest goes.`,
    ],
  }
}

async function outageAndBack(processes: Processes, outage: Outage, size: Size): Promise<Drained> {
  const redis = await processes.redis()
  // What GitHub allows in an hour is some requests for each dispatch that is due: many more would be throttled.
  const allowed = ['--rate-limit', String(size.targets * 8)]
  const flags = [...['--queued-ms', '20', '--run-ms', '50'], ...allowed]
  const kept = [...flags, '--data-dir', directory(processes.home, 'github')]
  const first = await processes.simulator(kept)
  const github = steering(first.url)
  const env = {
    ...settingsFor(redis.url, first.url),
    DISPATCH_RATE_PER_SECOND: String(size.ratePerSecond),
    RESOLVE_PATIENCE_SECONDS: String(size.patienceSeconds),
    TRACK_INTERVAL_SECONDS: '1',
    API_RATE_PER_MINUTE: '1000000',
  }
  const [server] = await Promise.all([
    processes.serve(env),
    ...Array.from({ length: WORKERS }, () =>
      size.pauses ? processes.hurriedWork(env, size.pauses) : processes.work(env),
    ),
  ])
  const connection = new Redis(redis.url, { replyMapping: 'legacy' })
  processes.atEnd(() => connection.disconnect())
  const reader = createLedgerReader({ redis: connection })

  // A relay in use: it has seen its workflow's runs carry their promotion's id.
  await promote(server.url, [{ model: 'warm', version: '1' }])
  await ended(reader, 'the first deployment')

  const goneAt = Date.now()
  if (outage === 'refuses') {
    first.program.kill('SIGKILL')
    await first.program.end()
  } else await github('POST', 'faults', { kind: 'status-before', on: 'any', status: 503, times: 'Infinity' })
  const taken: string[] = []
  for (let version = 1; version <= size.versions; version++) {
    const models = Array.from({ length: size.targets }, (_, n) => `model-${n}`)
    taken.push(
      ...(await promote(
        server.url,
        models.map((model) => ({ model, version: String(version) })),
      )),
    )
  }
  const takenInMs = Date.now() - goneAt
  await until('the circuit to be open', async () => (await reader.openCircuits()).length > 0, 60_000)
  const backFrom = Date.now()
  if (outage === 'refuses') await processes.simulator(kept, Number(new URL(first.url).port))
  else await github('DELETE', 'faults')
  const backAt = Date.now()
  await ended(reader, 'everything to have gone')

  const log = await github<LogEntry[]>('GET', 'log')
  const runs = await github<unknown[]>('GET', 'runs')
  if (runs.length !== size.targets + 1) throw new Error(`${runs.length - 1} runs of ${size.targets} targets`)
  const sent = judged(log, backFrom, size)
  await judgeLedger(reader, taken, size)
  // Listings of runs, of those in doubt, may come before it.
  const probe = log.find((one) => one.at >= backFrom && isProbe(one) && one.status === 200)
  if (!probe) throw new Error('no probe has closed the circuit')
  const doubted = new Set(log.filter((one) => isDispatch(one) && one.status === 503).map(modelOf))
  const certain = sent.filter((one) => !doubted.has(modelOf(one)))
  const seconds = (from: number, to = from) => Math.max(0, to - from) / 1000
  return {
    acceptedPerSecond: taken.length / seconds(0, takenInMs),
    outageSeconds: seconds(goneAt, backAt),
    noticedSeconds: seconds(backAt, probe.at),
    drainedSeconds: seconds(probe.at, certain.at(-1)?.at),
    lastSeconds: seconds(backAt, sent.at(-1)?.at),
    inDoubt: doubted.size,
    densestSecond: densest(sent.map(({ at }) => at)),
  }
}

async function promote(url: string, promotions: object[]): Promise<string[]> {
  const { results } = await ask<{ results: { id: string; status: string }[] }>(url, '/v1/promotions:batch', {
    promotions,
  })
  const refused = results.find(({ status }) => status !== 'accepted')
  if (refused) throw new Error(`not accepted: ${JSON.stringify(refused)}`)
  return results.map(({ id }) => id)
}

async function ended(reader: LedgerReader, what: string): Promise<void> {
  const nothingOpen = async () => {
    const counts = Object.entries(await reader.countByState())
    const dead = counts.find(([state, count]) => /dead_lettered|unresolved/.test(state) && count > 0)
    if (dead) throw new Error(`${dead[1]} ${dead[0]}`)
    return counts.every(([, count]) => count === 0)
  }
  await until(what, nothingOpen, DRAINED_WITHIN_MS)
}

/** @returns the dispatches since it is back. @throws where they are not one a target, of its newest version */
function judged(log: readonly LogEntry[], backFrom: number, { targets, versions }: Size): LogEntry[] {
  const throttled = log.filter(({ status }) => status === 403 || status === 429)
  if (throttled.length > 0) throw new Error(`${throttled.length} throttled answers`)
  const [warm, ...dispatches] = log.filter(isDispatch)
  const early = dispatches.filter(({ at, runId }) => at < backFrom && runId !== undefined)
  if (warm?.runId === undefined || early.length > 0)
    throw new Error('a run was started while GitHub was away')
  const sent = dispatches.filter(({ at }) => at >= backFrom)
  const stale = sent.find(({ body }) => inputsOf(body).model_version !== String(versions))
  if (stale) throw new Error(`not the newest version: ${JSON.stringify(stale.body)}`)
  const once = new Set(sent.map(modelOf)).size === targets
  if (!once || sent.length !== targets) throw new Error(`${sent.length} dispatches of ${targets} targets`)
  return sent
}

async function judgeLedger(reader: LedgerReader, taken: readonly string[], { targets }: Size): Promise<void> {
  const states = (await reader.promotions([...taken])).map(({ state }) => state)
  const newest = states.slice(-targets).filter((state) => state === 'deployed').length
  const others = states.slice(0, -targets).filter((state) => state === 'superseded').length
  if (newest !== targets || others !== taken.length - targets) {
    throw new Error(`of ${taken.length}, ${newest} newest are deployed and ${others} older superseded`)
  }
}

function isDispatch({ method, path }: LogEntry): boolean {
  return method === 'POST' && path.endsWith('/dispatches')
}

function isProbe({ method, path }: LogEntry): boolean {
  return method === 'GET' && path === '/repos/acme/models'
}

function modelOf({ body }: LogEntry): string {
  return inputsOf(body).model_name ?? ''
}

function inputsOf(body: unknown): Partial<Record<string, string>> {
  return (body as { inputs?: Record<string, string> } | undefined)?.inputs ?? {}
}

/** The most within any second. */
function densest(instants: readonly number[]): number {
  return Math.max(0, ...instants.map((at) => instants.filter((one) => one >= at && one < at + 1000).length))
}

function steering(url: string) {
  return async <T>(method: string, verb: string, body?: object): Promise<T> => {
    const sent = body ? { body: JSON.stringify(body) } : {}
    const response = await fetch(`${url}/_simulator/${verb}`, { method, ...sent })
    const text = await response.text()
    if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
}
