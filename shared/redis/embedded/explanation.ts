// What a person reads when no Redis could be had: one block, each thing looked for and why it didn't do, then the
// line to run.
// Guarantees: no secret, and no line to run that is known not to help.
import type { Link, Miss } from './find-server.ts'

export interface LinkMiss extends Miss {
  link: Link
}

const LOOKED_FOR: Record<Link, string> = {
  path: 'redis-server or valkey-server on PATH',
  cache: 'a private copy of an earlier start',
  apt: "a private copy from the distribution's packages",
  docker: 'Docker',
}

export function explainMisses(misses: readonly LinkMiss[]): string {
  const cures = [...new Set(misses.flatMap(({ cure }) => cure ?? []))]
  return [
    'There is no Redis to run on: REDIS_URL is not set, and nothing on this machine would do.',
    ...misses.map(({ link, reason }) => `  - ${LOOKED_FOR[link]}: ${reason}`),
    'Do one of these, then start again:',
    ...(cures.length > 0
      ? cures
      : ['install Redis or Valkey, 7 or newer, so that redis-server is on PATH']
    ).map((cure) => `  ${cure}`),
    '  or set REDIS_URL, for example REDIS_URL=redis://127.0.0.1:6379',
  ].join('\n')
}

export function explainMute(dataDir: string, pids: readonly number[], kind: 'mute' | 'denied'): string {
  const does = kind === 'mute' ? 'does not answer' : 'wants another password than the one kept there'
  return [
    `A Redis server already runs on ${dataDir} (process ${pids.join(', ')}), and ${does}.`,
    'A second one beside it would damage the data, so none was started. End it, then start again:',
    `  kill ${pids.join(' ')}`,
  ].join('\n')
}

export function explainUnusable(dataDir: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return [
    `The embedded Redis can't use its data directory ${dataDir}: ${reason}`,
    'Make it writable, or set DATA_DIR to a directory that is; or set REDIS_URL to a Redis of yours.',
  ].join('\n')
}

export const STOPPED = 'Starting Redis was stopped.'
