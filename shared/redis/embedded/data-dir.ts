// The embedded Redis's own folder: what lies in it, under which names, and how it is written.
// Guarantees: the folder and its files are the user's alone (0700, 0600); a file is replaced whole or not at all;
// the password is made once and stays.
//   redis.conf      the server's configuration; its port is known before a server runs with it
//   password        what clients authenticate with
//   server.json     the server that runs now, or ran when everything was killed
//   redis.log, appendonlydir/    Redis's own
//   start.lock      held while a server is looked for, started or ended
//   users.lock      shared by every relay that uses the server
//   data-is-in-docker   there when the data are in a Docker volume instead of appendonlydir/
import { randomBytes } from 'node:crypto'
import { access, chmod, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

export interface DataDir {
  /** Absolute, with no symbolic link in it: two names of one folder are one folder. */
  path: string
  configFile: string
  passwordFile: string
  recordFile: string
  logFile: string
  startLock: string
  usersLock: string
  dockerMark: string
  appendOnlyDir: string
}

const serverRecord = z.object({
  origin: z.enum(['path', 'cache', 'apt', 'docker']),
  port: z.int().positive(),
  pid: z.int().positive().optional(),
  containerId: z.string().optional(),
  runId: z.string(),
  version: z.string(),
  startedAt: z.string(),
})

/** The running server, for people and for the next start. Never proof that it runs. */
export type ServerRecord = z.infer<typeof serverRecord>

export async function openDataDir(dataDir: string): Promise<DataDir> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const folder = await realpath(dataDir)
  await chmod(folder, 0o700)
  const at = (name: string) => path.join(folder, name)
  return {
    path: folder,
    configFile: at('redis.conf'),
    passwordFile: at('password'),
    recordFile: at('server.json'),
    logFile: at('redis.log'),
    startLock: at('start.lock'),
    usersLock: at('users.lock'),
    dockerMark: at('data-is-in-docker'),
    appendOnlyDir: at('appendonlydir'),
  }
}

/** Call it only under the start lock. */
export async function readOrMakePassword({ passwordFile }: DataDir): Promise<string> {
  const kept = (await readIfThere(passwordFile))?.trim()
  if (kept) return kept
  const password = randomBytes(24).toString('hex')
  await writePrivately(passwordFile, `${password}\n`)
  return password
}

export async function readRecord({ recordFile }: DataDir): Promise<ServerRecord | undefined> {
  try {
    return serverRecord.parse(JSON.parse((await readIfThere(recordFile)) ?? ''))
  } catch {
    return undefined
  }
}

export function writeRecord({ recordFile }: DataDir, record: ServerRecord): Promise<void> {
  return writePrivately(recordFile, `${JSON.stringify(record, null, 2)}\n`)
}

export function clearRecord({ recordFile }: DataDir): Promise<void> {
  return rm(recordFile, { force: true })
}

export async function writePrivately(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.new`
  await writeFile(unfinished, text, { mode: 0o600 })
  await rename(unfinished, file)
}

export function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

export function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
