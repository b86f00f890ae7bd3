/**
 * What a running relay leaves in its data directory, so that the command line finds it: its address and pid in
 * `relay.json`, and generated log-ins in `log-ins` (mode 0600, since they are secrets).
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface RelayAddress {
  url: string
  pid: number
}

export interface LogIns {
  RELAY_API_TOKEN: string
  OPS_PASSWORD: string
}

export function writeRelayAddress(dataDir: string, address: RelayAddress): void {
  writeAtomically(join(dataDir, 'relay.json'), `${JSON.stringify(address)}\n`, 0o644)
}

/** Removed only by the relay that wrote it. */
export function removeRelayAddress(dataDir: string, pid: number): void {
  if (readRelayAddress(dataDir)?.pid === pid) rmSync(join(dataDir, 'relay.json'), { force: true })
}

/** undefined where no relay has run, or its file can't be read. */
export function readRelayAddress(dataDir: string): RelayAddress | undefined {
  try {
    const { url, pid } = JSON.parse(
      readFileSync(join(dataDir, 'relay.json'), 'utf8'),
    ) as Partial<RelayAddress>
    return typeof url === 'string' && typeof pid === 'number' ? { url, pid } : undefined
  } catch {
    return undefined
  }
}

export function logInsFile(dataDir: string): string {
  return join(dataDir, 'log-ins')
}

/** Generated at the first start, the same ever after. */
export function keepLogIns(dataDir: string): LogIns {
  const kept = readLogIns(dataDir)
  const secret = () => randomBytes(24).toString('base64url')
  const logIns = {
    RELAY_API_TOKEN: kept.RELAY_API_TOKEN ?? secret(),
    OPS_PASSWORD: kept.OPS_PASSWORD ?? secret(),
  }
  const text = Object.entries(logIns).map(([name, value]) => `${name}=${value}\n`)
  mkdirSync(dataDir, { recursive: true })
  writeAtomically(logInsFile(dataDir), text.join(''), 0o600)
  return logIns
}

export function readLogIns(dataDir: string): Partial<LogIns> {
  try {
    const lines = readFileSync(logInsFile(dataDir), 'utf8').split('\n')
    const entries = lines.flatMap((line) => {
      const [, name, value] = /^(RELAY_API_TOKEN|OPS_PASSWORD)=(\S+)$/.exec(line) ?? []
      return name && value ? [[name, value]] : []
    })
    return Object.fromEntries(entries) as Partial<LogIns>
  } catch {
    return {}
  }
}

function writeAtomically(path: string, text: string, mode: number): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode })
  renameSync(draft, path)
}
