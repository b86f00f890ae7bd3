// Runs of the simulator that wait: for a reviewer of their environment, for their turn in a concurrency group.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openRunBook } from '../github-simulator/run-book.ts'
import { type Concurrency, settle, workflowOf } from '../github-simulator/settings.ts'
import type { SimulatorOptions } from '../github-simulator/simulator.ts'
import { eventually, LONG, REPO, simulatorOf } from '../support/simulator.ts'

const FILE = 'cd_pipeline.yml'

describe('a run whose environment has reviewers', () => {
  const reviewed: SimulatorOptions = { ...LONG, workflows: [{ file: FILE, needsApproval: true }] }

  test('is waiting, and starts at once when it is approved', async () => {
    const { simulator, start } = await simulatorOf(reviewed)
    const id = await start()
    expect(simulator.runs[0]?.status).toBe('waiting')
    simulator.approve(id)
    expect(simulator.runs[0]?.status).toBe('in_progress')
    expect(() => simulator.approve(id)).toThrow(`no run ${id} waits for a reviewer`)
  })

  test('is queued before, and cannot be approved yet', async () => {
    const { simulator, start } = await simulatorOf({ ...reviewed, queuedMs: 60_000 })
    const id = await start()
    expect(simulator.runs[0]?.status).toBe('queued')
    expect(() => simulator.approve(id)).toThrow(`no run ${id} waits for a reviewer`)
  })

  test('can be cancelled while it waits', async () => {
    const { simulator, post, start } = await simulatorOf(reviewed)
    const id = await start()
    await post(`${REPO}/actions/runs/${id}/cancel`)
    await eventually(() => simulator.runs[0]).toMatchObject({ status: 'completed', conclusion: 'cancelled' })
    expect(() => simulator.approve(id)).toThrow(`no run ${id} waits for a reviewer`)
  })

  test('waits again in its next attempt', async () => {
    const { simulator, post, start } = await simulatorOf(reviewed)
    const id = await start()
    simulator.complete(id, 'failure')
    await post(`${REPO}/actions/runs/${id}/rerun`)
    expect(simulator.runs[0]).toMatchObject({ status: 'waiting', runAttempt: 2 })
  })

  test('is approved over HTTP, also where it waits because a test said so', async () => {
    const { simulator, post, start } = await simulatorOf(LONG)
    simulator.hold(undefined, 'waiting')
    const id = await start()
    expect((await post(`/_simulator/runs/${id}/approve`)).status).toBe(204)
    expect(simulator.runs[0]?.status).toBe('in_progress')
    expect((await post(`/_simulator/runs/${id}/approve`)).status).toBe(404)
  })
})

describe('a concurrency group', () => {
  const byModel: Concurrency = { group: ({ model_name = '' }) => `deploy-${model_name}` }
  const grouped = (concurrency = byModel): SimulatorOptions => ({
    ...LONG,
    workflows: [
      { file: FILE, concurrency },
      { file: 'other.yml', concurrency },
    ],
  })
  const of = (model: string, version = '1') => ({ model_name: model, model_version: version })

  test('has one run under way; the next is pending until that one has completed', async () => {
    const { simulator, start } = await simulatorOf(grouped())
    const first = await start(of('a', '1'))
    await start(of('a', '2'))
    expect(simulator.runs.map((run) => run.status)).toEqual(['in_progress', 'pending'])
    simulator.complete(first)
    expect(simulator.runs.map((run) => run.status)).toEqual(['completed', 'in_progress'])
  })

  test('has one pending run: a newer one takes its place, and it is cancelled', async () => {
    const { simulator, start } = await simulatorOf(grouped())
    for (const version of ['1', '2', '3']) await start(of('a', version))
    expect(simulator.runs).toMatchObject([
      { status: 'in_progress' },
      { status: 'completed', conclusion: 'cancelled' },
      { status: 'pending' },
    ])
  })

  test('does not stand in the way of other groups; its name has no case and no workflow', async () => {
    const { simulator, start, post } = await simulatorOf(grouped())
    await start(of('a'))
    await start(of('b'))
    await post(`${REPO}/actions/workflows/other.yml/dispatches`, { body: { ref: 'main', inputs: of('A') } })
    expect(simulator.runs.map((run) => run.status)).toEqual(['in_progress', 'in_progress', 'pending'])
  })

  test('gives the turn at the instant at which it came, however late somebody looks', () => {
    let now = 1_000
    const settings = settle({ ...grouped(), runMs: 300 })
    const book = openRunBook(settings, () => now)
    for (const version of ['1', '2', '3'])
      book.create(workflowOf({ workflow: FILE }, settings), 'main', of('a', version))
    now = 100_000
    expect(book.all().map((run) => [run.conclusion, run.updatedAt])).toEqual([
      ['success', 1_300],
      ['cancelled', 1_000],
      ['success', 1_600],
    ])
  })

  test('passes over a pending run that was cancelled', async () => {
    const { simulator, start, post } = await simulatorOf(grouped())
    const first = await start(of('a', '1'))
    await post(`${REPO}/actions/runs/${await start(of('a', '2'))}/cancel`)
    await eventually(() => simulator.runs[1]?.conclusion).toBe('cancelled')
    simulator.complete(first)
    await start(of('a', '3'))
    expect(simulator.runs.map((run) => run.status)).toEqual(['completed', 'completed', 'in_progress'])
  })

  test('counts a run that waits for a reviewer as the one under way', async () => {
    const { simulator, start } = await simulatorOf(grouped())
    simulator.setWorkflow(FILE, { needsApproval: true })
    for (const version of ['1', '2']) await start(of('a', version))
    expect(simulator.runs.map((run) => run.status)).toEqual(['waiting', 'pending'])
  })

  test('lets a re-run wait for its turn as well', async () => {
    const { simulator, start, post } = await simulatorOf(grouped())
    const first = await start(of('a', '1'))
    simulator.complete(first, 'failure')
    const second = await start(of('a', '2'))
    await post(`${REPO}/actions/runs/${first}/rerun`)
    expect(simulator.runs.map((run) => run.status)).toEqual(['pending', 'in_progress'])
    simulator.complete(second)
    expect(simulator.runs[0]).toMatchObject({ status: 'in_progress', runAttempt: 2 })
  })

  test('with cancel-in-progress, a newer run also ends the one under way', async () => {
    const { simulator, start } = await simulatorOf(grouped({ ...byModel, cancelInProgress: true }))
    await start(of('a', '1'))
    await start(of('a', '2'))
    await eventually(() => simulator.runs).toMatchObject([
      { conclusion: 'cancelled' },
      { status: 'in_progress' },
    ])
  })

  test('is found again in a data directory', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'github-simulator-'))
    onTestFinished(() => rmSync(dataDir, { recursive: true }))
    const before = await simulatorOf({ ...grouped(), dataDir })
    const first = await before.start(of('a', '1'))
    for (const version of ['2', '3']) await before.start(of('a', version))
    await before.simulator.close()
    const { simulator } = await simulatorOf({ ...grouped(), dataDir })
    expect(simulator.runs.map((run) => run.status)).toEqual(['in_progress', 'completed', 'pending'])
    simulator.complete(first)
    expect(simulator.runs.map((run) => run.status)).toEqual(['completed', 'completed', 'in_progress'])
  })
})
