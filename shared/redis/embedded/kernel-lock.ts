// A lock between processes that the kernel drops when its holder ends, however it ends: no pid in a file to go
// stale or to be reused, nothing to take over, so no race in taking over.
// Node has no flock; its SQLite has, in portable form: a transaction on an empty database file holds the file's
// lock (shared by any number, or exclusive by one) and writes nothing. Connections of one process exclude each
// other as those of two do. Never open the lock file by other means: closing it would drop the lock (POSIX).
// Leaves to others: what the lock protects. It holds on one machine; a network drive may not keep it.
import { DatabaseSync } from 'node:sqlite'
import { type PollOptions, pollUntil } from './poll-until.ts'

export interface KernelLock {
  release(): void
}

export type LockMode = 'exclusive' | 'shared'

const SQLITE_BUSY = 5

/** The lock, or `undefined` when someone else's stands in its way. Throws when the file can't be opened. */
export function tryLock(file: string, mode: LockMode): KernelLock | undefined {
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA journal_mode = OFF')
    database.exec(mode === 'exclusive' ? 'BEGIN EXCLUSIVE' : 'BEGIN; SELECT count(*) FROM sqlite_master')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
  return {
    release: () => {
      if (database.isOpen) database.close()
    },
  }
}

/** Waits for the exclusive lock; `undefined` when time is up or the signal fired. `onWait` is called once. */
export async function waitForLock(
  file: string,
  { onWait, ...poll }: PollOptions & { onWait?: () => void } = {},
): Promise<KernelLock | undefined> {
  const lock = poll.signal?.aborted ? undefined : tryLock(file, 'exclusive')
  if (lock) return lock
  onWait?.()
  return pollUntil(() => tryLock(file, 'exclusive'), poll)
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return typeof code === 'number' && (code & 0xff) === SQLITE_BUSY
}
