// What the simulator tells of a run by webhook, and when, over real HTTP: as GitHub describes the event.
import { describe, expect, test } from 'vitest'
import { eventProblems } from '../github-simulator/contract/event-contract.ts'
import type { SimulatorOptions } from '../github-simulator/simulator.ts'
import { eventually, REPO } from '../support/simulator.ts'
import { type Received, simulatorWithWebhook as setup, tellingOf } from '../support/webhook-receiver.ts'

const AT_ONCE: SimulatorOptions = { queuedMs: 0, runMs: 0 }

describe('what is told of a run', () => {
  test('is requested, in progress and completed, each as GitHub describes the event', async () => {
    const { simulator, receiver, told, start, over } = await setup({ queuedMs: 50 })
    const id = await start()
    await over(2)
    simulator.complete(id, 'failure')
    await over(3)
    expect(told()).toEqual(['requested: queued', 'in_progress: in_progress', 'completed: failure'])
    for (const { headers, payload } of receiver.received) {
      expect(eventProblems(payload.action, { headers, payload })).toEqual([])
    }
    expect(receiver.received[2]?.payload).toMatchObject({
      workflow_run: { id, name: 'Deploy fraud-detector 5 p-1', display_title: 'Deploy fraud-detector 5 p-1' },
      workflow: { name: 'cd pipeline' },
      repository: { full_name: 'acme/models' },
    })
  })

  test.each(['success', 'neutral', 'cancelled', 'skipped', 'timed_out', 'action_required', 'stale'])(
    'with the conclusion %s is as GitHub describes it',
    async (conclusion) => {
      const { receiver, start, over } = await setup({ ...AT_ONCE, conclusion })
      await start()
      await over(3)
      const { headers, payload } = receiver.received[2] as Received
      expect(payload.workflow_run.conclusion).toBe(conclusion)
      expect(eventProblems('completed', { headers, payload })).toEqual([])
    },
  )

  test('is all of it, also of a run that was over at once', async () => {
    const { start, told, over } = await setup(AT_ONCE)
    await start()
    await over(3)
    expect(told()).toEqual(['requested: queued', 'in_progress: in_progress', 'completed: success'])
  })

  test('is no progress where it was cancelled before it began', async () => {
    const { start, post, told, over } = await setup({ queuedMs: 60_000 })
    await post(`${REPO}/actions/runs/${await start()}/cancel`)
    await over(2)
    expect(told()).toEqual(['requested: queued', 'completed: cancelled'])
  })

  test('is not requested again when it is run again', async () => {
    const { simulator, receiver, start, post, over } = await setup(AT_ONCE)
    const id = await start()
    await post(`${REPO}/actions/runs/${id}/rerun`)
    await over(5)
    const attempts = receiver.received.map(({ payload }) => [
      payload.action,
      payload.workflow_run.run_attempt,
    ])
    expect(attempts.slice(3)).toEqual([
      ['in_progress', 2],
      ['completed', 2],
    ])
    expect(simulator.deliveries[4]?.runAttempt).toBe(2)
  })

  test('is no progress before a reviewer has approved', async () => {
    const { simulator, start, told, over } = await setup({
      workflows: [{ file: 'cd_pipeline.yml', needsApproval: true }],
    })
    const id = await start()
    await over(1)
    expect(simulator.runs[0]?.status).toBe('waiting')
    simulator.approve(id)
    await over(2)
    expect(told()).toEqual(['requested: queued', 'in_progress: in_progress'])
  })

  test('is the turn in a concurrency group and the end of the one that was replaced, without anybody looking', async () => {
    const { simulator, start, receiver, over } = await setup({
      runMs: 60_000,
      workflows: [{ file: 'cd_pipeline.yml', concurrency: { group: () => 'all' } }],
    })
    const [first, second, third] = [await start(), await start(), await start()]
    await over(5)
    simulator.complete(first)
    await over(7)
    simulator.complete(third)
    await over(8)
    const of = (id: number) =>
      receiver.received
        .filter(({ payload }) => payload.workflow_run.id === id)
        .map(({ payload }) => tellingOf(payload))
    expect(of(first)).toEqual(['requested: queued', 'in_progress: in_progress', 'completed: success'])
    expect(of(second)).toEqual(['requested: pending', 'completed: cancelled'])
    expect(of(third)).toEqual(['requested: pending', 'in_progress: in_progress', 'completed: success'])
  })

  test('comes late of a run that a fault creates late, without anybody looking', async () => {
    const { simulator, dispatch, told, over } = await setup(AT_ONCE)
    simulator.fault({ kind: 'late-create', delayMs: 300 })
    const gone = new AbortController()
    const reply = expect(dispatch({}, { signal: gone.signal })).rejects.toThrow('aborted')
    await eventually(() => simulator.log).toHaveLength(1)
    gone.abort()
    await reply
    await over(3)
    expect(told()).toHaveLength(3)
  })

  test('begins with the subscription', async () => {
    const { simulator, start, told, over, receiver } = await setup({ webhooks: [] })
    const id = await start()
    simulator.subscribe({ url: receiver.url })
    simulator.complete(id)
    await over(1)
    expect(told()).toEqual(['completed: success'])
    expect(receiver.received[0]?.headers).not.toHaveProperty('x-hub-signature-256')
  })
})
