// With GitHub's settings the relay does the real thing: seen by a stand-in written by hand, which knows nothing of
// our simulator, behind GITHUB_API_URL.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../support/until.ts'
import { startUp, temporaryDir } from '../support/up.ts'

const TOKEN = 'ghp_e2e-token-0000000001'
const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.9234 }
const DISPATCH = '/repos/acme/models/actions/workflows/cd_pipeline.yml/dispatches'

interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  body: any
}

/** GitHub as far as a run's life: answers a dispatch with 204, as before 2026, or 200 and the run. */
async function standIn(answer: 204 | 200) {
  const seen: Seen[] = []
  const runs: { id: number; display_title: string; status: string; conclusion: string | null }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body: text === '' ? undefined : JSON.parse(text) })
    const send = (status: number, body?: object) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      response.end(body && JSON.stringify(body))
    }
    const page = (run: (typeof runs)[number]) => ({
      ...run,
      html_url: `https://github.example/acme/models/actions/runs/${run.id}`,
      run_attempt: 1,
      event: 'workflow_dispatch',
      created_at: new Date().toISOString().replace(/\.\d+/, ''),
    })
    const id = Number(/\/actions\/runs\/(\d+)$/.exec(url)?.[1])
    const run = runs.find((one) => one.id === id)
    if (method === 'POST' && url === DISPATCH) {
      const { inputs } = JSON.parse(text)
      const title = `Deploy ${inputs.model_name} ${inputs.promotion_id}`
      const started = {
        id: 7000 + runs.length,
        display_title: title,
        status: 'in_progress',
        conclusion: null,
      }
      runs.push(started)
      if (answer === 204) return send(204)
      const { html_url } = page(started)
      return send(200, {
        workflow_run_id: started.id,
        run_url: `https://github.example/${started.id}`,
        html_url,
      })
    }
    if (method === 'GET' && run) return send(200, page(run))
    if (method === 'GET' && url.includes('/runs?')) {
      return send(200, { total_count: runs.length, workflow_runs: runs.map(page).reverse() })
    }
    return send(404, { message: 'Not Found' })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const end = (conclusion: string) => {
    Object.assign(runs.at(-1) ?? {}, { status: 'completed', conclusion })
  }
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    end,
    dispatches: () => seen.filter(({ url }) => url === DISPATCH),
  }
}

async function startReal(settings: Record<string, string>) {
  const relay = await startUp({
    dataDir: path.join(temporaryDir('relay-real'), 'data'),
    env: {
      GITHUB_REPO_OWNER: 'acme',
      GITHUB_REPO_NAME: 'models',
      GITHUB_TOKEN: TOKEN,
      DISPATCH_RATE_PER_SECOND: '1000',
      ...settings,
    },
  })
  onTestFinished(async () => {
    relay.kill('SIGTERM')
    await relay.end()
  })
  return relay
}

test.each([204, 200] as const)(
  'the exact request is seen, v6 posted after v5 goes when v5 has ended, and both are live in turn (%i)',
  async (answer) => {
    const github = await standIn(answer)
    const relay = await startReal({ ENABLE_CD_TRIGGER: 'true', GITHUB_API_URL: github.url })
    expect(relay.stdout).toContain('it dispatches cd_pipeline.yml in acme/models')
    expect(relay.stdout).not.toMatch(/SIMULATED|sample-model/)

    const v5 = (await relay.call('POST', '/v1/promotions', V5)).body
    await until('the dispatch of v5', () => github.dispatches().length === 1)
    const v6 = (await relay.call('POST', '/v1/promotions', { ...V5, version: '6', accuracy: undefined })).body
    const [{ method, headers, body } = { method: '', headers: {}, body: {} }] = github.dispatches()
    expect(method).toBe('POST')
    expect(headers).toMatchObject({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
      authorization: `Bearer ${TOKEN}`,
      'content-type': expect.stringContaining('application/json'),
    })
    expect(body).toEqual({
      ref: 'main',
      inputs: {
        model_version: '5',
        model_accuracy: '0.9234',
        trigger_source: 'automated_ct_pipeline',
        promotion_id: v5.id,
        model_name: 'fraud-detector',
        environment: 'production',
      },
      return_run_details: true,
    })

    const waiting = await until('v6 to say why it waits', async () => {
      const { reason } = (await relay.call('GET', `/v1/promotions/${v6.id}`)).body
      return /version 5/.test(reason) && reason
    })
    expect(waiting).toBe('waiting: version 5 of the same target is on its way')
    await until('a look at the run of v5', () => github.seen.some(({ url }) => url.endsWith('/runs/7000')))
    expect(github.dispatches()).toHaveLength(1)

    github.end('success')
    const deployed = await relay.reaches(v5.id, 'deployed')
    expect(deployed.run).toMatchObject({ id: '7000', conclusion: 'success' })
    await until('the dispatch of v6', () => github.dispatches().length === 2)
    expect(github.dispatches()[1]?.body.inputs).toMatchObject({ model_version: '6', model_accuracy: '' })
    github.end('success')
    await relay.reaches(v6.id, 'deployed')
    expect((await relay.call('GET', '/v1/targets')).body.targets[0]).toMatchObject({
      live: '6',
      pending: null,
    })
    expect(relay.stdout + relay.stderr).not.toContain(TOKEN)
  },
)

test('with ENABLE_CD_TRIGGER off a promotion is recorded as skipped, says why, and nothing is sent', async () => {
  const github = await standIn(200)
  const relay = await startReal({ GITHUB_API_URL: github.url })
  expect(relay.stdout).toContain('ENABLE_CD_TRIGGER is off')
  const { id } = (await relay.call('POST', '/v1/promotions', V5)).body
  const skipped = await relay.reaches(id, 'skipped')
  expect(skipped.reason).toContain('ENABLE_CD_TRIGGER')
  expect(github.seen).toEqual([])
})
