/** What a command prints on a terminal, as a page: its colours and nothing else of its escapes. */
import { execFileSync } from 'node:child_process'
import { type Html, html } from '../../shared/html.ts'
import { ROOT } from './stage.ts'

/** Runs it on a terminal of so many columns. @returns what came, escapes and all */
export function typed(args: readonly string[], env: Record<string, string>, columns = 100): string {
  const command = [process.execPath, 'cli.ts', ...args].map((word) => `'${word}'`).join(' ')
  return execFileSync('script', ['-qec', `stty cols ${columns} rows 40; ${command}`, '/dev/null'], {
    cwd: ROOT,
    env: { ...process.env, TERM: 'xterm-256color', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

const ESCAPE = '\u001b'
const PIECES = new RegExp(`${ESCAPE}\\[([\\d;?]*)([A-Za-z])([^${ESCAPE}]*)`, 'g')

/** Of the colours those that are used: `styleText` of Node. */
function painted(text: string): Html[] {
  const [plain = ''] = text.split(ESCAPE, 1)
  const on = new Set<string>()
  const pieces = [...text.matchAll(PIECES)].map(([, codes = '', kind, after = '']) => {
    if (kind === 'm') for (const code of codes.split(';')) turn(on, code)
    const names = [...on].map((code) => `c${code}`).join(' ')
    return html`<span class="${names}">${after}</span>`
  })
  return [html`${plain}`, ...pieces]
}

function turn(on: Set<string>, code: string): void {
  const ends: Record<string, string[]> = {
    '': [...on],
    0: [...on],
    22: ['1', '2'],
    24: ['4'],
    39: [...on].filter((one) => /^(3|9)\d$/.test(one)),
  }
  const ended = ends[code]
  if (!ended) on.add(code)
  else for (const one of ended) on.delete(one)
}

export function terminalPage(shown: readonly { command: string; output: string }[]): string {
  return html`<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 18px 22px; background: #14181d; color: #dde3ea; width: max-content }
pre { margin: 0; font: 14px/1.45 ui-monospace, "DejaVu Sans Mono", monospace } b { color: #7ab7f5; font-weight: 600 }
.c1 { font-weight: 700 } .c2, .c90 { color: #8b96a3 } .c31, .c91 { color: #ff938a } .c32, .c92 { color: #6fd08c } .c33, .c93 { color: #f0b55f }
.c34, .c36, .c94, .c96 { color: #7ab7f5 } .c35, .c95 { color: #d2a8ff }
</style><pre>${shown.map(
    ({ command, output }) => html`<b>$ ${command}</b>
${painted(output.replaceAll('\r', '').trimEnd())}

`,
  )}</pre>`.toString()
}
