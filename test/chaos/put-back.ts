// Rollbacks, held against the runs: what was put back, and in place of what. Pure.
import type { Ended, Fault, RunSeen } from './verdict.ts'

/** Only a failure is put right, never that of a rollback, and by a version that has succeeded before. */
export function wronglyPutBack(runs: readonly RunSeen[], known: ReadonlyMap<string, Ended>): Fault[] {
  return [...known.values()].flatMap(({ id, parent, target, version }) => {
    const failed = known.get(parent ?? '')
    if (!failed) return []
    const isLive = runs.some(({ promotionId, ends }) => {
      const one = known.get(promotionId)
      const succeeds = ends.some(({ conclusion }) => conclusion === 'success')
      return one?.target === target && one.version === version && one.id !== id && succeeds
    })
    if (failed.rollback) return { promotionId: id, why: `rolls back ${parent}, a rollback` }
    if (!['failed', 'timed_out'].includes(failed.state))
      return { promotionId: id, why: `rolls back ${parent}, which is ${failed.state}` }
    return isLive ? [] : { promotionId: id, why: `puts back ${version}, which was never live` }
  })
}
