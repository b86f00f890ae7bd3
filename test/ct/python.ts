/**
 * The Python of the training pipelines: virtual environments with MLflow, Prefect and scikit-learn, and with Airflow, which
 * can't live in one. Made once for each list of requirements and Python, and kept in the user's cache.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitForLock } from '../../shared/redis/embedded/kernel-lock.ts'
import { within } from '../../shared/redis/embedded/poll-until.ts'

export type Prepared =
  | { ok: true; python: string }
  /** PyPI does not answer, and nothing is there from before. */
  | { ok: false; isSkipped: true; reason: string }
  | { ok: false; isSkipped: false; reason: string }

const OLDEST = [3, 10]
/** Some 150 packages each, which another run may be installing. */
const ANOTHER_INSTALLS_WITHIN_MS = 30 * 60_000

/** @param list such as `requirements.txt`, beside this file */
export async function preparePython(list: string, say: (line: string) => void): Promise<Prepared> {
  const requirements = fileURLToPath(new URL(list, import.meta.url))
  const base = process.env.PYTHON || 'python3'
  const asked = call(base, ['-c', 'import sys; print(*sys.version_info[:3])'])
  const version = asked.stdout.trim().split(' ').map(Number)
  if (asked.status !== 0) return failed(`${base} can't be run: ${asked.error?.message ?? asked.stderr}`)
  if (isOlder(version, OLDEST))
    return failed(
      `${base} is ${version.join('.')}, and MLflow and Airflow need ${OLDEST.join('.')}: set PYTHON`,
    )

  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache')
  const key = createHash('sha256')
    .update(`${version.join('.')}\n${readFileSync(requirements)}`)
    .digest('hex')
  const dir = path.join(cache, 'promotion-relay', `ct-${key.slice(0, 12)}`)
  const python = path.join(dir, 'bin', 'python')
  const complete = path.join(dir, 'complete')
  if (existsSync(complete)) return { ok: true, python }

  mkdirSync(path.dirname(dir), { recursive: true })
  const waiting = () => say(`Another run installs ${list}; waiting for it…`)
  const lock = await waitForLock(`${dir}.lock`, {
    deadlineAt: within(ANOTHER_INSTALLS_WITHIN_MS),
    onWait: waiting,
  })
  if (!lock) return failed(`another run holds ${dir}.lock`)
  try {
    if (existsSync(complete)) return { ok: true, python }
    // Of a run that was ended in the midst of it.
    rmSync(dir, { recursive: true, force: true })
    say(`Installing ${list} into ${dir}: a minute or more, once`)
    const made = call(base, ['-m', 'venv', dir])
    if (made.status !== 0) return failed(`no virtual environment can be made: ${made.stdout}${made.stderr}`)
    const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', '--retries', '1']
    const probe = call(python, [...pip, 'download', '--no-deps', '--dest', path.join(dir, 'probe'), 'wheel'])
    if (probe.status !== 0) return { ok: false, isSkipped: true, reason: lastLine(probe.stderr) }
    const installed = call(python, [...pip, '--retries', '5', 'install', '-r', requirements])
    if (installed.status !== 0) return failed(`pip could not install ${requirements}:\n${installed.stderr}`)
    writeFileSync(complete, '')
    return { ok: true, python }
  } finally {
    lock.release()
  }
}

function call(command: string, args: readonly string[]) {
  return spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function failed(reason: string): Prepared {
  return { ok: false, isSkipped: false, reason }
}

function isOlder(
  [major = 0, minor = 0]: readonly number[],
  [needed = 0, neededMinor = 0]: readonly number[],
) {
  return major < needed || (major === needed && minor < neededMinor)
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
