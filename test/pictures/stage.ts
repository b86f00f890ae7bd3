/** What a picture is taken of: a relay of its own as a process, in a directory of its own, and whatever else it needs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../support/until.ts'

export const ROOT = new URL('../../', import.meta.url).pathname

export interface Stage {
  /** A directory that is gone afterwards. */
  home: string
  /** What is to be done at the end, the last first. */
  undo: (() => unknown)[]
  start(command: string, args: string[], env?: Record<string, string>): { said(): string }
  close(): Promise<void>
}

export function openStage(): Stage {
  const home = mkdtempSync(join(tmpdir(), 'relay-picture-'))
  const undo: (() => unknown)[] = [() => rmSync(home, { recursive: true, force: true })]
  return {
    home,
    undo,
    start(command, args, env = {}) {
      const child = spawn(command, args, {
        cwd: ROOT,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      undo.push(() => end(child))
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      return { said: () => said }
    },
    async close() {
      for (const step of undo.reverse()) await step()
    },
  }
}

async function end(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

export interface Relay {
  url: string
  simulator: string
  token: string
  password: string
}

/** With everything of its own, the simulator too; settings beside those. */
export async function startRelay({ home, start }: Stage, env: Record<string, string> = {}): Promise<Relay> {
  const settings = { DATA_DIR: home, PORT: '0', LOG_LEVEL: 'error', ...env }
  const { said } = start(process.execPath, ['cli.ts', 'up'], settings)
  const address = (name: string) => new RegExp(`${name} +(http://[^/\\s]+)`).exec(said())?.[1]
  const [url, simulator] = await until(
    'the relay is up',
    () => {
      const found = [address('Metrics'), address('Simulator')] as const
      return found[0] && found[1] ? found : undefined
    },
    30_000,
  )
  const logIns = readFileSync(join(home, 'log-ins'), 'utf8')
  const named = (name: string) => new RegExp(`^${name}=(\\S+)$`, 'm').exec(logIns)?.[1] ?? ''
  return {
    url: url ?? '',
    simulator: simulator ?? '',
    token: named('RELAY_API_TOKEN'),
    password: named('OPS_PASSWORD'),
  }
}
