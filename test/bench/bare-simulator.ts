// The simulator for a bench, a process of its own: takes every dispatch at once, runs end as soon as they are looked at, and
// webhooks tell of them where an address is given. It judges nothing and keeps nothing on disk, so that it costs little
// beside what is measured. `node test/bench/bare-simulator.ts [--webhook-url URL]`, GITHUB_WEBHOOK_SECRET signs.
import { createHmac, randomUUID } from 'node:crypto'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { 'webhook-url': { type: 'string' } } })
const webhookUrl = values['webhook-url']
const secret = process.env.GITHUB_WEBHOOK_SECRET ?? ''
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })

interface Run {
  id: number
  title: string
  createdAt: string
}

const FIRST_RUN = 1_000_000
let runs: Run[] = []
/** What was asked for, and when it arrived: `[promotion id or model version, ms since the epoch]`. */
let arrivals: [string, number][] = []
/** Runs that go on until they are told of all at once. */
let held: Run[] = []
let isHolding = false

const server = http.createServer((request, response) => {
  const at = performance.timeOrigin + performance.now()
  const path = request.url ?? ''
  if (request.method === 'GET') return answer(response, 200, get(path))
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (chunk) => {
    text += chunk
  })
  request.once('end', () => {
    if (path.startsWith('/_bench/reset')) {
      runs = []
      arrivals = []
      held = []
      isHolding = path.endsWith('?held')
      return answer(response, 200, {})
    }
    if (path === '/_bench/tell') {
      if (webhookUrl) void tellHeld(webhookUrl)
      return answer(response, 200, {})
    }
    if (!path.endsWith('/dispatches')) return answer(response, 404, { message: 'Not Found' })
    const { inputs } = JSON.parse(text) as { inputs: Record<string, string> }
    const title = inputs.promotion_id ?? inputs.model_version ?? ''
    const run = { id: FIRST_RUN + runs.length, title, createdAt: toSecond(Date.now()) }
    runs.push(run)
    arrivals.push([title, at])
    answer(response, 200, {
      workflow_run_id: run.id,
      run_url: `${base()}/repos/acme/models/actions/runs/${run.id}`,
      html_url: pageOf(run),
    })
    if (webhookUrl && isHolding) held.push(run)
    else if (webhookUrl) void tell(run, webhookUrl)
  })
})

function get(path: string): unknown {
  if (path === '/_bench/arrivals') return arrivals
  if (path === '/_bench/count') return { count: arrivals.length }
  const run = runs[Number(/\/runs\/(\d+)$/.exec(path)?.[1]) - FIRST_RUN]
  if (run) return shown(run, 'completed')
  return path.includes('/runs') ? { total_count: 0, workflow_runs: [] } : { state: 'active' }
}

function shown(run: Run, status: 'queued' | 'in_progress' | 'completed') {
  return {
    id: run.id,
    display_title: run.title,
    run_attempt: 1,
    event: 'workflow_dispatch',
    status,
    conclusion: status === 'completed' ? 'success' : null,
    html_url: pageOf(run),
    path: '.github/workflows/cd_pipeline.yml',
    created_at: run.createdAt,
    updated_at: run.createdAt,
  }
}

/** As GitHub does: when it is queued, when it runs, when it has ended; ms, each after the one before. */
const COURSE = [
  ['requested', 'queued', 1_000],
  ['in_progress', 'in_progress', 500],
  ['completed', 'completed', 500],
] as const

async function tell(run: Run, url: string, pace = 1): Promise<void> {
  for (const [action, status, afterMs] of COURSE) {
    await sleep(afterMs * pace)
    await deliver(url, {
      action,
      repository: { full_name: 'acme/models' },
      workflow: { id: 1, path: '.github/workflows/cd_pipeline.yml' },
      workflow_run: shown(run, status),
    })
  }
}

/** All of what is held back, so many runs at once. */
async function tellHeld(url: string): Promise<void> {
  const waiting = held.splice(0)
  const lane = async () => {
    for (let run = waiting.shift(); run; run = waiting.shift()) await tell(run, url, 0)
  }
  await Promise.all(Array.from({ length: 32 }, lane))
}

function deliver(url: string, payload: object): Promise<void> {
  const body = JSON.stringify(payload)
  return new Promise((resolve) => {
    const request = http.request(url, {
      method: 'POST',
      agent,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'x-github-event': 'workflow_run',
        'x-github-delivery': randomUUID(),
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      },
    })
    // Lost, as a delivery may be: the relay looks by itself.
    request.once('error', () => resolve())
    request.once('response', (response) => {
      response.resume()
      response.once('end', resolve)
    })
    request.end(body)
  })
}

function answer(response: http.ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    })
    .end(text)
}

function base(): string {
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`
}

function pageOf({ id }: Run): string {
  return `https://github.com/acme/models/actions/runs/${id}`
}

function toSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

process.once('disconnect', () => process.exit(0))
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send?.(base()))
