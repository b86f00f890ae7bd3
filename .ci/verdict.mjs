// Adds up what the lanes left, and says which tests failed and why. It fails if a test failed, if a lane ran none, if a step broke off, or if a test was
// skipped in every lane: what one lane lacks (Docker, say) another brings.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// Needs a Node that is too old to run anything else here.
const MAY_BE_SKIPPED = /an old(er)? Node/i

const [reports, brokenSteps, ...lanes] = process.argv.slice(2)
let passed = 0
let failed = Number(brokenSteps)
const done = new Set()
const skipped = new Map()
// The end of a long output is what is read of it: a failure is told there once more, in a few lines.
const say = (name, messages = []) => {
  console.log(`  failed: ${name.replace(`${process.cwd()}/`, '')}`)
  for (const line of messages.join('\n').split('\n').slice(0, 12)) console.log(`    ${line.slice(0, 300)}`)
}
for (const lane of lanes) {
  const file = join(reports, `${lane}.json`)
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  const tests = (report?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ ...test, id: `${name} ${test.fullName}` })),
  )
  const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status))
  const left = count('pending', 'skipped', 'todo', 'disabled')
  const ran = count('passed')
  const broken = count('failed')
  for (const { id } of ran) done.add(id)
  for (const { id, fullName } of left) skipped.set(id, `${lane}: ${fullName}`)
  console.log(`${lane}: ${ran.length} passed, ${broken.length} failed, ${left.length} skipped`)
  passed += ran.length
  failed += broken.length
  for (const { id, failureMessages } of broken) say(id, failureMessages)
  if (ran.length === 0) {
    console.log(`${lane}: no test ran`)
    failed += 1
  }
  // A file that can't be loaded, or an error outside a test.
  if (report && !report.success && broken.length === 0) {
    failed += 1
    for (const { name, status, message } of report.testResults) if (status === 'failed') say(name, [message])
  }
}
for (const [id, name] of skipped) {
  if (done.has(id)) continue
  const allowed = MAY_BE_SKIPPED.test(name)
  console.log(`${allowed ? 'skipped' : 'skipped everywhere, which counts as failed'}: ${name}`)
  if (!allowed) failed += 1
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
