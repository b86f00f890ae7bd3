/**
 * Notices that the npm which started this process is gone. npm runs a script by a shell, which hands no signal on:
 * SIGTERM to `npm start` ends npm and the shell, SIGKILL npm alone, and neither reaches us. Nobody would know of
 * the relay any more, and the next start would find its port taken.
 */
import { readFileSync } from 'node:fs'

const LOOK_EVERY_MS = 300

/** Calls `onGone` once, when npm or the shell between has ended. @returns ends the watch. */
export function watchParent(onGone: () => void): () => void {
  const parent = process.ppid
  const npm = isShellOfNpm(parent) ? parentOf(parent) : undefined
  const timer = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || parentOf(parent) === npm)) return
    clearInterval(timer)
    onGone()
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** Where the system's shell replaces itself by the command, npm is our parent; and so it is taken where no /proc tells. */
function isShellOfNpm(pid: number): boolean {
  const [program = '', flag] = fromProc(pid, 'cmdline').split('\0')
  return flag === '-c' && /sh$/.test(program)
}

function parentOf(pid: number): number | undefined {
  // `pid (name) state ppid …`, and the name may hold anything.
  const text = fromProc(pid, 'stat')
  const ppid = /^\S \d+/.exec(text.slice(text.lastIndexOf(')') + 2))?.[0].slice(2)
  return ppid === undefined ? undefined : Number(ppid)
}

function fromProc(pid: number, file: 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
