// Adds up what the lanes left: fails if a test failed or was skipped, a lane ran none, or a step broke off.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [reports, brokenSteps, ...lanes] = process.argv.slice(2)
let passed = 0
let failed = Number(brokenSteps)
for (const lane of lanes) {
  const file = join(reports, `${lane}.json`)
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  const ran = report?.numPassedTests ?? 0
  const skipped = report === undefined ? 0 : report.numPendingTests + report.numTodoTests
  console.log(`${lane}: ${ran} passed, ${report?.numFailedTests ?? 0} failed, ${skipped} skipped`)
  passed += ran
  failed += report?.numFailedTests ?? 0
  if (report !== undefined && !report.success && report.numFailedTests === 0) failed += 1
  if (ran === 0) {
    console.log(`${lane}: no test ran`)
    failed += 1
  }
  const left = (report?.testResults ?? []).flatMap((file) =>
    file.assertionResults.filter((test) => ['pending', 'skipped', 'todo'].includes(test.status)),
  )
  for (const test of left) console.log(`${lane}: skipped: ${test.fullName}`)
  // The bare lane may lack what a later lane brings; in the last one nothing is left out.
  if (lane === lanes.at(-1) && left.length > 0) failed += left.length
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
