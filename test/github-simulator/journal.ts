// An append-only file of JSON lines. A line is on its way to the disk before `append` returns, so a killed simulator
// forgets nothing it has answered; a last line cut off by the kill is dropped when the file is opened again.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface Journal {
  readonly found: readonly unknown[]
  append(entry: unknown): void
  close(): void
}

export function openJournal(dataDir: string | undefined, name: string): Journal {
  if (dataDir === undefined) return { found: [], append: () => {}, close: () => {} }
  mkdirSync(dataDir, { recursive: true })
  const file = join(dataDir, name)
  const found = existsSync(file) ? readWholeLines(file) : []
  const descriptor = openSync(file, 'a')
  let isOpen = true
  return {
    found,
    append: (entry) => {
      if (isOpen) writeSync(descriptor, `${JSON.stringify(entry)}\n`)
    },
    close: () => {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}

function readWholeLines(file: string): unknown[] {
  const bytes = readFileSync(file)
  const end = bytes.lastIndexOf('\n') + 1
  if (end < bytes.length) truncateSync(file, end)
  const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line): unknown => JSON.parse(line))
}
