// What the relay costs while nothing is to be done: memory and processor time of each process, and of the Redis that they
// ask. In production form: `serve` and two of `work` of the built package, as npm and the image have
// it, and `up` of the checkout, as a newcomer has it; with their own pauses.
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Usage, usageOf } from '../process-usage.ts'
import { builtCli, settingsFor, withProcesses } from '../relay-processes.ts'
import type { Options, Result, Section } from '../section.ts'
import { short } from '../statistics.ts'

export const idle: Section = { name: 'idle', title: 'With nothing to do', run }

/** Imports and the first looks of every part are over, ms. */
const SETTLED_MS = 15_000
const WATCHED_MS = 30_000
const QUICK_MS = 2_000

interface Watched {
  name: string
  pid: number
}

async function run({ quick }: Options): Promise<Result> {
  const [settledMs, watchedMs] = quick ? [0, QUICK_MS] : [SETTLED_MS, WATCHED_MS]
  const cli = await builtCli()
  const apart = await watchApart(cli, settledMs, watchedMs)
  const together = await watchUp(settledMs, watchedMs)
  const rows = [...apart.rows, ...together.rows]
  const relays = rows.filter(({ name }) => RELAYS.includes(name))
  return {
    figures: Object.fromEntries([
      ...rows.flatMap(({ name, cpuPercent, residentMiB }) => [
        [`${name}.cpuPercent`, cpuPercent],
        [`${name}.residentMiB`, residentMiB],
      ]),
      ['redisCommandsPerSecond', apart.commandsPerSecond],
    ]),
    tables: [
      {
        title: `Over ${watchedMs / 1000} s with nothing to do`,
        columns: ['process', '% of a core', 'resident MiB'],
        rows: rows.map(({ name, cpuPercent, residentMiB }) => [
          WORDS[name] ?? name,
          short(cpuPercent),
          short(residentMiB),
        ]),
      },
    ],
    targets: relays.flatMap(({ name, cpuPercent, residentMiB }) => [
      { what: `${name}, processor`, value: cpuPercent, unit: '% of a core', atMost: 1 },
      { what: `${name}, memory`, value: residentMiB, unit: 'MiB', atMost: 150 },
    ]),
    notes: [
      'up is that of the checkout, where Node also keeps what strips the types; the others are of the built package.',
      `One server and two workers ask their Redis ${short(apart.commandsPerSecond)} times a second while nothing is to be done.`,
    ],
  }
}

const RELAYS = ['serve', 'work', 'work2', 'up']
const WORDS: Record<string, string> = {
  work2: 'work, a second one',
  redis: 'Redis of these three',
  upRedis: 'Redis of up',
  upSimulator: 'simulator of up',
}

interface Idle {
  name: string
  cpuPercent: number
  residentMiB: number
}

async function watchApart(cli: string, settledMs: number, watchedMs: number) {
  return withProcesses(async (processes) => {
    const redis = await processes.redis()
    const github = await processes.simulator()
    const env = settingsFor(redis.url, github.url)
    const [serve, work, work2] = await Promise.all([
      processes.serve(env),
      processes.work(env),
      processes.work(env),
    ])
    const connection = new Redis(redis.url)
    processes.atEnd(() => connection.disconnect())
    await pause(settledMs)
    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await connection.info('stats'))?.[1])
    const before = await commands()
    const rows = await watch(
      [
        { name: 'serve', pid: serve.program.pid },
        { name: 'work', pid: work.program.pid },
        { name: 'work2', pid: work2.program.pid },
        { name: 'redis', pid: redis.pid },
      ],
      watchedMs,
    )
    // Without the question itself.
    const commandsPerSecond = ((await commands()) - before - 1) / (watchedMs / 1000)
    return { rows, commandsPerSecond }
  }, cli)
}

/** As a newcomer has it: everything in one process, beside a Redis and a simulator that it has started. */
async function watchUp(settledMs: number, watchedMs: number) {
  return withProcesses(async ({ up }) => {
    const relay = await up()
    await pause(settledMs)
    const rows = await watch(
      [
        { name: 'up', pid: relay.relayPid },
        { name: 'upRedis', pid: relay.redisPid },
        { name: 'upSimulator', pid: relay.simulatorPid },
      ],
      watchedMs,
    )
    return { rows }
  })
}

async function watch(processes: readonly Watched[], watchedMs: number): Promise<Idle[]> {
  const before = processes.map(({ pid }) => usageOf(pid))
  const began = performance.now()
  await pause(watchedMs)
  const seconds = (performance.now() - began) / 1000
  return processes.map(({ name, pid }, n) => {
    const { cpuSeconds, residentMiB } = usageOf(pid)
    const spent = cpuSeconds - (before[n] as Usage).cpuSeconds
    return { name, cpuPercent: (spent / seconds) * 100, residentMiB }
  })
}
