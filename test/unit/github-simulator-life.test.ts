// The life of a simulated run: by the clock, cancelled, re-run, held.
import { describe, expect, test } from 'vitest'
import { CANCELLING_MS, type RunRecord, stateAt } from '../github-simulator/run-life.ts'
import { eventually, LONG, REPO, simulatorOf } from '../support/simulator.ts'

describe('the life of a run', () => {
  const run: RunRecord = {
    id: 1,
    runNumber: 1,
    createdAt: 1000,
    workflow: 'cd.yml',
    ref: 'main',
    headSha: '',
    inputs: {},
    displayTitle: '',
    runAttempt: 1,
    attemptStartedAt: 1000,
    lifeFrom: 1000,
    queuedMs: 200,
    runMs: 800,
    plannedConclusion: 'success',
    held: null,
    cancelAt: null,
    ended: null,
  }

  test('follows the clock alone', () => {
    expect(stateAt(run, 1199)).toEqual({ status: 'queued', conclusion: null, since: 1000 })
    expect(stateAt(run, 1200)).toEqual({ status: 'in_progress', conclusion: null, since: 1200 })
    expect(stateAt(run, 2000)).toEqual({ status: 'completed', conclusion: 'success', since: 2000 })
  })

  test('a cancellation that comes too late changes nothing', () => {
    expect(stateAt({ ...run, cancelAt: 1500 }, 1600)).toMatchObject({ conclusion: 'cancelled', since: 1500 })
    expect(stateAt({ ...run, cancelAt: 2100 }, 2200)).toMatchObject({ conclusion: 'success', since: 2000 })
  })

  test('goes from queued to completed', async () => {
    const { simulator, start } = await simulatorOf({ queuedMs: 300, runMs: 300, conclusion: 'failure' })
    await start()
    expect(simulator.runs[0]?.status).toBe('queued')
    await eventually(() => simulator.runs[0]?.status).toBe('in_progress')
    await eventually(() => simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'failure' })
  })

  test('a cancelled run is completed shortly after, and cannot be cancelled again', async () => {
    const { simulator, post, start } = await simulatorOf(LONG)
    const path = `${REPO}/actions/runs/${await start()}/cancel`
    expect((await post(path)).status).toBe(202)
    await eventually(() => simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'cancelled' })
    const again = await post(path)
    expect(again.status).toBe(409)
    expect(again.json.message).toBe('Cannot cancel a workflow run that is completed.')
    expect(CANCELLING_MS).toBeLessThan(1000)
  })

  test('a re-run keeps the id, raises the attempt and lives anew', async () => {
    const { simulator, post, start } = await simulatorOf(LONG)
    const id = await start()
    expect((await post(`${REPO}/actions/runs/${id}/rerun`)).status).toBe(403)
    simulator.complete(id, 'failure')
    expect((await post(`${REPO}/actions/runs/${id}/rerun`)).status).toBe(201)
    expect(simulator.runs).toMatchObject([{ id, runAttempt: 2, status: 'in_progress', conclusion: null }])
  })

  test('a held run stays until it is ended by hand', async () => {
    const { simulator, start } = await simulatorOf({ queuedMs: 0, runMs: 0 })
    simulator.hold(undefined, 'waiting')
    const id = await start()
    expect(simulator.runs[0]).toMatchObject({ status: 'waiting', conclusion: null })
    simulator.complete(id, 'timed_out')
    expect(simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'timed_out' })
    expect(() => simulator.complete(1)).toThrow('no run 1')
  })

  test('a held run can be cancelled, or released to go on', async () => {
    const { simulator, post, start } = await simulatorOf({ queuedMs: 0, runMs: 60_000 })
    const [first, second] = [await start(), await start()]
    simulator.hold(first)
    simulator.hold(second)
    await post(`${REPO}/actions/runs/${first}/cancel`)
    await eventually(() => simulator.runs[0]?.conclusion).toBe('cancelled')
    simulator.release()
    expect(simulator.runs[1]?.status).toBe('in_progress')
  })

  test('a changed life is that of later runs', async () => {
    const { simulator, start } = await simulatorOf(LONG)
    await start()
    simulator.setLife({ queuedMs: 0, runMs: 0, conclusion: 'failure' })
    await start()
    expect(simulator.runs.map((run) => run.conclusion)).toEqual([null, 'failure'])
  })
})
