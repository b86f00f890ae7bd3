// The processes, workers or a server: one slot each, started again at once when its process ends, struck by pid. What ends by
// itself, unstruck, is a fault of the product. Nothing outlives the harness: not stopped ones either.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import type { StruckWorker } from './needless.ts'
import { STOP_AT_CONNECT, STOPPED } from './stop-at-connect.ts'

export interface Slot {
  readonly number: number
  /** Of the process that runs now: `w2.5` is the fifth of slot 2, a worker. */
  readonly name: string
  readonly isStopped: boolean
  kill(): void
  terminate(): void
  stop(): void
  /** Has it stop by itself, at the connection for its next dispatch; see `stop-at-connect.ts`. */
  stopAtConnect(): void
  goOn(): void
}

export interface Fleet {
  readonly slots: readonly Slot[]
  /** Ends that nobody ordered, in words. */
  readonly crashes: readonly string[]
  /** Every strike at a process, with its name. */
  readonly struck: readonly StruckWorker[]
  /** Every slot has a process that says it is ready. */
  ready(): Promise<void>
  /** For good. */
  end(): Promise<void>
}

export interface FleetOptions {
  program: URL
  letter: 'w' | 's'
  count: number
  /** What the program is given as its one argument, as JSON. */
  optionsFor(slot: number, name: string): object
  logDir: string
  /** A worker has stopped by itself. */
  stoppedItself?(slot: number): void
  /** Its first word, when it is ready. */
  said?(word: string): void
}

/** By itself, since it made no progress: allowed. */
export const WATCHDOG_EXIT = 75

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export function startFleet({ program, letter, count, optionsFor, logDir, ...heard }: FleetOptions): Fleet {
  mkdirSync(logDir, { recursive: true })
  const crashes: string[] = []
  const struck: StruckWorker[] = []
  let isEnding = false
  const slots = Array.from({ length: count }, (_, index) => openSlot(index + 1))

  function openSlot(number: number) {
    let generation = 0
    let isStopped = false
    let isStruck = false
    const nameNow = () => `${letter}${number}.${generation}`
    let child = run()
    const ready = firstWord(child)

    function run(): ChildProcess {
      generation++
      isStopped = false
      isStruck = false
      const name = nameNow()
      const log = openSync(path.join(logDir, `${name}.log`), 'a')
      const one = spawn(process.execPath, [program.pathname, JSON.stringify(optionsFor(number, name))], {
        stdio: ['ignore', log, log, 'ipc'],
        env: {},
      })
      closeSync(log)
      living.add(one)
      one.on('message', (word) => {
        if (word !== STOPPED) return heard.said?.(String(word))
        note()
        isStopped = true
        heard.stoppedItself?.(number)
      })
      one.once('exit', (code, signal) => {
        living.delete(one)
        if (isEnding) return
        if (!isStruck && code !== WATCHDOG_EXIT) crashes.push(`${name} ended by itself: ${signal ?? code}`)
        child = run()
      })
      return one
    }

    return {
      number,
      get name() {
        return nameNow()
      },
      get isStopped() {
        return isStopped
      },
      get child() {
        return child
      },
      get ready() {
        return ready
      },
      kill: () => strike('SIGKILL'),
      terminate: () => strike('SIGTERM'),
      stop() {
        note()
        isStopped = true
        child.kill('SIGSTOP')
      },
      stopAtConnect: () => void child.send(STOP_AT_CONNECT),
      goOn() {
        note()
        isStopped = false
        child.kill('SIGCONT')
      },
    }

    function note() {
      struck.push({ worker: nameNow(), at: Date.now() })
    }

    function strike(signal: NodeJS.Signals) {
      note()
      isStruck = true
      child.kill(signal)
    }
  }

  /** Of the first of its slot: whoever comes later is waited for by nobody. */
  async function firstWord(child: ChildProcess) {
    const ended = once(child, 'exit').then(() => {
      throw new Error(`${program.pathname} ends before it is ready: its log is in ${logDir}`)
    })
    await Promise.race([once(child, 'message'), ended])
  }

  return {
    slots,
    crashes,
    struck,
    ready: async () => {
      await Promise.all(slots.map((slot) => slot.ready))
    },
    async end() {
      isEnding = true
      const ended = slots.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill('SIGKILL')
        await once(child, 'exit')
      })
      await Promise.all(ended)
    },
  }
}
