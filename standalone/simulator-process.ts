/**
 * The GitHub simulator as a process beside `up`, started by path where it is there: nothing imports test/. It
 * ends with us, also when we are killed: its standard input closes then.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../test/github-simulator/main.ts', import.meta.url))

export interface SimulatorProcess {
  url: string
  stop(): Promise<void>
}

export const SIMULATED_REPOSITORY = { owner: 'simulated', name: 'models' }

/** undefined where the simulator isn't part of this installation. */
export async function startSimulatorProcess(dataDir: string): Promise<SimulatorProcess | undefined> {
  if (!existsSync(PROGRAM)) return undefined
  const { owner, name } = SIMULATED_REPOSITORY
  const life = ['--queued-ms', '1000', '--run-ms', '3000']
  const flags = ['--owner', owner, '--repo', name, '--data-dir', dataDir, ...life, '--exit-with-parent']
  const child = spawn(process.execPath, [PROGRAM, ...flags], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // Out of our process group: Ctrl-C must not end it before the relay is done with it.
    detached: true,
  })
  const url = await addressOf(child)
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout) {
      createInterface({ input: child.stdout }).once('line', (line) => {
        try {
          resolve((JSON.parse(line) as { url: string }).url)
        } catch {
          reject(new Error('the simulator did not say its address'))
        }
      })
    }
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the simulator ended at once (${code})`)))
  })
}
