// The image as server and worker beside Redis and a simulated GitHub: promotions go through, whatever is killed.
// The simulator's log of runs is the judge.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { until } from '../support/until.ts'
import { docker, exitCodeOf, healthOf, say } from './docker.ts'
import { kill, startWorld, stop, type World } from './world.ts'

/** What compose waits for at the most. */
const GRACE_SECONDS = 50
/** Attempts whose worker is gone: the limit of the request, patience, and three looks. */
const SETTLED_WITHIN_MS = 150_000

describe.skipIf(inject('noDocker'))('in containers', () => {
  let world: World
  let worker: string

  beforeAll(async () => {
    world = await startWorld()
    worker = await world.startWorker()
  }, 120_000)
  afterAll(() => world?.end(), 120_000)

  const deployed = (id: string, withinMs?: number) => world.reaches(id, 'deployed', withinMs)
  const dispatched = async () =>
    ((await world.simulator('GET', 'log')) as { method: string }[]).filter(({ method }) => method === 'POST')
  const startedOnce = async (...ids: string[]) => {
    for (const id of ids) expect([id, (await world.runsOf(id)).length]).toEqual([id, 1])
  }

  test('a promotion comes in over HTTP, starts one run and is deployed', async () => {
    const id = await world.promote('fraud-detector', '5')
    expect(await deployed(id)).toMatchObject({ attempts: 1, run: { conclusion: 'success' } })
    const [run] = await world.runsOf(id)
    expect(run?.inputs).toMatchObject({ model_name: 'fraud-detector', model_version: '5' })
    await startedOnce(id)
  })

  test.each(['server', 'worker'] as const)(
    'the %s is no root, and can write nowhere but in /tmp',
    async (role) => {
      const container = role === 'server' ? world.server : worker
      expect(await docker('exec', container, 'id', '-u')).not.toBe('0')
      for (const path of ['/app/x', '/home/node/x', '/x']) {
        const { code, stderr } = await say('docker', ['exec', container, 'touch', path])
        expect([code, stderr]).toEqual([1, expect.stringContaining('Read-only file system')])
      }
      await docker('exec', container, 'touch', '/tmp/x')
    },
  )

  test("server and worker are healthy by the image's own check", async () => {
    await until('the server to be healthy', async () => (await healthOf(world.server)) === 'healthy', 40_000)
    await until('the worker to be healthy', async () => (await healthOf(worker)) === 'healthy', 40_000)
  })

  test('the command line is there: a promotion goes straight into Redis', async () => {
    const v1 = ['--model', 'by-hand', '--version', '1']
    const said = await docker('exec', world.server, 'promotion-relay', 'promote', ...v1, '--wait')
    expect(said).toContain('ended: deployed')
  })

  test('a worker that is stopped in mid-dispatch finishes it first, and ends with 0', async () => {
    await world.simulator('POST', 'faults', { kind: 'slow', delayMs: 3_000 })
    const before = (await dispatched()).length
    const id = await world.promote('stopped', '1')
    await until('the dispatch to be under way', async () => (await dispatched()).length > before)
    await stop(worker, GRACE_SECONDS)
    expect(await exitCodeOf(worker)).toBe(0)
    expect(await world.get(id)).toMatchObject({ state: 'dispatched', attempts: 1 })
    worker = await world.startWorker()
    await deployed(id)
    await startedOnce(id)
  })

  test('a worker is killed in mid-dispatch: the next one finds the run that was started, and starts the one that was not', async () => {
    await world.simulator('POST', 'faults', [{ kind: 'hang-after' }, { kind: 'hang-before' }])
    const before = (await dispatched()).length
    const ids = [await world.promote('killed-first', '1'), await world.promote('killed-second', '1')]
    await until('both dispatches to be under way', async () => (await dispatched()).length === before + 2)
    expect(await Promise.all(ids.map(async (id) => (await world.runsOf(id)).length))).toEqual(
      expect.arrayContaining([0, 1]),
    )
    await kill(worker)
    worker = await world.startWorker()
    await Promise.all(ids.map((id) => deployed(id, SETTLED_WITHIN_MS)))
    await startedOnce(...ids)
    expect((await dispatched()).length).toBe(before + 3)
  }, 180_000)

  test('Redis is killed and started again: nothing accepted is lost, nothing is started twice', async () => {
    await world.simulator('POST', 'life', { queuedMs: 2_000, runMs: 4_000 })
    const earlier = await world.promote('restarted-0', '1')
    await world.reaches(earlier, 'dispatched')
    const ids = [earlier]
    for (const n of [1, 2, 3, 4, 5, 6]) ids.push(await world.promote(`restarted-${n}`, '1'))
    await kill(world.redis)
    await docker('start', world.redis)
    await Promise.all(ids.map((id) => deployed(id, SETTLED_WITHIN_MS)))
    await startedOnce(...ids)
  }, 180_000)

  test('the server ends with 0 when it is stopped', async () => {
    await stop(world.server, GRACE_SECONDS)
    expect(await exitCodeOf(world.server)).toBe(0)
  })
})
