import { expect, test } from 'vitest'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

test('a promotion starts the CD workflow with exactly this request, once, and its run is followed to the end', async () => {
  const relay = await startRelay()
  const id = await relay.promote('5', { accuracy: 0.9234, environment: 'production' })
  const end = await relay.ends(id)

  const [dispatch, ...more] = relay.simulator.dispatches()
  expect(more).toEqual([])
  expect(dispatch).toMatchObject({
    method: 'POST',
    path: '/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches',
    status: 200,
    headers: {
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      'content-type': expect.stringMatching(/^application\/json/),
      authorization: 'REDACTED',
    },
  })
  expect(dispatch?.body).toEqual({
    ref: 'main',
    return_run_details: true,
    inputs: {
      model_version: '5',
      model_accuracy: '0.9234',
      trigger_source: 'automated_ct_pipeline',
      promotion_id: id,
      model_name: 'fraud-detector',
      environment: 'production',
    },
  })

  const [run] = relay.simulator.runs
  expect(end).toMatchObject({
    state: 'deployed',
    conclusion: 'success',
    runId: String(run?.id),
    runUrl: `${relay.simulator.url}/acme/models/actions/runs/${run?.id}`,
    attempts: 1,
  })
  const timeline = await relay.reader.timeline(id)
  expect(timeline.map(({ what }) => what)).toEqual([
    'accepted',
    'dispatching',
    'outcome',
    'dispatched',
    'deployed',
  ])
  expect(timeline.map(({ at }) => at)).toEqual(timeline.map(({ at }) => at).toSorted((a, b) => a - b))
  expect(await relay.reader.targets(10)).toMatchObject([{ model: 'fraud-detector', live: '5' }])
  expect(relay.counted).toEqual({ attempts: ['dispatched'], deployments: ['success'], feedback: [] })
})

test('an upgrade goes out when what is live has ended, and says what was live', async () => {
  const relay = await startRelay()
  await relay.ends(await relay.promote('5'))

  const upgrade = await relay.producer.promote({ model: 'fraud-detector', version: '6' })

  expect(upgrade).toMatchObject({ status: 'accepted', live: '5' })
  await relay.ends('id' in upgrade ? upgrade.id : '')
  expect(await relay.reader.targets(10)).toMatchObject([{ live: '6' }])
  expect(relay.versionsRun()).toEqual(['5', '6'])
})

test('names of every kind arrive at GitHub as they were given', async () => {
  const relay = await startRelay()
  const names = ['{x}:y/ü', '"quoted" \\ and <tagged>', '🦀'.repeat(125), 'a b', '%00', '__proto__']
  const ids = []
  for (const model of names) ids.push(await relay.promote(`v/${model.slice(0, 20)}`, { model }))

  for (const id of ids) expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })

  const sent = relay.simulator.runs.map(({ inputs }) => [inputs.model_name, inputs.model_version])
  expect(sent.toSorted()).toEqual(names.map((model) => [model, `v/${model.slice(0, 20)}`]).toSorted())
})

test('a run that fails leaves live where it was, and the next version goes out', async () => {
  const relay = await startRelay()
  await relay.ends(await relay.promote('5'))
  relay.simulator.setLife({ conclusion: 'failure' })
  expect(await relay.ends(await relay.promote('6'))).toMatchObject({
    state: 'failed',
    conclusion: 'failure',
  })
  expect(await relay.reader.targets(10)).toMatchObject([{ live: '5' }])

  relay.simulator.setLife({ conclusion: 'success' })
  await relay.ends(await relay.promote('7'))

  expect(await relay.reader.targets(10)).toMatchObject([{ live: '7' }])
  expect(relay.counted.deployments).toEqual(['success', 'failure', 'success'])
})

