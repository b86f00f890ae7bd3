// The processes that run on one data directory, by what the kernel tells of them: a server's command line names
// its configuration file. Needs no state file, and a pid that another program has got since doesn't mislead it.
// Guarantees: a server that runs is found, also one that doesn't answer; an ended one not yet reaped is not.
// Leaves to others: whether it answers. A forked child of a server (it rewrites the AOF) is found too.
// Sees this machine's (or container's) processes only.
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { runCommand } from './run-command.ts'

const SERVER = /^(redis|valkey)-(server|check-rdb)$/

export async function findServerProcesses(configFile: string): Promise<number[]> {
  return process.platform === 'linux' ? fromProc(configFile) : fromPs(configFile)
}

async function fromProc(configFile: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids
    .filter((_, index) => {
      const [command = '', ...args] = (lines[index] ?? '').split('\0')
      return SERVER.test(path.basename(command)) && args.includes(configFile)
    })
    .map(Number)
}

async function fromPs(configFile: string): Promise<number[]> {
  const options = { env: { PATH: '/bin:/usr/bin' }, timeoutMs: 10_000 }
  const { stdout } = await runCommand('ps', ['-axww', '-o', 'pid=,command='], options)
  return stdout.split('\n').flatMap((line) => {
    const [, pid, command = ''] = /^\s*(\d+) (.*)$/.exec(line) ?? []
    const before = command.indexOf(` ${configFile}`)
    if (!pid || before < 0 || !SERVER.test(path.basename(command.slice(0, before)))) return []
    return [Number(pid)]
  })
}
