/** The documents as a test reads them: fenced blocks, code spans, tables. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './up.ts'

/** Paths from the root of the checkout. */
export const DOCS: readonly string[] = [
  'README.md',
  ...readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'docs/examples/README.md',
]

/** Files beside their index. */
export const EXAMPLES: readonly string[] = readdirSync(path.join(ROOT, 'docs', 'examples')).filter(
  (name) => name !== 'README.md',
)

/** Its path: whoever asks for it runs it. @throws when there is none of this name */
export function exampleOf(name: string): string {
  if (!EXAMPLES.includes(name)) throw new Error(`docs/examples has no ${name}`)
  return `docs/examples/${name}`
}

export interface Block {
  file: string
  /** Of its fence, from 1. */
  line: number
  language: string
  /** From `test=…` on its fence: what the test that runs it calls it. */
  label: string | undefined
  text: string
}

export function textOf(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8')
}

export function blocksOf(file: string): Block[] {
  const fence = /^( *)```(\w*)(?: +test=(\S+))? *\n([\s\S]*?)^ *``` *$/gm
  const text = textOf(file)
  return [...text.matchAll(fence)].map(
    ({ index, 1: indent = '', 2: language = '', 3: label, 4: body = '' }) => ({
      file,
      line: text.slice(0, index).split('\n').length,
      language,
      label,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  )
}

/** @throws when the document has no such block, or several. */
export function blockOf(file: string, label: string): string {
  const [block, ...more] = blocksOf(file).filter((one) => one.label === label)
  if (!block || more.length > 0)
    throw new Error(`${file} has ${block ? 'several' : 'no'} blocks test=${label}`)
  return block.text
}

/** What stands between blocks. */
export function proseOf(file: string): string {
  return textOf(file).replaceAll(/^ *```[\s\S]*?^ *``` *$/gm, '')
}

export function codeSpansIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code.replaceAll('\\|', '|'))
}

/** Rows of the tables whose header begins with this cell, as cells. @throws when there is none */
export function tableOf(file: string, firstHeader: string): string[][] {
  const lines = proseOf(file).split('\n')
  const rows: string[][] = []
  for (const [at, line] of lines.entries()) {
    if (cellsOf(line)[0] !== firstHeader || !/^\|[-|]+\|$/.test(lines[at + 1] ?? '')) continue
    for (const row of lines.slice(at + 2)) {
      if (!row.startsWith('|')) break
      rows.push(cellsOf(row))
    }
  }
  if (rows.length === 0) throw new Error(`${file} has no table of ${firstHeader}`)
  return rows
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim())
}