test('with the trigger off a promotion is recorded as skipped and nothing is sent', async () => {
  const relay = await startRelay({ env: { ENABLE_CD_TRIGGER: 'false' } })
  const id = await relay.promote('5')

  expect(await relay.ends(id)).toMatchObject({ state: 'skipped', attempts: 0 })

  await relay.idle()
  expect(relay.simulator.log).toEqual([])
  expect(relay.lines).toContainEqual(
    expect.objectContaining({
      promotionId: id,
      msg: 'CD pipeline was not triggered. Manual deployment may be required.',
    }),
  )
})

test('a version promoted while another is being deployed goes out when that one has ended', async () => {
  const relay = await startRelay()
  relay.simulator.hold(undefined, 'in_progress')
  const older = await relay.promote('5')
  await relay.reaches(older, 'dispatched')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')
  await until('the run is looked at again', () => relay.simulator.log.length > 3)
  expect(relay.versionsRun()).toEqual(['5'])

  relay.simulator.release()
  await relay.ends(older)
  await relay.ends(newer)

  const [first, second] = relay.simulator.runs
  expect(relay.versionsRun()).toEqual(['5', '6'])
  expect(second?.createdAt).toBeGreaterThanOrEqual(first?.updatedAt ?? Number.POSITIVE_INFINITY)
  expect(await relay.reader.targets(10)).toMatchObject([{ live: '6' }])
})

test('it is woken by the end of the other one, not by looking again', async () => {
  const relay = await startRelay({ pauses: { recheckMs: 600_000, sweepMs: 600_000 } })
  relay.simulator.hold(undefined, 'in_progress')
  const older = await relay.promote('5')
  await relay.reaches(older, 'dispatched')
  const newer = await relay.promote('6')
  await relay.waitsFor(newer, 'in_flight')

  relay.simulator.release()

  expect(await relay.ends(newer)).toMatchObject({ state: 'deployed' })
  await relay.idle()
})

test('of the versions that wait only the newest goes out', async () => {
  const relay = await startRelay()
  relay.simulator.hold()
  await relay.reaches(await relay.promote('5'), 'dispatched')
  const overtaken = await relay.promote('6')
  await relay.waitsFor(overtaken, 'in_flight')
  const newest = await relay.promote('7')

  expect(await relay.ends(overtaken)).toMatchObject({ state: 'superseded', supersededBy: newest })
  relay.simulator.release()

  await relay.ends(newest)
  await relay.idle()
  expect(relay.versionsRun()).toEqual(['5', '7'])
})

test('a promotion that waits for long leaves a bounded log, and one reason in its timeline', async () => {
  const relay = await startRelay({ pauses: { recheckMs: 1 } })
  relay.simulator.hold()
  await relay.reaches(await relay.promote('5'), 'dispatched')
  const id = await relay.promote('6')

  const job = await until('it was looked at often', async () => {
    const found = await relay.queues.promotions.getJob(`${id}-1`)
    return (found?.attemptsStarted ?? 0) > 10 ? found : undefined
  })
  await Promise.all(Array.from({ length: 100 }, () => job.log('one more look')))

  const { count } = await relay.queues.promotions.getJobLogs(job.id ?? '')
  expect(count).toBeGreaterThan(10)
  expect(count).toBeLessThanOrEqual(100)
  expect((await relay.reader.timeline(id)).map(({ what }) => what)).toEqual(['accepted', 'waiting'])
  relay.simulator.release()
  await relay.ends(id)
})

test('targets do not wait for one another', async () => {
  const relay = await startRelay()
  relay.simulator.hold()
  await relay.reaches(await relay.promote('5'), 'dispatched')

  await relay.reaches(await relay.promote('5', { environment: 'staging' }), 'dispatched')
  await relay.reaches(await relay.promote('5', { model: 'churn' }), 'dispatched')

  expect(relay.simulator.runs).toHaveLength(3)
  relay.simulator.release()
})

test('the queue of promotions is empty once everything has ended', async () => {
  const relay = await startRelay()
  await relay.ends(await relay.promote('5'))
  await relay.idle()

  const counts = await relay.queues.promotions.getJobCounts()
  expect(Object.values(counts).reduce((sum, jobs) => sum + jobs, 0)).toBe(0)
})
