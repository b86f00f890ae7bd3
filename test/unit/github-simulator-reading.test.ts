// Reading runs, workflow and repository from the simulator over real HTTP: fields, ETags, delays, listings.
import { describe, expect, test } from 'vitest'
import { listRuns } from '../github-simulator/run-listing.ts'
import type { SimulatedRun } from '../github-simulator/simulator.ts'
import { eventually, LONG, REPO, simulatorOf, WORKFLOW } from '../support/simulator.ts'

describe('reading', () => {
  test('the repository and the workflow, by file and by id', async () => {
    const { get } = await simulatorOf()
    expect((await get('/repos/ACME/Models')).json).toMatchObject({
      full_name: 'acme/models',
      default_branch: 'main',
    })
    const { json } = await get(WORKFLOW)
    expect(json).toMatchObject({
      name: 'cd pipeline',
      path: '.github/workflows/cd_pipeline.yml',
      state: 'active',
    })
    expect((await get(`${REPO}/actions/workflows/${json.id}`)).json).toEqual(json)
  })

  test('a run has the fields that a client reads', async () => {
    const { simulator, get, start } = await simulatorOf(LONG)
    const id = await start()
    const { json } = await get(`${REPO}/actions/runs/${id}`)
    expect(json).toMatchObject({
      id,
      name: 'cd pipeline',
      head_branch: 'main',
      path: '.github/workflows/cd_pipeline.yml',
      display_title: 'Deploy fraud-detector 5 p-1',
      run_number: 1,
      run_attempt: 1,
      event: 'workflow_dispatch',
      status: 'in_progress',
      conclusion: null,
      url: `${simulator.url}${REPO}/actions/runs/${id}`,
      html_url: `${simulator.url}/acme/models/actions/runs/${id}`,
      repository: { full_name: 'acme/models' },
    })
    expect(json.head_sha).toMatch(/^[0-9a-f]{40}$/)
    expect(json.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(json.actor.login).toBeTruthy()
    expect(json).not.toHaveProperty('inputs')
    expect((await get(`${REPO}/actions/runs/1`)).status).toBe(404)
  })

  test('again with its ETag costs nothing until the run has moved', async () => {
    const { simulator, get, start } = await simulatorOf({ ...LONG, rateLimit: 100 })
    const path = `${REPO}/actions/runs/${await start()}`
    const first = await get(path)
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' }
    const unchanged = await get(path, { headers })
    expect(unchanged.status).toBe(304)
    expect(unchanged.text).toBe('')
    expect(unchanged.headers.get('x-ratelimit-used')).toBe(first.headers.get('x-ratelimit-used'))
    simulator.complete(first.json.id)
    const moved = await get(path, { headers })
    expect(moved.status).toBe(200)
    expect(moved.json.status).toBe('completed')
  })

  test('a new run is missing from listings and by its id as long as was asked for', async () => {
    const { get, start } = await simulatorOf({ ...LONG, listDelayMs: 900, getDelayMs: 300 })
    const id = await start()
    expect((await get(`${REPO}/actions/runs/${id}`)).status).toBe(404)
    await eventually(async () => (await get(`${REPO}/actions/runs/${id}`)).status).toBe(200)
    expect((await get(`${WORKFLOW}/runs`)).json.total_count).toBe(0)
    await eventually(async () => (await get(`${REPO}/actions/runs`)).json.total_count).toBe(1)
  })

  test('listings are newest first, in pages that link to each other', async () => {
    const { simulator, get, start } = await simulatorOf(LONG)
    for (let n = 0; n < 5; n += 1) await start()
    const newestFirst = simulator.runs.map((run) => run.id).reverse()
    const first = await get(`${WORKFLOW}/runs?per_page=2&event=workflow_dispatch`)
    expect(first.json.total_count).toBe(5)
    expect(first.json.workflow_runs.map((run) => run.id)).toEqual(newestFirst.slice(0, 2))
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect(first.headers.get('link')).toContain('page=3>; rel="last"')
    const second = await get(next.replace(simulator.url, ''))
    expect(second.json.workflow_runs.map((run) => run.id)).toEqual(newestFirst.slice(2, 4))
    expect(second.headers.get('link')).toMatch(/rel="prev".*rel="next".*rel="last".*rel="first"/)
    expect((await get(`${WORKFLOW}/runs?page=9`)).json.workflow_runs).toEqual([])
    expect((await get(`${WORKFLOW}/runs`)).headers.get('link')).toBeNull()
  })

  test('listings of one workflow leave out the others', async () => {
    const { get, post, start } = await simulatorOf({
      workflows: [{ file: 'cd_pipeline.yml' }, { file: 'b.yml' }],
    })
    await start()
    await post(`${REPO}/actions/workflows/b.yml/dispatches`, { body: { ref: 'main' } })
    expect((await get(`${WORKFLOW}/runs`)).json.total_count).toBe(1)
    expect((await get(`${REPO}/actions/runs`)).json.total_count).toBe(2)
  })

  test('listings are filtered', async () => {
    const { simulator, get, start } = await simulatorOf({
      ...LONG,
      workflows: [{ file: 'cd_pipeline.yml', refs: ['main'] }],
    })
    const id = await start()
    await start()
    simulator.complete(id, 'failure')
    const { actor, head_sha } = (await get(`${REPO}/actions/runs/${id}`)).json
    const count = async (query: string) => (await get(`${WORKFLOW}/runs?${query}`)).json.total_count
    expect(await count('event=push')).toBe(0)
    expect(await count('branch=main')).toBe(2)
    expect(await count('branch=dev')).toBe(0)
    expect(await count('status=failure')).toBe(1)
    expect(await count('status=in_progress')).toBe(1)
    expect(await count(`head_sha=${head_sha}`)).toBe(2)
    expect(await count(`actor=${encodeURIComponent(actor.login)}`)).toBe(2)
    expect(await count('actor=someone')).toBe(0)
    expect(await count('created=%3E%3D2020-01-01')).toBe(2)
    expect(await count('created=%3C2020-01-01')).toBe(0)
    expect((await get(`${WORKFLOW}/runs?created=yesterday`)).status).toBe(422)
  })

  test.each([
    ['>=2026-11-23T10:00:00Z', true],
    ['>=2026-11-23T10:00:00.500Z', false],
    ['>2026-11-23T10:00:00Z', false],
    ['<=2026-11-23T10:00:00Z', true],
    ['<2026-11-23T10:00:00Z', false],
    ['2026-11-23', true],
    ['2026-11-22', false],
    ['<=2026-11-23', true],
    ['>2026-11-23', false],
    ['2026-11-23T09:59:00Z..2026-11-23T10:00:00Z', true],
    ['2026-11-23T10:00:01Z..*', false],
    ['*..2026-11-23T11:00:00+01:00', true],
  ])('created=%s: a run of 10:00:00.700 is listed: %s', (created, isListed) => {
    const run = { id: 1, createdAt: Date.parse('2026-11-23T10:00:00.700Z') } as SimulatedRun
    const listing = listRuns([run], new URLSearchParams({ created }))
    expect(listing?.totalCount).toBe(isListed ? 1 : 0)
  })

  test('no listing goes beyond 1,000 results or 100 on a page', () => {
    const runs = Array.from({ length: 1100 }, (_, n) => ({ id: n, createdAt: 0 }) as SimulatedRun)
    const last = listRuns(runs, new URLSearchParams({ per_page: '500', page: '10' }))
    expect(last).toMatchObject({ totalCount: 1100, lastPage: 10 })
    expect(last?.runs).toHaveLength(100)
    expect(listRuns(runs, new URLSearchParams({ per_page: '100', page: '11' }))?.runs).toEqual([])
  })
})
