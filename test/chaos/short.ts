// `npm run chaos:short`, for CI: small runs by several seeds, some beside each other, with and without run-name. About
// two minutes on two cores. One line a seed, then the kinds of faults that found no occasion in so short a time: only the
// long run demands each. Ends with `N passed, N failed`.
import { type ChildProcess, execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs, promisify } from 'node:util'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import { type ChaosResult, lineOf, tableOf } from './report.ts'

const { values } = parseArgs({
  options: {
    /** The first of them; another one each day finds more than the same each time. */
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '4' },
    beside: { type: 'string', default: '2' },
    /** Where to leave the result as vitest leaves its own, for `.ci/verdict.mjs`. */
    report: { type: 'string' },
  },
})
const SMALL = ['--promotions', '450', '--targets', '30', '--workers', '3', '--seconds', '30', '--pace', '40']
const LONGEST_MS = 4 * 60_000

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

interface Shown {
  seed: number
  line: string
  passed: boolean
  struck: FaultKind[]
}

async function run(seed: number): Promise<Shown> {
  const main = new URL('./main.ts', import.meta.url).pathname
  const runName = seed % 4 === 0 ? 'without' : 'with'
  const args = [main, ...SMALL, '--seed', String(seed), '--run-name', runName, '--json']
  const started = promisify(execFile)(process.execPath, args, { timeout: LONGEST_MS, maxBuffer: 2 ** 28 })
  running.add(started.child)
  try {
    // A run that failed ends with 1, and shows all the same what it found.
    const { stdout, stderr } = await started.catch((error: { stdout: string; stderr: string }) => error)
    if (stdout === '')
      return { seed, line: `FAILED  seed ${seed}: ${stderr.trim()}`, passed: false, struck: [] }
    const result = JSON.parse(stdout) as ChaosResult
    const struck = result.columns.flatMap((column) => Object.keys(column.struck) as FaultKind[])
    const line = `${lineOf(result)}, ${runName} run-name`
    return { seed, line: result.passed ? line : `${line}\n${tableOf(result)}`, passed: result.passed, struck }
  } finally {
    running.delete(started.child)
  }
}

const first = Number(values.seed)
const waiting = Array.from({ length: Number(values.seeds) }, (_, index) => first + index)
const shown: Shown[] = []
async function lane() {
  for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
    const one = await run(seed)
    shown.push(one)
    process.stdout.write(`${one.line}\n`)
  }
}
await Promise.all(Array.from({ length: Number(values.beside) }, lane))

const struck = new Set(shown.flatMap((one) => one.struck))
const left = (Object.keys(FAULT_KINDS) as FaultKind[]).filter((kind) => !struck.has(kind))
process.stdout.write(
  left.length === 0
    ? `every one of the ${struck.size} kinds of faults struck\n`
    : `not struck in these short runs: ${left.join(' ')}\n`,
)
const failed = shown.filter((one) => !one.passed).length
process.stdout.write(`${shown.length - failed} passed, ${failed} failed\n`)
if (values.report) writeFileSync(values.report, JSON.stringify(asTests()))
process.exitCode = failed === 0 ? 0 : 1

function asTests() {
  const assertionResults = shown.map(({ seed, passed }) => ({
    fullName: `nothing is lost, doubled, stale or stuck by seed ${seed}`,
    status: passed ? 'passed' : 'failed',
  }))
  return { success: failed === 0, testResults: [{ name: import.meta.filename, assertionResults }] }
}
