/** Which Redis a diagnosis is about: that of the settings, else the one that `up` runs in its data directory. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Settings } from '../../shared/config.ts'
import { type Secret, secretFromValue } from '../../shared/secret.ts'

export interface FoundRedis {
  url: string
  /** Its password, for the redactor. */
  secrets: Secret[]
}

export function findRedis({ REDIS_URL: named, DATA_DIR: dataDir }: Settings): FoundRedis | undefined {
  if (named) return { url: named.read(), secrets: [] }
  // Real data and simulated data lie apart: see `up`.
  return embeddedAt(path.join(dataDir, 'redis')) ?? embeddedAt(path.join(dataDir, 'simulated', 'redis'))
}

/** As `shared/redis/embedded/data-dir.ts` lays them down. */
function embeddedAt(folder: string): FoundRedis | undefined {
  try {
    const { port } = JSON.parse(readFileSync(path.join(folder, 'server.json'), 'utf8')) as { port?: unknown }
    const password = readFileSync(path.join(folder, 'password'), 'utf8').trim()
    if (typeof port !== 'number') return undefined
    return {
      url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}/0`,
      secrets: [secretFromValue('password of the embedded Redis', password)],
    }
  } catch {
    return undefined
  }
}
