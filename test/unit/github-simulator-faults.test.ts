// Each fault that a test can order for requests to the simulator, over real HTTP.
import { describe, expect, test } from 'vitest'
import type { Fault } from '../github-simulator/simulator.ts'
import { eventually, LONG, REPO, simulatorOf, WORKFLOW } from '../support/simulator.ts'

describe('faults', () => {
  const runsAfter = { 'status-before': 0, 'status-after': 1 }

  test.each(['status-before', 'status-after'] as const)('%s answers the status', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({
      kind,
      status: 502,
      message: 'Bad Gateway',
      headers: { 'Retry-After': '7', 'X-RateLimit-Remaining': '0' },
    })
    const reply = await dispatch()
    expect(reply.status).toBe(502)
    expect(reply.json.message).toBe('Bad Gateway')
    expect(reply.headers.get('retry-after')).toBe('7')
    expect(reply.headers.get('x-ratelimit-remaining')).toBe('0')
    expect(simulator.runs).toHaveLength(runsAfter[kind])
    expect(simulator.log).toMatchObject([{ status: 502, fault: kind }])
    expect((await dispatch()).status).toBe(204)
  })

  test.each(['reset-before', 'reset-after'] as const)('%s cuts the connection', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind })
    await expect(dispatch()).rejects.toThrow('fetch failed')
    expect(simulator.runs).toHaveLength(kind === 'reset-after' ? 1 : 0)
    expect(simulator.log).toMatchObject([{ status: 0, fault: kind }])
  })

  test.each(['hang-before', 'hang-after'] as const)('%s never answers', async (kind) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind })
    await expect(dispatch({}, { signal: AbortSignal.timeout(100) })).rejects.toThrow('timeout')
    expect(simulator.runs).toHaveLength(kind === 'hang-after' ? 1 : 0)
    expect(simulator.log).toMatchObject([{ status: 0, fault: kind }])
  })

  test('late-create never answers and starts the run afterwards, with the newest id', async () => {
    const { simulator, dispatch, start } = await simulatorOf(LONG)
    simulator.fault({ kind: 'late-create', delayMs: 500 })
    await expect(dispatch({}, { signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout')
    const meanwhile = await start({ promotion_id: 'p-2' })
    expect(simulator.runs.map((run) => run.id)).toEqual([meanwhile])
    await eventually(() => simulator.runs.map((run) => run.inputs.promotion_id)).toEqual(['p-2', 'p-1'])
    expect(simulator.runs[1]?.id).toBeGreaterThan(meanwhile)
  })

  test('slow starts the run at once and answers late', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'slow', delayMs: 400 })
    const startedAt = performance.now()
    const reply = dispatch()
    await eventually(() => simulator.runs.length).toBe(1)
    expect(simulator.log[0]?.status).toBe(0)
    expect((await reply).status).toBe(204)
    expect(performance.now() - startedAt).toBeGreaterThan(390)
  })

  test('unreadable starts the run and answers what is no JSON', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'unreadable' })
    const reply = await dispatch({ return_run_details: true }, { odd: true })
    expect(reply.status).toBe(200)
    expect(() => JSON.parse(reply.text)).toThrow()
    expect(simulator.runs).toHaveLength(1)
  })

  test('are taken in order, as often as was said, until they are cleared', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 500, times: 2 })
    simulator.fault({ kind: 'status-before', status: 503, times: Number.POSITIVE_INFINITY })
    const statuses: number[] = []
    for (let n = 0; n < 4; n += 1) statuses.push((await dispatch()).status)
    expect(statuses).toEqual([500, 500, 503, 503])
    simulator.clearFaults()
    expect((await dispatch()).status).toBe(204)
  })

  test.each<[Fault['on'], string]>([
    ['repository', REPO],
    ['workflow', WORKFLOW],
    ['list-runs', `${WORKFLOW}/runs`],
    ['get-run', `${REPO}/actions/runs/7`],
    ['any', '/rate_limit'],
  ])('on %s meet no other request', async (on, path) => {
    const { simulator, dispatch, get } = await simulatorOf()
    if (on !== 'any') simulator.fault({ kind: 'status-before', on, status: 418 })
    expect((await dispatch()).status).toBe(204)
    if (on === 'any') simulator.fault({ kind: 'status-before', on, status: 418 })
    expect((await get(path)).status).toBe(418)
  })

  test('can be meant for one promotion', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', promotionId: 'p-2' })
    expect((await dispatch()).status).toBe(204)
    const met = await dispatch({ inputs: { promotion_id: 'p-2' } })
    expect(met.status).toBe(500)
    expect(met.json.message).toBe('Failed to run workflow dispatch')
  })

  test('a 403 names the missing permission', async () => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 403 })
    const reply = await dispatch()
    expect(reply.json.message).toBe('Resource not accessible by personal access token')
    expect(reply.headers.get('x-accepted-github-permissions')).toBe('actions=write')
  })

  test.each([
    ['text', 'you sent {{authorization}}', 'you sent Bearer s"1'],
    ['an object', { message: 'you sent {{authorization}}' }, '{"message":"you sent Bearer s\\"1"}'],
  ])('echo the authorization in %s', async (_, body, expected) => {
    const { simulator, dispatch } = await simulatorOf()
    simulator.fault({ kind: 'status-before', status: 500, body })
    expect((await dispatch({}, { token: 's"1', odd: true })).text).toBe(expected)
  })
})
